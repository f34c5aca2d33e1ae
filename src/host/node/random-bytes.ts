/** Random bytes that nobody can guess, at the cost of what they are made of. */
import { closeSync, openSync, readSync } from "node:fs";

/** The kernel's own, where the system has it. */
const SOURCE = "/dev/urandom";

/** So many of them. Node's `crypto` takes 5 ms to load, so the system is asked itself where it can be. */
export function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  if (!readFrom(SOURCE, bytes)) crypto.getRandomValues(bytes);
  return bytes;
}

/** Whether all of them could be read. */
function readFrom(file: string, into: Uint8Array): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    return readSync(descriptor, into) === into.length;
  } catch {
    return false;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
