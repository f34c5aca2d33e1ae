/** What goes wrong with a machine that the library's user holds, as one error type. Knows nobody who throws it. */

/**
 * Why: an option, a machine that has ended, a time limit, a guest that does not serve commands, its answer, a file of its, a snapshot, a
 * reader that lags too far behind.
 */
export type VmFault = "option" | "ended" | "timeout" | "no-exec" | "guest" | "file" | "snapshot" | "overrun";

/** What was found where something else was expected, and what it means. */
export interface VmFacts {
  readonly found: string;
  readonly expected: string;
  /** What to do. */
  readonly meaning?: string;
}

/** A machine that cannot do what was asked of it. */
export class VmError extends Error {
  override readonly name = "VmError";
  readonly found: string;
  readonly expected: string;
  readonly meaning: string | undefined;

  constructor(
    readonly fault: VmFault,
    what: string,
    { found, expected, meaning }: VmFacts,
    options?: ErrorOptions,
  ) {
    const advice = meaning === undefined ? "" : `. ${meaning}`;
    super(`${what}: found ${found}; expected ${expected}${advice}`, options);
    this.found = found;
    this.expected = expected;
    this.meaning = meaning;
  }
}
