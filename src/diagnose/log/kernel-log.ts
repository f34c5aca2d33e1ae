/** What a kernel wrote to the log that it keeps in its memory, whatever console it has. */

/** One line of a log. */
export interface LogLine {
  /** Seconds on the kernel's own clock; absent where the log has none. */
  seconds?: number;
  /** 0 (emergency) to 7 (debugging); absent where the log has none. */
  level?: number;
  /** Without control characters at its end. */
  text: string;
}

/** A log that was found. */
export interface KernelLog {
  /** What it is: "printk", "FreeBSD msgbuf", … */
  kind: string;
  /** The last lines, oldest first. */
  lines: LogLine[];
}

/** Lines that are kept of a log. */
export const MOST_LINES = 2000;

const STAMP_WIDTH = 12;
const STAMP_DIGITS = 6;

/** "[    0.123456] text", as Linux shows it. */
export function logLineText({ seconds, text }: LogLine): string {
  return seconds === undefined ? text : `[${seconds.toFixed(STAMP_DIGITS).padStart(STAMP_WIDTH)}] ${text}`;
}
