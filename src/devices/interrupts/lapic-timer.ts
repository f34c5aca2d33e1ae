/**
 * The local APIC's timer: one-shot, periodic and TSC-deadline. Counts are computed from the clock when looked
 * at; one alarm is armed, and only while the timer's LVT entry is unmasked. Knows no other APIC register.
 * Specification: Intel SDM vol. 3A §11.5.4 "APIC Timer".
 */
import { Alarm } from "../time/alarm.js";
import type { Clock, Timers } from "../device.js";
import type { LapicTimerState } from "./lapic-state.js";
import { earliestAfter } from "../time/periodic.js";
import { ticksAt, timeOfTick } from "../time/tick-rate.js";
import { DIVIDE, LVT, LVT_TIMER_MODE } from "../../spec/apic.js";

export interface LapicTimerClock {
  clock: Clock;
  timers: Timers;
  /** Input rate of the timer before its divider, Hz. */
  apicHz: number;
  tscHz: number;
}

export class LapicTimer {
  private readonly alarm: Alarm;

  /** `lvt` reads the timer's LVT entry; `expired` delivers it. `state` may be replaced by its owner. */
  constructor(
    private readonly source: LapicTimerClock,
    private readonly state: () => LapicTimerState,
    private readonly lvt: () => number,
    private readonly expired: () => void,
  ) {
    this.alarm = new Alarm(source.timers, () => this.settle());
  }

  /** Current-count register. */
  currentCount(): number {
    const state = this.state();
    if (!state.running || this.mode() === LVT_TIMER_MODE.tscDeadline) return 0;
    const elapsed = Math.max(0, Math.floor((this.tick() - state.start) / this.divisor()));
    if (elapsed < state.count) return state.count - elapsed;
    if (this.mode() === LVT_TIMER_MODE.oneShot) return 0;
    return state.initial - ((elapsed - state.count) % state.initial);
  }

  /** Writes the initial count: starts the count-down, or stops it with 0. Ignored in TSC-deadline mode. */
  setInitialCount(value: number): void {
    if (this.mode() === LVT_TIMER_MODE.tscDeadline) return;
    const state = this.state();
    state.initial = value;
    state.count = value;
    state.running = value > 0;
    state.start = this.tick();
    state.delivered = state.start;
    this.arm();
  }

  /** Writes the divide configuration; a running count goes on from where it is. */
  setDivide(value: number): void {
    this.settle();
    this.rebase();
    this.state().divide = value & DIVIDE.writable;
    this.arm();
  }

  /** Call around every change of the LVT entry. */
  changeLvt(change: () => void): void {
    this.settle();
    const before = this.mode();
    const wasMasked = this.masked();
    if (before !== LVT_TIMER_MODE.tscDeadline) this.rebase();
    change();
    const state = this.state();
    const after = this.mode();
    const deadline = LVT_TIMER_MODE.tscDeadline;
    if (before !== after && (before === deadline || after === deadline)) this.disarm();
    // What expired while masked is lost.
    if (wasMasked) state.delivered = Math.max(state.delivered, this.tick());
    this.arm();
  }

  /** IA32_TSC_DEADLINE; 0 when disarmed, expired or in another mode. */
  readDeadline(): bigint {
    this.settle();
    const { deadlineLow, deadlineHigh } = this.state();
    return (BigInt(deadlineHigh) << 32n) | BigInt(deadlineLow);
  }

  writeDeadline(value: bigint): void {
    if (this.mode() !== LVT_TIMER_MODE.tscDeadline) return;
    this.putDeadline(value);
    this.settle();
  }

  /** Arms the alarm from the state: after a restore, and after IA32_TSC_ADJUST was written. */
  arm(): void {
    const next = this.masked() ? undefined : this.nextTime();
    this.alarm.set(next);
  }

  /** Delivers what is due by now and arms the rest. */
  settle(): void {
    if (this.mode() === LVT_TIMER_MODE.tscDeadline) this.settleDeadline();
    else this.settleCount();
    this.arm();
  }

  private settleCount(): void {
    const expiry = this.nextExpiry();
    if (this.masked() || expiry === undefined || expiry > this.tick()) return;
    this.state().delivered = expiry;
    this.expired();
  }

  private settleDeadline(): void {
    const time = this.deadlineTime();
    if (time === undefined || time > this.source.clock.now()) return;
    this.putDeadline(0n);
    if (!this.masked()) this.expired();
  }

  private mode(): number {
    return (this.lvt() >> LVT.timerModeShift) & LVT.timerModeMask;
  }

  private masked(): boolean {
    return (this.lvt() & LVT.masked) !== 0;
  }

  private tick(): number {
    return ticksAt(this.source.clock.now(), this.source.apicHz);
  }

  /** 2 to 128, or 1 for the last encoding. */
  private divisor(): number {
    const { divide } = this.state();
    const code = (divide & DIVIDE.low) | (divide & DIVIDE.high ? DIVIDE.low + 1 : 0);
    return 2 ** ((code + 1) % 8);
  }

  /** Starts a new count-down at what is left of the present one, so that mode or divider can change. */
  private rebase(): void {
    const state = this.state();
    if (!state.running) return;
    const left = this.currentCount();
    const tick = this.tick();
    state.start = tick - ((tick - state.start) % this.divisor());
    state.count = left;
    state.running = left > 0;
  }

  private disarm(): void {
    const state = this.state();
    state.running = false;
    state.initial = 0;
    state.count = 0;
    this.putDeadline(0n);
  }

  private putDeadline(value: bigint): void {
    const state = this.state();
    state.deadlineLow = Number(BigInt.asUintN(32, value));
    state.deadlineHigh = Number(value >> 32n);
  }

  private nextTime(): number | undefined {
    if (this.mode() === LVT_TIMER_MODE.tscDeadline) return this.deadlineTime();
    const expiry = this.nextExpiry();
    return expiry === undefined ? undefined : timeOfTick(expiry, this.source.apicHz);
  }

  /** The undivided tick of the next expiry that was not delivered. */
  private nextExpiry(): number | undefined {
    const state = this.state();
    if (!state.running) return undefined;
    const first = state.start + state.count * this.divisor();
    if (this.mode() !== LVT_TIMER_MODE.periodic) return first > state.delivered ? first : undefined;
    const period = state.initial * this.divisor();
    const after = earliestAfter(state.delivered, this.tick(), this.source.apicHz);
    return first + Math.max(0, Math.floor((after - first) / period) + 1) * period;
  }

  /** When the deadline passes, ns since power-on; undefined when disarmed or beyond what a clock can show. */
  private deadlineTime(): number | undefined {
    const { deadlineLow, deadlineHigh } = this.state();
    if (deadlineLow === 0 && deadlineHigh === 0) return undefined;
    const ticks = (BigInt(deadlineHigh) << 32n) | BigInt(deadlineLow);
    if (ticks > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    const time = timeOfTick(Number(ticks), this.source.tscHz);
    return Number.isSafeInteger(time) ? time : undefined;
  }
}
