/**
 * The MC146818 real-time clock with its CMOS RAM. Time is the RTC's start value plus the machine's clock, so it
 * agrees with every other timer. Knows its registers, a clock, timers and an interrupt line.
 * Specification: Motorola MC146818A data sheet; registers in `spec/mc146818.ts`.
 *
 * Flags are computed when they are looked at; a timer is armed only for an interrupt that is enabled and whose
 * flag is not already set, so a guest that never reads register C costs one timer. Between two events, and within a second,
 * a read computes nothing: what was found before holds until a register is written.
 */
import { bool, list, natural, record, u8, whole } from "../../bytes/shape.js";
import { Alarm } from "./alarm.js";
import type { AccessSize, Clock, InterruptLine, PortDevice, Timers } from "../device.js";
import { fromRegisters, nextAlarm, TIME_REGISTERS, toRegisters } from "./rtc-calendar.js";
import { ticksAt, timeOfTick } from "./tick-rate.js";
import {
  CMOS_SIZE,
  RTC,
  RTC_A,
  RTC_B,
  RTC_C,
  RTC_D,
  RTC_EARLIEST_SECONDS,
  RTC_FIRST_UPDATE_NS,
  RTC_HZ,
  RTC_INDEX,
  RTC_LATEST_SECONDS,
  RTC_UIP_NS,
} from "../../spec/mc146818.js";

const NS_PER_SECOND = 1_000_000_000;

export interface Mc146818State {
  /** Register selected by port 0x70. */
  index: number;
  /** Bit 7 of port 0x70: NMI is masked. */
  nmiMasked: boolean;
  /** All 128 bytes; the time registers in it are current only while register B has SET. */
  cmos: number[];
  /** The time (seconds since 1970) at the clock's `origin` (ns since power-on). */
  baseSeconds: number;
  origin: number;
  /** What the guest's day of the week differs from the calendar's. */
  weekdayShift: number;
  /** Up to when flags were computed, ns since power-on. */
  flagsAt: number;
}

/** State at power-on with the clock at `rtcStart` (seconds since 1970) and `cmos` in the RAM bytes. */
export function initialMc146818State(rtcStart: number, cmos: readonly number[] = []): Mc146818State {
  const bytes = Array.from({ length: CMOS_SIZE }, (_, i) => cmos[i] ?? 0);
  bytes[RTC.a] = RTC_A.dividerNormal | RTC_A.rate1024Hz;
  bytes[RTC.b] = RTC_B.hours24;
  bytes[RTC.c] = 0;
  bytes[RTC.d] = RTC_D.validRam;
  return {
    index: 0,
    nmiMasked: false,
    cmos: bytes,
    baseSeconds: rtcStart,
    origin: 0,
    weekdayShift: 0,
    flagsAt: 0,
  };
}

export const mc146818Shape = record<Mc146818State>({
  index: whole(0, RTC_INDEX.mask),
  nmiMasked: bool,
  cmos: list(u8, CMOS_SIZE),
  baseSeconds: whole(RTC_EARLIEST_SECONDS, RTC_LATEST_SECONDS),
  // The divider may have been let go within the first second.
  origin: whole(-NS_PER_SECOND, Number.MAX_SAFE_INTEGER),
  weekdayShift: whole(0, 6),
  flagsAt: natural,
});

/** What the RESET pin leaves: time and memory, which a battery keeps. Interrupts are off and their flags clear. */
export function resetMc146818(state: Mc146818State): Mc146818State {
  const cmos = [...state.cmos];
  cmos[RTC.b] &= ~(RTC_B.periodicEnable | RTC_B.alarmEnable | RTC_B.updateEnable | RTC_B.squareWave);
  cmos[RTC.c] = 0;
  return { ...state, cmos, index: 0, nmiMasked: false };
}

function isTimeRegister(index: number): boolean {
  return (TIME_REGISTERS as readonly number[]).includes(index);
}

/** A flag that is going to be set, and when, ns since power-on. */
interface FlagEvent {
  readonly flag: number;
  readonly at: number;
}

