/** A network that cannot be had: a port that is taken, a file that cannot be written. */

export class NetError extends Error {
  override readonly name = "NetError";
  constructor(
    /** What it is of: a port that was to be published, a file. */
    readonly what: string,
    readonly found: string,
    readonly expected: string,
    /** What to do. */
    readonly meaning: string,
  ) {
    super(`${what}: found ${found}; expected ${expected}. ${meaning}`);
  }
}
