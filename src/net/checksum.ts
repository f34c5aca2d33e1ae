/** The Internet checksum: the complement of the sum of 16-bit words in one's complement. Specification: RFC 1071, RFC 1624. */
import type { NetFrame } from "./net-backend.js";

const WORD = 0xffff;
const WORD_BITS = 16;
const BYTE_BITS = 8;
/** So many words of 16 bits are added before the sum would leave 32 bits. */
const WORDS_AT_ONCE = 32768;

/** Adds the carries: a sum of 16 bits. */
function folded(sum: number): number {
  let rest = sum;
  while (rest > WORD) rest = (rest & WORD) + Math.floor(rest / (WORD + 1));
  return rest;
}

/** The sum, no complement yet, of bytes `from` to `end`, beginning with `initial`; an odd byte at the end has a zero behind it. */
export function sumOf(bytes: Uint8Array, from: number, end: number, initial = 0): number {
  let sum = initial;
  let at = from;
  while (at + 1 < end) {
    const stop = Math.min(end - 1, at + 2 * WORDS_AT_ONCE);
    let part = 0;
    for (; at < stop; at += 2) part += (bytes[at] << BYTE_BITS) | bytes[at + 1];
    sum = folded(sum + part);
  }
  if (at < end) sum = folded(sum + (bytes[at] << BYTE_BITS));
  return sum;
}

/** What goes into a header for a sum. */
export function checksumOf(sum: number): number {
  return folded(sum) ^ WORD;
}

/** Makes the checksum of a frame that has none yet; gives a frame that needs none, over the same bytes. */
export function completeChecksum(frame: NetFrame): NetFrame {
  const { bytes, checksum } = frame;
  if (checksum === undefined) return frame;
  const at = checksum.start + checksum.offset;
  const sum = checksumOf(sumOf(bytes, checksum.start, bytes.length)) || WORD;
  bytes[at] = sum >>> BYTE_BITS;
  bytes[at + 1] = sum & (WORD >>> (WORD_BITS - BYTE_BITS));
  const { segment } = frame;
  return { bytes, verified: true, ...(segment !== undefined && { segment }) };
}
