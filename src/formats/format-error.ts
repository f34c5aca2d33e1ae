/**
 * The one error of every format reader: where, what was found, what was expected, what it usually means. Knows
 * no single format. Outer layers add what they were doing; they never reword these facts.
 */
import { BoundsError } from "../bytes/bounds-error.js";
import { hex } from "../bytes/hex.js";

/** The facts of a refusal. */
export interface FormatFault {
  /** File offset of the offending bytes. */
  offset: number;
  found: string;
  expected: string;
  /** What it usually means, and what a person can do about it. */
  meaning: string;
}

/** A file is not what it claims to be, or is something that cannot be used. */
export class FormatError extends Error implements FormatFault {
  override readonly name: string = "FormatError";
  /** The format the reader was reading, as people call it: "bzImage", "ELF". */
  readonly format: string;
  readonly offset: number;
  readonly found: string;
  readonly expected: string;
  readonly meaning: string;

  constructor(format: string, fault: FormatFault, options?: { cause?: unknown }) {
    super(
      `${format}, offset ${hex(fault.offset)}: found ${fault.found}; expected ${fault.expected}. ${fault.meaning}`,
      options,
    );
    this.format = format;
    this.offset = fault.offset;
    this.found = fault.found;
    this.expected = fault.expected;
    this.meaning = fault.meaning;
  }
}

/**
 * Runs a reader's step and turns a BoundsError into a FormatError that says what was being read.
 * @param what what the step reads, for people: "the program header table"
 */
export function reading<T>(format: string, what: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof BoundsError)) throw error;
    throw new FormatError(
      format,
      {
        // Bytes wanted beyond the end have no place in the file: the end is where it goes wrong.
        offset: Math.min(error.offset, error.end),
        found: `the end of the file at ${hex(error.end)}`,
        expected: `${error.wanted} byte(s) of ${what} at ${hex(error.offset)}`,
        meaning: "The file is cut short, or its header points past its end: fetch or build it again.",
      },
      { cause: error },
    );
  }
}
