/**
 * Frames on a stream of bytes as QEMU's `-netdev stream` and passt have them: each behind its length, 4 bytes, the highest first. Such a
 * stream says nothing of checksums or segments: what is sent on it is whole.
 *
 * Sources: QEMU's net/stream.c; passt(1), "--socket".
 */
import { completeChecksum } from "./checksum.js";
import { ETHERNET_HEADER, MOST_FRAME, type NetFrame } from "./net-backend.js";
import { cutSegments } from "./segmentation.js";

const HEAD = 4;

/** The frame as somebody takes it who knows of frames only: packets no longer than the card's, with their checksums. */
export function plainFrames(frame: NetFrame): Uint8Array[] {
  if (frame.segment !== undefined) return cutSegments(frame).map(({ bytes }) => bytes);
  return [completeChecksum(frame).bytes];
}

/** A frame as the stream has it. */
export function wireFrame(frame: Uint8Array): Uint8Array {
  const all = new Uint8Array(HEAD + frame.length);
  new DataView(all.buffer).setUint32(0, frame.length);
  all.set(frame, HEAD);
  return all;
}

/** The peer's stream is none of frames. */
export class WireError extends Error {
  override readonly name = "WireError";
  constructor(length: number) {
    super(
      `a frame of ${length} bytes; expected at most ${MOST_FRAME}, behind a length of 4 bytes as QEMU and passt send it`,
    );
  }
}

/** Takes a stream apart, however it is cut. It holds one frame at most besides what it was given. */
export class WireReader {
  #given: Uint8Array = new Uint8Array(0);
  readonly #head = new Uint8Array(HEAD);
  #headHeld = 0;
  #frame: Uint8Array | undefined;
  #held = 0;

  /** More of the stream, once `next` has found no more frames; the bytes are the reader's. */
  push(bytes: Uint8Array): void {
    this.#given = bytes;
  }

  /** The next frame, its bytes its receiver's; undefined where there is none that is whole. What is too short to be one is left out. Throws WireError. */
  next(): Uint8Array | undefined {
    while (this.#given.length > 0) {
      this.#frame ??= this.#begun();
      if (this.#frame === undefined) return undefined;
      this.#held += this.#move(this.#frame, this.#held);
      if (this.#held < this.#frame.length) return undefined;
      const frame = this.#frame;
      this.#frame = undefined;
      if (frame.length >= ETHERNET_HEADER) return frame;
    }
    return undefined;
  }

  /** Room for the frame whose head is there. */
  #begun(): Uint8Array | undefined {
    this.#headHeld += this.#move(this.#head, this.#headHeld);
    if (this.#headHeld < HEAD) return undefined;
    const length = new DataView(this.#head.buffer).getUint32(0);
    if (length > MOST_FRAME) throw new WireError(length);
    this.#headHeld = this.#held = 0;
    return new Uint8Array(length);
  }

  /** Moves what there is of what is missing in `into`. */
  #move(into: Uint8Array, held: number): number {
    const some = this.#given.subarray(0, into.length - held);
    into.set(some, held);
    this.#given = this.#given.subarray(some.length);
    return some.length;
  }
}
