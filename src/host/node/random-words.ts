/**
 * Random numbers for guests, from the system itself where it has them as a device: what Node has of cryptography takes 8 ms to load,
 * and every guest that goes on asks for some. Source: urandom(4).
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const DEVICE = "/dev/urandom";
/** At most 256 bytes: so many are given whole. */
const WORDS = 64;

/** Fills `words` from a device; false where there is none of this name. */
function fillFrom(device: string, words: Uint32Array): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(device, constants.O_RDONLY);
    return fstatSync(descriptor).isCharacterDevice() && readSync(descriptor, words) === words.byteLength;
  } catch {
    return false;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** What gives a random word of 32 bits, each once. */
export function randomWords(device = DEVICE): () => number {
  const words = new Uint32Array(WORDS);
  let left = 0;
  return () => {
    if (left === 0) {
      if (!fillFrom(device, words)) crypto.getRandomValues(words);
      left = WORDS;
    }
    return words[--left];
  };
}
