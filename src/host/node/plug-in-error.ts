/** What is wrong with a file that is to be plugged in. */

/** A device or a loader of somebody's own that cannot be used; `file` is as it was given. */
export class PlugInError extends Error {
  override readonly name = "PlugInError";

  constructor(
    readonly file: string,
    readonly found: string,
    readonly expected: string,
    /** What to do. */
    readonly meaning: string,
    options?: { cause?: unknown },
  ) {
    super(`${file}: found ${found}; expected ${expected}. ${meaning}`, options);
  }
}
