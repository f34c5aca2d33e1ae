/** Which ranges of a disk there are. */
import { BlockError } from "./block-error.js";

/** Throws BlockError unless `[offset, +length)` is inside `size` bytes. */
export function checkRange(size: number, offset: number, length: number): void {
  const sound = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (sound && offset <= size && length <= size - offset) return;
  throw new BlockError(
    sound ? offset : 0,
    `a range of ${length} bytes at ${offset}`,
    `one inside a disk of ${size} bytes`,
    "The guest, or the image, asks for what is not there.",
  );
}

/** What is thrown where something is written to a disk that is only read. */
export function readOnlyError(offset: number): BlockError {
  return new BlockError(
    offset,
    "a change of a disk that is read only",
    "only reading",
    "Give the disk with rw.",
  );
}
