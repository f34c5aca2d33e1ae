/** What goes wrong with the bytes of a disk: a file that is damaged, or a host that refuses. */
import { hex } from "../bytes/hex.js";

/** `offset` is where in the disk or its file it was found. */
export class BlockError extends Error {
  override readonly name = "BlockError";
  constructor(
    readonly offset: number,
    readonly found: string,
    readonly expected: string,
    readonly advice: string,
  ) {
    super(`at ${hex(offset)}: found ${found}; expected ${expected}. ${advice}`);
  }
}