export class Mc146818 implements PortDevice {
  readonly name = "mc146818 RTC";
  readonly state: Mc146818State;
  private readonly alarm: Alarm;
  /** Events after `flagsAt`, up to the first of which they hold; undefined: not computed. */
  private events: readonly FlagEvent[] | undefined;
  private quietUntil = 0;
  /** The time (seconds since 1970) that the registers show; undefined: they may show another. */
  private shown: number | undefined;

  constructor(
    private readonly clock: Clock,
    timers: Timers,
    private readonly irq: InterruptLine,
    state: Mc146818State,
  ) {
    this.state = state;
    this.alarm = new Alarm(timers, () => this.update());
    // What has become due since the state was saved comes by the alarm, in its turn among all timers.
    this.showInterrupt();
    this.arm();
  }

  /** Whether port 0x70 lets NMIs through. */
  get nmiEnabled(): boolean {
    return !this.state.nmiMasked;
  }

  readPort(offset: number, _size: AccessSize): number {
    // The index register is write-only.
    if (offset === 0) return 0xff;
    const { state } = this;
    this.computeFlags();
    switch (state.index) {
      case RTC.a:
        return this.updating() ? state.cmos[RTC.a] | RTC_A.updateInProgress : state.cmos[RTC.a];
      case RTC.c:
        return this.readC();
      default:
        if (this.runs && isTimeRegister(state.index)) this.latchTime();
        return state.cmos[state.index];
    }
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    const { state } = this;
    if (offset === 0) {
      state.index = value & RTC_INDEX.mask;
      state.nmiMasked = (value & RTC_INDEX.nmiDisabled) !== 0;
      return;
    }
    this.computeFlags();
    this.write(state.index, value);
    this.events = undefined;
    this.shown = undefined;
    this.update();
  }

  private write(index: number, value: number): void {
    const { cmos } = this.state;
    switch (index) {
      case RTC.a:
        this.writeA(value & ~RTC_A.updateInProgress);
        return;
      case RTC.b:
        this.writeB(value);
        return;
      case RTC.c:
      case RTC.d:
        return;
      default:
        if (!isTimeRegister(index) || !this.runs) {
          cmos[index] = value;
          return;
        }
        this.latchTime();
        cmos[index] = value;
        this.adoptTime();
    }
  }

  /** Whether time passes: the divider is not held in reset and SET is clear. */
  private get runs(): boolean {
    return !this.dividerHeld && !(this.state.cmos[RTC.b] & RTC_B.set);
  }

  private get dividerHeld(): boolean {
    return (this.state.cmos[RTC.a] & RTC_A.dividerReset) === RTC_A.dividerReset;
  }

  private writeA(value: number): void {
    const { state } = this;
    const held = this.dividerHeld;
    const ran = this.runs;
    if (ran) this.latchTime();
    state.cmos[RTC.a] = value;
    if (!held || this.dividerHeld) return;
    state.origin = this.clock.now() - (NS_PER_SECOND - RTC_FIRST_UPDATE_NS);
    if (this.runs) this.adoptTime();
  }

  private writeB(value: number): void {
    const { state } = this;
    const ran = this.runs;
    if (ran) this.latchTime();
    // SET going high clears the update interrupt's enable.
    state.cmos[RTC.b] = value & RTC_B.set ? value & ~RTC_B.updateEnable : value;
    if (this.runs && !ran) this.adoptTime();
  }

  private secondsNow(): number {
    return this.state.baseSeconds + Math.floor((this.clock.now() - this.state.origin) / NS_PER_SECOND);
  }

  /** Copies the running time into the registers. */
  private latchTime(): void {
    const { state } = this;
    const seconds = this.secondsNow();
    if (seconds === this.shown) return;
    const registers = toRegisters(seconds, state.cmos[RTC.b], state.weekdayShift);
    for (const [index, value] of registers) state.cmos[index] = value;
    this.shown = seconds;
  }

