/**
 * ACPI's fixed hardware: PM1 event and control registers, the power-management timer, the power button, general-purpose
 * events. Knows its registers, a clock, a line for the SCI (a level) and how to switch off; not the tables that describe it,
 * nor what raises an event. The machine is always in ACPI mode: there is no SMI command port. Specification: ACPI 6.5 §4.8.3,
 * §4.8.4.
 */
import { bits, natural, record } from "../../bytes/shape.js";
import { Alarm } from "../time/alarm.js";
import type { AccessSize, Clock, InterruptLine, PortDevice, PowerControl, Timers } from "../device.js";
import { ROUTE } from "./reset-routes.js";
import { ticksAt, timeOfTick } from "../time/tick-rate.js";
import { SLP_TYP_S5 } from "../../spec/acpi.js";
import {
  GENERAL_ENABLE_OFFSET,
  GENERAL_EVENT_COUNT,
  PM1_CONTROL,
  PM1_ENABLE,
  PM1_ENABLE_OFFSET,
  PM1_STATUS,
  PM_TIMER,
} from "../../spec/acpi-pm.js";

export interface AcpiPmState {
  status: number;
  enable: number;
  control: number;
  /** Up to which tick of the timer its carry was looked for. */
  timerSeen: number;
  /** General-purpose events, a bit each. */
  generalStatus: number;
  generalEnable: number;
}

/** Power-on: ACPI mode is on already, nothing is enabled. */
export function initialAcpiPmState(): AcpiPmState {
  return {
    status: 0,
    enable: 0,
    control: PM1_CONTROL.sciEnable,
    timerSeen: 0,
    generalStatus: 0,
    generalEnable: 0,
  };
}

const GENERAL_EVENTS_MASK = 2 ** GENERAL_EVENT_COUNT - 1;
const STATUS = Object.values(PM1_STATUS).reduce((all, bit) => all | bit, 0);

export const acpiPmShape = record<AcpiPmState>({
  status: bits(STATUS),
  enable: bits(PM1_ENABLE.writable),
  control: bits(PM1_CONTROL.readable),
  timerSeen: natural,
  generalStatus: bits(GENERAL_EVENTS_MASK),
  generalEnable: bits(GENERAL_EVENTS_MASK),
});

export interface AcpiPmOptions {
  clock: Clock;
  timers: Timers;
  /** The system control interrupt, a level. */
  sci: InterruptLine;
  power: PowerControl;
  /** Width of the timer: 32 as the FADT's TMR_VAL_EXT says, or 24. */
  timerBits?: number;
}

/** `size` bytes at `offset` of a register block that holds `value`, little-endian. */
function part(value: number, offset: number, size: AccessSize): number {
  return ((value >>> (8 * offset)) & (0xffffffff >>> (32 - 8 * size))) >>> 0;
}

/** `value` with the `size` bytes at `offset` replaced. */
function replace(value: number, offset: number, size: AccessSize, bytes: number): number {
  const mask = (0xffffffff >>> (32 - 8 * size)) << (8 * offset);
  return ((value & ~mask) | ((bytes << (8 * offset)) & mask)) >>> 0;
}

const WORD = 0xffff;

export class AcpiPm {
  readonly state: AcpiPmState;
  /** PM1a event block: status and enable, 4 bytes. */
  readonly eventPorts: PortDevice;
  /** PM1a control block, 2 bytes. */
  readonly controlPorts: PortDevice;
  /** Power-management timer, 4 bytes. */
  readonly timerPorts: PortDevice;
  /** GPE0 block: status and enable, 4 bytes. */
  readonly generalPorts: PortDevice;
  private readonly alarm: Alarm;
  /** Ticks between two changes of the timer's highest bit. */
  private readonly halfRange: number;

