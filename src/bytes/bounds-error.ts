/**
 * The error of the bytes layer: an access outside the bytes there are. Knows no format; `formats/` and `codecs/`
 * translate it into errors that say what the access was for.
 */
import { hex } from "./hex.js";

/** An access outside a view. `offset` counts from the start of the outermost bytes (a file offset, as a rule). */
export class BoundsError extends RangeError {
  override readonly name = "BoundsError";

  constructor(
    /** First byte wanted, absolute. */
    readonly offset: number,
    /** How many bytes were wanted. */
    readonly wanted: number,
    /** Where the bytes end, absolute. */
    readonly end: number,
  ) {
    super(`${wanted} byte(s) wanted at offset ${hex(offset)}, but the bytes end at ${hex(end)}`);
  }
}
