/**
 * The glue logic of a PC as three one-byte devices: system control port B (0x61: timer 2, refresh, NMI status),
 * port A (0x92: A20, fast reset) and the reset control register (0xcf9). Each knows its byte and what it drives.
 * Specification: ICH9 data sheet §13.7.
 */
import { bits, record } from "../../bytes/shape.js";
import type { AccessSize, Clock, InterruptLine, PortDevice, PowerControl } from "../device.js";
import { ROUTE } from "./reset-routes.js";
import { PIT_CHANNEL } from "../../spec/i8254.js";
import {
  REFRESH_INTERVAL_NS,
  RESET_CONTROL,
  SYSTEM_CONTROL_A,
  SYSTEM_CONTROL_B,
} from "../../spec/system-control.js";

/** What port 0x61 needs of the interval timer. */
export interface GatedTimer {
  setGate(channel: number, level: boolean): void;
  output(channel: number): boolean;
}

/** State of a one-byte device: what was written. */
export interface ControlByteState {
  value: number;
}

export const systemControlAShape = record<ControlByteState>({
  value: bits(SYSTEM_CONTROL_A.a20 | SYSTEM_CONTROL_A.fastReset),
});
export const systemControlBShape = record<ControlByteState>({ value: bits(SYSTEM_CONTROL_B.writable) });
export const resetControlShape = record<ControlByteState>({ value: bits(RESET_CONTROL.writable) });

/** Port 0x92 at power-on: address line 20 is let through. */
export function initialSystemControlA(): ControlByteState {
  return { value: SYSTEM_CONTROL_A.a20 };
}

/**
 * Port 0x61.
 * ```
 *    7     6      5       4        3       2       1        0
 * ┌─────┬──────┬───────┬───────┬───────┬───────┬───────┬────────┐
 * │ SERR│IOCHK │ out 2 │refresh│IOCHK  │ SERR  │speaker│ gate 2 │   7 and 6 are never set: nothing on this
 * └─────┴──────┴───────┴───────┴ off   ┴ off   ┴───────┴────────┘   machine raises them
 * ```
 */
export class SystemControlB implements PortDevice {
  readonly name = "system control B";

  constructor(
    private readonly clock: Clock,
    private readonly timer: GatedTimer,
    readonly state: ControlByteState = { value: 0 },
  ) {}

  readPort(_offset: number, _size: AccessSize): number {
    const refresh = Math.floor(this.clock.now() / REFRESH_INTERVAL_NS) % 2 === 1;
    return (
      this.state.value |
      (refresh ? SYSTEM_CONTROL_B.refreshToggle : 0) |
      (this.timer.output(PIT_CHANNEL.speaker) ? SYSTEM_CONTROL_B.timer2Output : 0)
    );
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    this.state.value = value & SYSTEM_CONTROL_B.writable;
    this.timer.setGate(PIT_CHANNEL.speaker, (value & SYSTEM_CONTROL_B.timer2Gate) !== 0);
  }
}

/** Port 0x92. `a20` is up while address line 20 is let through, as it is at power-on. */
export class SystemControlA implements PortDevice {
  readonly name = "system control A";

  constructor(
    private readonly power: PowerControl,
    private readonly a20?: InterruptLine,
    readonly state: ControlByteState = initialSystemControlA(),
  ) {
    this.a20?.set((state.value & SYSTEM_CONTROL_A.a20) !== 0);
  }

  readPort(_offset: number, _size: AccessSize): number {
    return this.state.value;
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    const rising = value & ~this.state.value;
    this.state.value = value & (SYSTEM_CONTROL_A.a20 | SYSTEM_CONTROL_A.fastReset);
    this.a20?.set((value & SYSTEM_CONTROL_A.a20) !== 0);
    if (rising & SYSTEM_CONTROL_A.fastReset) this.power.request({ kind: "reset", route: ROUTE.fastReset });
  }
}

/**
 * Port 0xcf9. Answers to single bytes only: wider accesses at 0xcf8 belong to PCI configuration (`byte-only` of
 * the port bus).
 */
export class ResetControl implements PortDevice {
  readonly name = "reset control";

  constructor(
    private readonly power: PowerControl,
    readonly state: ControlByteState = { value: 0 },
  ) {}

  readPort(_offset: number, _size: AccessSize): number {
    return this.state.value;
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    const rising = value & ~this.state.value;
    this.state.value = value & RESET_CONTROL.writable;
    if (rising & RESET_CONTROL.resetCpu) this.power.request({ kind: "reset", route: ROUTE.resetControl });
  }
}