  /** Lets time run on from the registers, keeping the phase of the second. */
  private adoptTime(): void {
    const { state } = this;
    const { seconds, weekdayShift } = fromRegisters(state.cmos, state.cmos[RTC.b]);
    const passed = Math.floor((this.clock.now() - state.origin) / NS_PER_SECOND);
    state.baseSeconds = seconds;
    state.origin += passed * NS_PER_SECOND;
    state.weekdayShift = weekdayShift;
  }

  private updating(): boolean {
    const { origin } = this.state;
    if (!this.runs) return false;
    const phase = (this.clock.now() - origin) % NS_PER_SECOND;
    return phase >= NS_PER_SECOND - RTC_UIP_NS;
  }

  /** Reading register C clears all flags and lowers the line, before a flag that is due by now raises it again. */
  private readC(): number {
    const value = this.state.cmos[RTC.c];
    this.state.cmos[RTC.c] = 0;
    this.irq.set(false);
    this.update();
    return value;
  }

  /** Ticks of the oscillator between two periodic edges, or undefined while there are none. */
  private periodicTicks(): number | undefined {
    const rate = this.state.cmos[RTC.a] & RTC_A.rateMask;
    if (rate === 0 || this.dividerHeld) return undefined;
    // Rates 1 and 2 are those of 8 and 9, as the 32.768 kHz divider has them.
    return 2 ** ((rate <= 2 ? rate + 7 : rate) - 1);
  }

  /** When each flag is set next, after `flagsAt`. */
  private nextEvents(): readonly FlagEvent[] {
    if (this.events === undefined) {
      this.events = this.findEvents();
      this.quietUntil = Math.min(...this.events.map(({ at }) => at));
    }
    return this.events;
  }

  private findEvents(): FlagEvent[] {
    const { state } = this;
    const events: FlagEvent[] = [];
    const ticks = this.periodicTicks();
    if (ticks !== undefined) {
      const edges = Math.floor(ticksAt(state.flagsAt, RTC_HZ) / ticks);
      events.push({ flag: RTC_C.periodic, at: timeOfTick((edges + 1) * ticks, RTC_HZ) });
    }
    if (!this.runs) return events;
    const second = Math.floor((state.flagsAt - state.origin) / NS_PER_SECOND);
    const timeOf = (seconds: number): number => state.origin + (seconds - state.baseSeconds) * NS_PER_SECOND;
    events.push({ flag: RTC_C.update, at: timeOf(state.baseSeconds + second + 1) });
    const alarm = nextAlarm(state.cmos, state.cmos[RTC.b], state.baseSeconds + second);
    if (alarm !== undefined) events.push({ flag: RTC_C.alarm, at: timeOf(alarm) });
    return events;
  }

  private computeFlags(): void {
    const { state } = this;
    const now = this.clock.now();
    if (now > state.flagsAt) {
      const events = this.nextEvents();
      if (now >= this.quietUntil) {
        for (const { flag, at } of events) if (at <= now) state.cmos[RTC.c] |= flag;
        this.events = undefined;
      }
      state.flagsAt = now;
    }
    this.showInterrupt();
  }

  /** IRQF is the OR of the enabled flags; it drives the line. */
  private showInterrupt(): void {
    const { cmos } = this.state;
    cmos[RTC.c] &= RTC_C.flags;
    const raised = (cmos[RTC.c] & cmos[RTC.b] & RTC_C.flags) !== 0;
    if (raised) cmos[RTC.c] |= RTC_C.interrupt;
    this.irq.set(raised);
  }

  private update(): void {
    this.computeFlags();
    this.arm();
  }

  private arm(): void {
    const { cmos } = this.state;
    const wanted = cmos[RTC.b] & ~cmos[RTC.c] & RTC_C.flags;
    if (cmos[RTC.c] & RTC_C.interrupt || wanted === 0) {
      this.alarm.set(undefined);
      return;
    }
    let next: number | undefined;
    for (const { flag, at } of this.nextEvents()) if (flag & wanted) next = Math.min(next ?? at, at);
    this.alarm.set(next);
  }
}
