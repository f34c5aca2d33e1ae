/**
 * Frames on a stream of bytes, each behind a head:
 *
 * ```
 *  0   u32  bytes of the frame behind the head
 *  4   u16  1: a checksum is to be made (start u16 at 8, offset u16 at 10); 2: its checksums were looked at
 *  6   u16  bytes of data that each packet gets, of a segment that is to be cut; otherwise 0
 *  8        12 bytes are the head
 * ```
 */
import { ETHERNET_HEADER, MOST_FRAME, type NetFrame } from "./net-backend.js";

const AT = { LENGTH: 0, FLAGS: 4, SEGMENT: 6, START: 8, OFFSET: 10 } as const;
const HEAD = 12;
const CHECKSUM = 1;
const VERIFIED = 2;

/** A frame as the stream has it. */
export function encodeFrame({ bytes, checksum, verified, segment }: NetFrame): Uint8Array {
  const all = new Uint8Array(HEAD + bytes.length);
  const view = new DataView(all.buffer);
  view.setUint32(AT.LENGTH, bytes.length, true);
  const flags = (checksum === undefined ? 0 : CHECKSUM) | (verified === true ? VERIFIED : 0);
  view.setUint16(AT.FLAGS, flags, true);
  view.setUint16(AT.SEGMENT, segment ?? 0, true);
  view.setUint16(AT.START, checksum?.start ?? 0, true);
  view.setUint16(AT.OFFSET, checksum?.offset ?? 0, true);
  all.set(bytes, HEAD);
  return all;
}

/** Takes a stream apart, however it is cut. Both its ends are ours: one that is wrong is an error of the program. */
export class FrameReader {
  #held: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** More of the stream; the bytes are the reader's. */
  push(bytes: Uint8Array): void {
    const rest = this.#held.subarray(this.#at);
    this.#at = 0;
    if (rest.length === 0) {
      this.#held = bytes;
      return;
    }
    this.#held = new Uint8Array(rest.length + bytes.length);
    this.#held.set(rest);
    this.#held.set(bytes, rest.length);
  }

  /** The next frame; undefined where there is none that is whole. Its bytes are its receiver's. */
  next(): NetFrame | undefined {
    const held = this.#held;
    const start = this.#at + HEAD;
    if (start > held.length) return undefined;
    const view = new DataView(held.buffer, held.byteOffset + this.#at, HEAD);
    const length = view.getUint32(AT.LENGTH, true);
    if (length < ETHERNET_HEADER || length > MOST_FRAME)
      throw new Error(`a frame of ${length} bytes in a stream`);
    if (start + length > held.length) return undefined;
    this.#at = start + length;
    const flags = view.getUint16(AT.FLAGS, true);
    const segment = view.getUint16(AT.SEGMENT, true);
    const checksum = { start: view.getUint16(AT.START, true), offset: view.getUint16(AT.OFFSET, true) };
    return {
      bytes: held.subarray(start, start + length),
      ...((flags & CHECKSUM) !== 0 && { checksum }),
      ...((flags & VERIFIED) !== 0 && { verified: true }),
      ...(segment !== 0 && { segment }),
    };
  }
}
