/**
 * One counter of an 8254 as data, and what its count and output are at a given tick. Knows no clock, no port
 * and no other counter; a tick is a number of input clock pulses since power-on.
 * Specification: Intel 8254 data sheet (231164), "Mode Definitions", "Read Operations".
 *
 * ```
 *            start                     start+N              start+2N
 *   mode 0   ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔   1 is the same from a gate edge
 *   mode 2   ▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▁▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▁▔▔▔
 *   mode 3   ▔▔▔▔▔▔▔▔▔▔▔▔▔▁▁▁▁▁▁▁▁▁▁▁▁▔▔▔▔▔▔▔▔▔▔▔▁▁▁▁▁▁▁▁▁▁▔▔▔
 *   mode 4   ▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▁▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔   5 is the same from a gate edge
 * ```
 */
import { bool, record, refine, whole, type Shape } from "../../bytes/shape.js";
import { PIT_ACCESS, PIT_CONTROL_WORD, PIT_FULL_COUNT, PIT_MODE, PIT_STATUS } from "../../spec/i8254.js";

export interface I8254CounterState {
  mode: number;
  /** Which bytes are read and written, as the control word has it. */
  access: number;
  bcd: boolean;
  gate: boolean;
  /** Length of the count in ticks; 0 while none was written. */
  count: number;
  /** The tick at which `count` began to run, moved on by pauses. */
  start: number;
  /** The count runs (modes 1 and 5: it was triggered). */
  running: boolean;
  /** Ticks that had passed when the gate stopped it. */
  passed: number;
  /** A new count that waits for the end of the period or for a trigger; 0 for none. */
  nextCount: number;
  /** The tick at which `nextCount` takes over (modes 2 and 3). */
  nextStart: number;
  /** First byte of a two-byte write, or -1. */
  lowWritten: number;
  /** The next read of a two-byte read gives the high byte. */
  readHigh: boolean;
  /** Latched count as register value, or -1. */
  latchedCount: number;
  latchedStatus: number;
  /** The count register is not yet in the counter. */
  nullCount: boolean;
}

/** A counter that nothing was written to: undefined on the chip, here idle with its output low. */
export function initialCounterState(gate: boolean): I8254CounterState {
  return {
    mode: PIT_MODE.terminalCount,
    access: PIT_ACCESS.both,
    bcd: false,
    gate,
    count: 0,
    start: 0,
    running: false,
    passed: 0,
    nextCount: 0,
    nextStart: 0,
    lowWritten: -1,
    readHigh: false,
    latchedCount: -1,
    latchedStatus: -1,
    nullCount: true,
  };
}

