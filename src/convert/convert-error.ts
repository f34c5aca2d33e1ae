/**
 * The error of a conversion that was asked for in a way that the kernel does not allow; what is wrong with the file
 * itself is a FormatError. Knows no format.
 */

/** An address, or a target, that does not go with this kernel. */
export class ConvertError extends Error {
  override readonly name = "ConvertError";

  constructor(
    /** What was asked for. */
    readonly found: string,
    readonly expected: string,
    /** Why, and what to do. */
    readonly meaning: string,
  ) {
    super(`found ${found}; expected ${expected}. ${meaning}`);
  }
}
