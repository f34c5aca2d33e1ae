/** Random numbers for guests: every guest that goes on asks for some. */
import { randomBytes } from "./random-bytes.js";

/** At most what a device gives whole. */
const BYTES = 256;

/** What gives a random word of 32 bits, each once; `device` is one of the host's that gives random bytes. */
export function randomWords(device?: string): () => number {
  let words = new Uint32Array();
  let left = 0;
  return () => {
    if (left === 0) {
      words = new Uint32Array(randomBytes(BYTES, device).buffer);
      left = words.length;
    }
    return words[--left];
  };
}
