/** Files named on the command line. */
import { readWhole } from "../host/node/read-file.js";
import { InputFileError, OutputFileError } from "./failure.js";

/**
 * Reads a whole file; `what` says for people what it was to be: "kernel", "initrd". Throws `InputFileError`, and the
 * signal's reason when it is aborted.
 */
export async function readInput(what: string, path: string, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    return await readWhole(path, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    throw new InputFileError(what, path, cause);
  }
}

/** Where a file really is, when there is one; a link is followed, so that it stays a link. */
async function existing(file: string): Promise<{ place: string; regular: boolean } | undefined> {
  const { realpath, stat } = await import("node:fs/promises");
  try {
    return { place: await realpath(file), regular: (await stat(file)).isFile() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Writes a whole file: under another name beside it first, so that nobody ever finds half of it and an older file stays
 * as it was when something goes wrong. What is no file (a device, a pipe) is written to as it is. Throws
 * `OutputFileError`.
 */
export async function writeOutput(file: string, bytes: Uint8Array): Promise<void> {
  try {
    // Most starts write no file.
    const [{ writeFile }, { replaceFile }] = await Promise.all([
      import("node:fs/promises"),
      import("../guests/cache/atomic-file.js"),
    ]);
    const found = await existing(file);
    if (found === undefined || found.regular) await replaceFile(found?.place ?? file, bytes);
    else await writeFile(file, bytes);
  } catch (cause) {
    throw new OutputFileError("output", file, cause);
  }
}
