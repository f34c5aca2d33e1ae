/** Why a folder is not shared. */

/** A folder that was asked for cannot be shared. */
export class ShareError extends Error {
  override readonly name = "ShareError";
  constructor(
    /** Its path. */
    readonly folder: string,
    readonly found: string,
    readonly expected: string,
    /** What to do. */
    readonly meaning: string,
  ) {
    super(`share ${folder}: found ${found}; expected ${expected}. ${meaning}`);
  }
}
