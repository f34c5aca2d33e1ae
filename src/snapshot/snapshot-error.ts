/** What is wrong with a snapshot's file. */
import { hex } from "../bytes/hex.js";

/** A snapshot that cannot be restored: damaged, cut off, newer, or made by nobody's `save`. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
  constructor(
    /** Where in the file, bytes; undefined where it is no single place. */
    readonly offset: number | undefined,
    readonly found: string,
    readonly expected: string,
    /** What it means, and what to do. */
    readonly meaning: string,
  ) {
    super(
      `snapshot: ${offset === undefined ? "" : `at ${hex(offset)}: `}found ${found}; expected ${expected}. ${meaning}`,
    );
  }
}
