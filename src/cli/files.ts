/** Files named on the command line. */
import { readFile } from "node:fs/promises";
import { FileError } from "./failure.js";

/** Reads a whole file; `what` says for people what it was to be: "kernel", "initrd". Throws `FileError`. */
export async function readInput(what: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new FileError(what, path, cause);
  }
}
