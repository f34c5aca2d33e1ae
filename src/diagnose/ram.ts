/**
 * Guest RAM as a diagnosis reads it: by guest-physical address, never out of range, never written. Whatever a guest left there
 * costs a look-up that finds nothing; no call throws.
 */
import type { CheckedMemory } from "../memory/checked-memory.js";

/** What is needed of guest memory. */
export interface Ram extends Pick<CheckedMemory, "contains" | "view" | "readU8" | "readU16" | "readU32"> {
  readonly ranges: readonly { start: number; size: number }[];
}

/** Bytes looked at in one piece. */
const PIECE = 2 ** 22;
const WORD = 4;
const WORD_BITS = 32n;

/** Calls `look` with RAM in pieces of some MiB, ascending; one that gives true ends it. */
export function eachPiece(ram: Ram, look: (bytes: Uint8Array, start: number) => boolean): boolean {
  for (const { start, size } of ram.ranges) {
    for (let at = 0; at < size; at += PIECE) {
      const bytes = ram.view(start + at, Math.min(PIECE, size - at));
      if (bytes !== undefined && look(bytes, start + at)) return true;
    }
  }
  return false;
}

/** 8 bytes, exactly; undefined where they are not RAM. */
export function readWord64(ram: Ram, address: number): bigint | undefined {
  if (!ram.contains(address, 2 * WORD)) return undefined;
  return BigInt(ram.readU32(address)) | (BigInt(ram.readU32(address + WORD)) << WORD_BITS);
}

/** Text up to a zero byte or `limit`, one character a byte; undefined where it does not begin in RAM. */
export function readText(ram: Ram, address: number, limit: number): string | undefined {
  let text = "";
  for (let at = address; text.length < limit; at++) {
    const byte = ram.readU8(at);
    if (byte < 0) return text === "" ? undefined : text;
    if (byte === 0) return text;
    text += String.fromCharCode(byte);
  }
  return text;
}
