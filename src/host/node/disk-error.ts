/** A disk that was asked for cannot be had. */
import { BlockError } from "../../block/block-error.js";
import { ERRNO_WORDS } from "../../spec/errno.js";

export class DiskError extends Error {
  override readonly name = "DiskError";
  constructor(
    /** Its path. */
    readonly file: string,
    /** Where in it, bytes; undefined where it is no single place. */
    readonly offset: number | undefined,
    readonly found: string,
    readonly expected: string,
    /** What to do. */
    readonly meaning: string,
  ) {
    const place = offset === undefined ? "" : `at 0x${offset.toString(16)}: `;
    super(`disk ${file}: ${place}found ${found}; expected ${expected}. ${meaning}`);
  }
}

/** An error of the host's files in plain words. */
export function hostReason(cause: unknown): string {
  const { code = "" } = cause as NodeJS.ErrnoException;
  return ERRNO_WORDS[code] ?? (cause instanceof Error ? cause.message : String(cause));
}

/** What an image says of its damage, or the host of a file, with the disk's name. */
export function namingDisk<T>(file: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (error instanceof DiskError) throw error;
    if (error instanceof BlockError) {
      const { offset, found, expected, advice } = error;
      throw new DiskError(file, offset, found, expected, advice);
    }
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new DiskError(
      file,
      undefined,
      hostReason(error),
      "a file that can be opened",
      "Look at its path and its rights.",
    );
  }
}