  constructor(
    private readonly options: AcpiPmOptions,
    state: AcpiPmState = initialAcpiPmState(),
  ) {
    this.state = state;
    this.halfRange = 2 ** ((options.timerBits ?? PM_TIMER.bits) - 1);
    this.alarm = new Alarm(options.timers, () => this.update());
    this.eventPorts = {
      name: "ACPI PM1 event",
      readPort: (offset, size) => this.readEvent(offset, size),
      writePort: (offset, size, value) => this.writeEvent(offset, size, value),
    };
    this.controlPorts = {
      name: "ACPI PM1 control",
      readPort: (offset, size) => part(state.control, offset, size),
      writePort: (offset, size, value) => this.writeControl(offset, size, value),
    };
    this.timerPorts = {
      name: "ACPI PM timer",
      readPort: (offset, size) => part(this.timerValue(), offset, size),
      writePort: () => undefined,
    };
    this.generalPorts = {
      name: "ACPI general-purpose events",
      readPort: (offset, size) =>
        part(state.generalStatus | (state.generalEnable << (8 * GENERAL_ENABLE_OFFSET)), offset, size),
      writePort: (offset, size, value) => this.writeGeneral(offset, size, value),
    };
    // What has become due since the state was saved comes by the alarm, in its turn among all timers.
    this.drive();
  }

  /** Presses and releases the power button. The guest decides what happens. */
  pressPowerButton(): void {
    this.state.status |= PM1_STATUS.powerButton;
    this.update();
  }

  /** Sets the status of general-purpose event `event`, which stays until the guest clears it. Throws RangeError where there is none. */
  raise(event: number): void {
    if (!Number.isInteger(event) || event < 0 || event >= GENERAL_EVENT_COUNT)
      throw new RangeError(`general-purpose event ${event}: there are 0 to ${GENERAL_EVENT_COUNT - 1}`);
    this.state.generalStatus |= 1 << event;
    this.update();
  }

  private tick(): number {
    return ticksAt(this.options.clock.now(), PM_TIMER.hz);
  }

  private timerValue(): number {
    return this.tick() % (2 * this.halfRange);
  }

  private readEvent(offset: number, size: AccessSize): number {
    this.update();
    return part(this.state.status | (this.state.enable << 16), offset, size);
  }

  private writeEvent(offset: number, size: AccessSize, value: number): void {
    this.update();
    const { state } = this;
    state.status &= ~(replace(0, offset, size, value) & WORD);
    const enable = replace(state.enable << (8 * PM1_ENABLE_OFFSET), offset, size, value);
    state.enable = (enable >>> (8 * PM1_ENABLE_OFFSET)) & PM1_ENABLE.writable;
    this.update();
  }

  private writeGeneral(offset: number, size: AccessSize, value: number): void {
    const { state } = this;
    state.generalStatus &= ~(replace(0, offset, size, value) & WORD);
    const enable = replace(state.generalEnable << (8 * GENERAL_ENABLE_OFFSET), offset, size, value);
    state.generalEnable = enable >>> (8 * GENERAL_ENABLE_OFFSET);
    this.update();
  }

  /**
   * SLP_EN with the type of S5 switches off. Other sleep states do not exist and no `_Sx` announces them: a guest that asks
   * for one all the same wakes at once, and sees so by WAK_STS, which it waits for (§4.8.3.1.1, §16.3.1).
   */
  private writeControl(offset: number, size: AccessSize, value: number): void {
    const { state } = this;
    const written = replace(state.control, offset, size, value);
    // SCI_EN is read-only without an SMI command port.
    state.control = (written & PM1_CONTROL.readable) | PM1_CONTROL.sciEnable;
    const type = (written >> PM1_CONTROL.sleepTypeShift) & PM1_CONTROL.sleepTypeMask;
    if (!(written & PM1_CONTROL.sleepEnable)) return;
    if (type === SLP_TYP_S5) this.options.power.request({ kind: "off", route: ROUTE.acpiSoftOff });
    else state.status |= PM1_STATUS.wake;
  }

  /** Looks for a change of the timer's highest bit. */
  private update(): void {
    const { state } = this;
    const tick = this.tick();
    if (tick >= this.nextCarry()) state.status |= PM1_STATUS.timer;
    state.timerSeen = tick;
    this.drive();
  }

  /** The tick at which the timer's highest bit changes next, after the one that was seen last. */
  private nextCarry(): number {
    return (Math.floor(this.state.timerSeen / this.halfRange) + 1) * this.halfRange;
  }

  /** Drives the SCI, and arms the next change if it interrupts. */
  private drive(): void {
    const { state } = this;
    const pending = (state.status & state.enable) | (state.generalStatus & state.generalEnable);
    this.options.sci.set(pending !== 0);
    const wanted = state.enable & ~state.status & PM1_STATUS.timer;
    this.alarm.set(wanted ? timeOfTick(this.nextCarry(), PM_TIMER.hz) : undefined);
  }
}
