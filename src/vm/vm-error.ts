/** What goes wrong with a machine that the library's user holds, as one error type. Knows nobody who throws it. */
import type { Diagnosis } from "../diagnose/diagnosis.js";

/**
 * Why: an option, a machine that has ended, a time limit, a guest that does not serve commands, its answer, the status of a command, a file
 * of its, a snapshot, a reader that lags too far behind.
 */
export type VmFault =
  "option" | "ended" | "timeout" | "no-exec" | "guest" | "status" | "file" | "snapshot" | "overrun";

/** What was found where something else was expected, and what it means. */
export interface VmFacts {
  readonly found: string;
  readonly expected: string;
  /** What to do. */
  readonly meaning?: string;
  /** Of a machine that did not come to serve: where it was, and why. */
  readonly diagnosis?: Diagnosis | undefined;
}

/** A machine that cannot do what was asked of it. */
export class VmError extends Error {
  override readonly name = "VmError";
  readonly found: string;
  readonly expected: string;
  readonly meaning: string | undefined;
  readonly diagnosis: Diagnosis | undefined;

  constructor(
    readonly fault: VmFault,
    what: string,
    { found, expected, meaning, diagnosis }: VmFacts,
    options?: ErrorOptions,
  ) {
    const advice = meaning === undefined ? "" : `. ${meaning}`;
    super(`${what}: found ${found}; expected ${expected}${advice}`, options);
    this.found = found;
    this.expected = expected;
    this.meaning = meaning;
    this.diagnosis = diagnosis;
  }
}