/** -1 stands for nothing. */
const NOTHING = -1;
const orNothing = (last: number): Shape<number> => whole(NOTHING, last);
const ticks = whole(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

/** A counter that runs has a length, or its periods could not be counted. */
export const i8254CounterShape = refine(
  record<I8254CounterState>({
    mode: whole(PIT_MODE.terminalCount, PIT_MODE.hardwareStrobe),
    access: whole(PIT_ACCESS.low, PIT_ACCESS.both),
    bcd: bool,
    gate: bool,
    count: whole(0, PIT_FULL_COUNT.binary),
    start: ticks,
    running: bool,
    passed: ticks,
    nextCount: whole(0, PIT_FULL_COUNT.binary),
    nextStart: ticks,
    lowWritten: orNothing(0xff),
    readHigh: bool,
    latchedCount: orNothing(0xffff),
    latchedStatus: orNothing(0xff),
    nullCount: bool,
  }),
  ({ running, count }) =>
    running && count === 0
      ? { at: ".running", found: "true", expected: "false, as the count is 0" }
      : undefined,
);

/** Modes that repeat by themselves. */
export function isPeriodic(state: I8254CounterState): boolean {
  return state.mode === PIT_MODE.rateGenerator || state.mode === PIT_MODE.squareWave;
}

/** Modes whose output is low until the count has run out. */
export function staysLow(state: I8254CounterState): boolean {
  return state.mode === PIT_MODE.terminalCount || state.mode === PIT_MODE.hardwareOneShot;
}

function isTriggered(state: I8254CounterState): boolean {
  return state.mode === PIT_MODE.hardwareOneShot || state.mode === PIT_MODE.hardwareStrobe;
}

function fullCount(state: I8254CounterState): number {
  return state.bcd ? PIT_FULL_COUNT.bcd : PIT_FULL_COUNT.binary;
}

function elapsed(state: I8254CounterState, tick: number): number {
  return state.running ? tick - state.start : state.passed;
}

/** Lets a count that waited for the end of a period take over. Call before anything is looked at. */
export function sync(state: I8254CounterState, tick: number): void {
  if (!isPeriodic(state) || state.nextCount === 0 || !state.running || tick < state.nextStart) return;
  load(state, state.nextStart, state.nextCount);
}

function load(state: I8254CounterState, tick: number, count: number): void {
  state.count = count;
  state.start = tick;
  state.passed = 0;
  state.nextCount = 0;
  state.nullCount = false;
}

/** Level of OUT. */
export function output(state: I8254CounterState, tick: number): boolean {
  const { mode, count } = state;
  if (count === 0) return mode !== PIT_MODE.terminalCount;
  const passed = elapsed(state, tick);
  switch (mode) {
    case PIT_MODE.terminalCount:
      return state.lowWritten < 0 && passed >= count;
    case PIT_MODE.hardwareOneShot:
      return !state.running || passed >= count;
    case PIT_MODE.rateGenerator:
      return !state.running || passed % count !== count - 1;
    case PIT_MODE.squareWave:
      return !state.running || passed % count < Math.ceil(count / 2);
    default:
      return !state.running || passed !== count;
  }
}

/** The first tick after `after` at which OUT rises, if nothing is written until then. */
export function nextRise(state: I8254CounterState, after: number): number | undefined {
  if (!state.running) return undefined;
  let rise = state.start + state.count;
  if (isPeriodic(state)) {
    const periods = Math.max(0, Math.floor((after - state.start) / state.count) + 1);
    rise = state.start + periods * state.count;
  } else if (state.mode === PIT_MODE.softwareStrobe || state.mode === PIT_MODE.hardwareStrobe) {
    rise += 1;
  }
  return rise > after ? rise : undefined;
}

/** The counting element, as a number of ticks. */
function currentCount(state: I8254CounterState, tick: number): number {
  const { count, mode } = state;
  if (count === 0) return 0;
  const passed = elapsed(state, tick);
  if (mode === PIT_MODE.rateGenerator) return count - (passed % count);
  if (mode === PIT_MODE.squareWave) {
    const phase = passed % count;
    const half = Math.ceil(count / 2);
    return count - (count % 2) - 2 * (phase < half ? phase : phase - half);
  }
  const full = fullCount(state);
  return (((count - passed) % full) + full) % full;
}

function toBcd(value: number): number {
  let result = 0;
  for (let shift = 0; shift < 16; shift += 4, value = Math.floor(value / 10)) result |= (value % 10) << shift;
  return result;
}

function fromBcd(value: number): number {
  let result = 0;
  for (let shift = 12; shift >= 0; shift -= 4) result = result * 10 + ((value >> shift) & 0xf);
  return result;
}

function registerValue(state: I8254CounterState, tick: number): number {
  const count = currentCount(state, tick) % fullCount(state);
  return state.bcd ? toBcd(count) : count;
}

/** The counter-latch command: holds the count at `tick` until it is read; a held one stays. */
export function latchCount(state: I8254CounterState, tick: number): void {
  if (state.latchedCount < 0) state.latchedCount = registerValue(state, tick);
}

/** The read-back command for status: holds it at `tick` until it is read; a held one stays. */
export function latchStatus(state: I8254CounterState, tick: number): void {
  if (state.latchedStatus >= 0) return;
  state.latchedStatus =
    (output(state, tick) ? PIT_STATUS.output : 0) |
    (state.nullCount ? PIT_STATUS.nullCount : 0) |
    (state.access << PIT_CONTROL_WORD.accessShift) |
    (state.mode << PIT_CONTROL_WORD.modeShift) |
    (state.bcd ? PIT_CONTROL_WORD.bcd : 0);
}

/** Reads the counter's port: a latched status first, then a latched count, then the running count. */
export function readByte(state: I8254CounterState, tick: number): number {
  if (state.latchedStatus >= 0) {
    const status = state.latchedStatus;
    state.latchedStatus = -1;
    return status;
  }
  const value = state.latchedCount >= 0 ? state.latchedCount : registerValue(state, tick);
  const high = state.access === PIT_ACCESS.high || (state.access === PIT_ACCESS.both && state.readHigh);
  const last = state.access !== PIT_ACCESS.both || state.readHigh;
  state.readHigh = state.access === PIT_ACCESS.both && !state.readHigh;
  if (last) state.latchedCount = -1;
  return high ? value >> 8 : value & 0xff;
}

/** A control word for this counter: everything stops until a count is written. */
export function writeControl(state: I8254CounterState, value: number): void {
  const mode = (value >> PIT_CONTROL_WORD.modeShift) & PIT_CONTROL_WORD.modeMask;
  const fresh = initialCounterState(state.gate);
  // Modes 6 and 7 are 2 and 3 with a don't-care bit set.
  fresh.mode = mode > PIT_MODE.hardwareStrobe ? mode - 4 : mode;
  fresh.access = (value >> PIT_CONTROL_WORD.accessShift) & PIT_CONTROL_WORD.accessMask;
  fresh.bcd = (value & PIT_CONTROL_WORD.bcd) !== 0;
  Object.assign(state, fresh);
}

/** Writes one byte of a count. */
export function writeByte(state: I8254CounterState, tick: number, value: number): void {
  switch (state.access) {
    case PIT_ACCESS.low:
      writeCount(state, tick, value);
      return;
    case PIT_ACCESS.high:
      writeCount(state, tick, value << 8);
      return;
    default:
      if (state.lowWritten < 0) {
        state.lowWritten = value;
        if (state.mode === PIT_MODE.terminalCount) pause(state, tick);
        return;
      }
      value = (value << 8) | state.lowWritten;
      state.lowWritten = -1;
      writeCount(state, tick, value);
  }
}

function writeCount(state: I8254CounterState, tick: number, value: number): void {
  const count = (state.bcd ? fromBcd(value) : value) || fullCount(state);
  state.nullCount = true;
  if (isTriggered(state)) {
    state.nextCount = count;
    return;
  }
  if (isPeriodic(state) && state.count > 0) {
    state.nextCount = count;
    const periods = Math.floor(elapsed(state, tick) / state.count) + 1;
    state.nextStart = state.start + periods * state.count;
    return;
  }
  load(state, tick, count);
  state.running = state.gate;
}

function pause(state: I8254CounterState, tick: number): void {
  state.passed = elapsed(state, tick);
  state.running = false;
}

/** Drives GATE: a level in modes 0, 2, 3 and 4, a rising edge in 1, 2, 3 and 5. */
export function setGate(state: I8254CounterState, tick: number, level: boolean): void {
  if (level === state.gate) return;
  state.gate = level;
  if (isTriggered(state)) {
    if (level && (state.nextCount || state.count)) trigger(state, tick);
    return;
  }
  if (state.count === 0) return;
  if (!level) {
    pause(state, tick);
  } else if (isPeriodic(state)) {
    trigger(state, tick);
  } else if (state.lowWritten < 0 || state.mode !== PIT_MODE.terminalCount) {
    state.start = tick - state.passed;
    state.running = true;
  }
}

/** Starts the count, or the one that waited for it, from the beginning. */
function trigger(state: I8254CounterState, tick: number): void {
  load(state, tick, state.nextCount || state.count);
  state.running = true;
}
