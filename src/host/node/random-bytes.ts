/** Random bytes that nobody can guess, at the cost of what they are made of. Source: urandom(4). */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** The kernel's own, where the system has it. It gives up to 256 bytes whole. */
const DEVICE = "/dev/urandom";

/** So many of them. Node's `crypto` takes 5 ms to load, so the system is asked itself where it can be. */
export function randomBytes(count: number, device = DEVICE): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  if (!readFrom(device, bytes)) crypto.getRandomValues(bytes);
  return bytes;
}

/** Whether all of them could be read, of a device. */
function readFrom(device: string, into: Uint8Array): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(device, constants.O_RDONLY);
    return fstatSync(descriptor).isCharacterDevice() && readSync(descriptor, into) === into.length;
  } catch {
    return false;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
