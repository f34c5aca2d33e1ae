/** Files named on the command line. */
import { open, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { FileError } from "./failure.js";

/** Reads a whole file; `what` says for people what it was to be: "kernel", "initrd". Throws `FileError`. */
export async function readInput(what: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new FileError(what, path, cause);
  }
}

/**
 * Writes a whole file: under another name beside it first, so that nobody ever finds half of it and an older file stays
 * as it was when something goes wrong. Throws `FileError`.
 */
export async function writeOutput(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.part`);
  try {
    const handle = await open(temporary, "wx");
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new FileError("output", file, cause);
  }
}
