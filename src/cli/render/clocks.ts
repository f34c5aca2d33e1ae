/** What was measured of a machine's clocks, for people. */
import { CLOCK_TOLERANCE, type ClockLint, type ClockVerdict } from "../../diagnose/clocks/clock-lint.js";

const PERCENT = 100;
/** Digits of a percentage behind its point. */
const DIGITS = 4;
const NAME_WIDTH = 16;
const WORDS = {
  agrees: "agrees",
  off: "is OFF",
  unknown: "cannot be told by so short a measurement, or on so busy a host",
} as const;

function percent(value: number): string {
  return `${(value * PERCENT).toFixed(DIGITS)} %`;
}

function clockLine({ clock, deviation, uncertainty, verdict }: ClockVerdict): string {
  const sign = deviation < 0 ? "" : "+";
  return `${clock.padEnd(NAME_WIDTH)}  ${sign}${percent(deviation)} ± ${percent(uncertainty)}  ${WORDS[verdict]}`;
}

/** A line for each clock, and one for what the machine believes the time to be. */
export function clockLines({ seconds, clocks, ahead }: ClockLint): string[] {
  const limit = `${CLOCK_TOLERANCE * PERCENT} %`;
  const lines = [
    `Every clock of the machine beside this host's, over ${seconds.toFixed(1)} s; ${limit} is what it may differ by:`,
    ...clocks.map(clockLine),
  ];
  if (ahead !== undefined) {
    const way = ahead < 0 ? "behind" : "ahead of";
    lines.push(`The real-time clock is ${Math.abs(ahead).toFixed(2)} s ${way} this host's.`);
  }
  return lines;
}
