/**
 * Holds the clocks of a machine to the host's: how far each went, by what a guest read of it, while a known time passed. Knows no
 * machine; it is given readings.
 */
import { PM_TIMER } from "../../spec/acpi-pm.js";
import { PIT_HZ } from "../../spec/i8254.js";
import { APIC_DIVISOR, type ClockReadings } from "./clock-guest.js";

/** What a guest read, and when that was on the host. */
export interface ClockSample {
  /** Host's time, ms: in the middle of what is known of it. */
  readonly at: number;
  /** By how much that may be wrong, ms. */
  readonly slack: number;
  readonly readings: ClockReadings;
}

/** Rates that the guest was told, Hz. */
export interface ToldRates {
  readonly tscHz: number;
  readonly apicHz: number;
}

/** One clock beside the host's. */
export interface ClockVerdict {
  readonly clock: string;
  /** Parts of 1 by which it is fast; below 0, slow. */
  readonly deviation: number;
  /** By how much that may be wrong. */
  readonly uncertainty: number;
  /** "unknown": by what was measured it may be either. */
  readonly verdict: "agrees" | "off" | "unknown";
}

export interface ClockLint {
  /** Host's time between the first reading and the last, s. */
  readonly seconds: number;
  readonly clocks: readonly ClockVerdict[];
  /** How far the real-time clock is ahead of the host's, s; undefined where its second did not change. */
  readonly ahead: number | undefined;
}

/** By what parts of 1 clocks may differ (R3.2). */
export const CLOCK_TOLERANCE = 0.001;

/** The most exact of so many readings begins the measurement, and of as many ends it. */
const CHOSEN_OF = 16;
const MS = 1000;
const DAY_S = 86_400;

interface Counter {
  readonly clock: string;
  readonly hz: number;
  /** A value that it never has, one above its most. */
  readonly range: number;
  /** What it shows, as if it counted up. */
  read(readings: ClockReadings): number;
}

function counters({ tscHz, apicHz }: ToldRates): Counter[] {
  const [pitRange, apicRange, pmRange] = [2 ** 16, 2 ** 32, 2 ** PM_TIMER.shortBits];
  return [
    // Of its 64 bits what is exact as a number is far more than what passes between two readings.
    { clock: "TSC", hz: tscHz, range: 2 ** 48, read: ({ tsc }) => Number(BigInt.asUintN(48, tsc)) },
    {
      clock: "local APIC timer",
      hz: apicHz / APIC_DIVISOR,
      range: apicRange,
      read: ({ apic }) => apicRange - 1 - apic,
    },
    { clock: "PIT", hz: PIT_HZ, range: pitRange, read: ({ pit }) => pitRange - 1 - (pit % pitRange) },
    { clock: "ACPI PM timer", hz: PM_TIMER.hz, range: pmRange, read: ({ pmTimer }) => pmTimer },
  ];
}

function mostExact(samples: readonly ClockSample[]): ClockSample {
  return samples.reduce((best, sample) => (sample.slack < best.slack ? sample : best));
}

function verdictOf(clock: string, passed: number, seconds: number, slackMs: number): ClockVerdict {
  const deviation = passed / seconds - 1;
  const uncertainty = slackMs / MS / seconds;
  const off = Math.abs(deviation);
  const verdict =
    off + uncertainty <= CLOCK_TOLERANCE ? "agrees" : off - uncertainty > CLOCK_TOLERANCE ? "off" : "unknown";
  return { clock, deviation, uncertainty, verdict };
}

/** Ticks between two readings. Whole rounds are as many as come nearest to the time that passed. */
function ticksBetween({ hz, range, read }: Counter, from: ClockSample, to: ClockSample): number {
  const part = (((read(to.readings) - read(from.readings)) % range) + range) % range;
  const expected = (hz * (to.at - from.at)) / MS;
  return part + range * Math.max(0, Math.round((expected - part) / range));
}

interface Edge {
  /** Host's time, ms. */
  readonly at: number;
  readonly slack: number;
  /** The second that began. */
  readonly second: number;
}

/** Where a second of the real-time clock begins, first and last. */
function edges(samples: readonly ClockSample[]): Edge[] {
  const found: Edge[] = [];
  for (let i = 1; i < samples.length; i++) {
    const [before, behind] = [samples[i - 1], samples[i]];
    if (before.readings.rtc === behind.readings.rtc) continue;
    const [from, to] = [before.at - before.slack, behind.at + behind.slack];
    found.push({ at: (from + to) / 2, slack: (to - from) / 2, second: behind.readings.rtc });
  }
  return found;
}

/**
 * Compares clocks with the host's time. `samples`: in order, two or more, less than a quarter of a second apart as a rule;
 * `epochMs`: what the host's calendar showed when its `at` was 0, ms since 1970-01-01 UTC.
 */
export function lintClocks(samples: readonly ClockSample[], rates: ToldRates, epochMs: number): ClockLint {
  const chosen = Math.max(1, Math.min(CHOSEN_OF, samples.length >>> 1));
  const first = mostExact(samples.slice(0, chosen));
  const last = mostExact(samples.slice(-chosen));
  const between = samples.slice(samples.indexOf(first), samples.indexOf(last) + 1);
  const seconds = (last.at - first.at) / MS;
  const clocks = counters(rates).map((counter) => {
    let ticks = 0;
    for (let i = 1; i < between.length; i++) ticks += ticksBetween(counter, between[i - 1], between[i]);
    return verdictOf(counter.clock, ticks / counter.hz, seconds, first.slack + last.slack);
  });
  const turns = edges(samples);
  if (turns.length === 0) return { seconds, clocks, ahead: undefined };
  const [begin, end] = [turns[0], turns[turns.length - 1]];
  if (end !== begin) {
    const passed = (end.second - begin.second + DAY_S) % DAY_S;
    clocks.push(verdictOf("real-time clock", passed, (end.at - begin.at) / MS, begin.slack + end.slack));
  }
  const day = ((epochMs + end.at) / MS) % DAY_S;
  // Nearest, over midnight too.
  const ahead = ((end.second - day + DAY_S * 1.5) % DAY_S) - DAY_S / 2;
  return { seconds, clocks, ahead };
}
