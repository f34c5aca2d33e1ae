/**
 * What the machine sees of its devices once they are wired: two buses, one local APIC a CPU, a serial port. The
 * wiring itself (`wiring.ts`) fills it in; tests put scripted parts here.
 */
import type { AccessSize } from "../devices/device.js";
import type { MmioBus } from "../devices/bus/mmio-bus.js";
import type { PortBus } from "../devices/bus/port-bus.js";
import type { SerialReceiver } from "./console.js";
import type { TextRegisters } from "./screen.js";

/** One CPU's local APIC, as the CPU reaches it. */
export interface ApicPort {
  /** Guest-physical base of its register page; `undefined` while xAPIC mode is off. */
  readonly mmioBase: number | undefined;
  readMmio(offset: number, size: AccessSize): number;
  writeMmio(offset: number, size: AccessSize, value: number): void;
  /** `undefined` raises #GP(0). */
  readMsr(index: number): bigint | undefined;
  /** `false` raises #GP(0). */
  writeMsr(index: number, value: bigint): boolean;
  /** Acknowledges the highest deliverable interrupt; -1 when there is none. */
  acknowledge(): number;
  /** CR8, 0–15. */
  readTaskPriority(): number;
  writeTaskPriority(value: number): void;
}

export interface Board {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  /** By CPU number. */
  readonly apics: readonly ApicPort[];
  /** Where console input goes; absent when the machine has no serial port. */
  readonly serial: SerialReceiver | undefined;
  /** Registers of the screen; absent when the machine has none. */
  readonly text?: TextRegisters;
  /** What firmware logged; absent when the machine has no debug console. */
  readonly firmwareLog?: () => string;
}
