/**
 * How connections of gdbs cross a channel between the thread that has the sockets and the machine's: each piece behind a head that
 * says whose it is, so that nothing of a connection that has ended is taken for the next one's.
 *
 * ```
 *   0            4      5        8
 *  ┌────────────┬──────┬────────┬───────────┐
 *  │ connection │ kind │ length │ bytes …   │   little-endian
 *  └────────────┴──────┴────────┴───────────┘
 * ```
 */

/** The channel that gdb's bytes cross. */
export const GDB_CHANNEL = "locore.gdb";
/** Bytes of it that may wait each way. */
export const GDB_CHANNEL_BYTES = 2 ** 16;

const KINDS = ["data", "opened", "closed"] as const;

/** Something that happened to a connection, or bytes that went over it. */
export interface GdbFrame {
  connection: number;
  kind: (typeof KINDS)[number];
  /** Of "data" only; otherwise empty. */
  bytes: Uint8Array;
}

const HEAD_BYTES = 8;
const KIND_SHIFT = 24;
const LENGTH_MASK = 0xff_ffff;

/** A frame with its head. At most 16 MiB - 1 of bytes. */
export function encodeGdbFrame({ connection, kind, bytes }: GdbFrame): Uint8Array {
  const all = new Uint8Array(HEAD_BYTES + bytes.length);
  const view = new DataView(all.buffer);
  view.setUint32(0, connection, true);
  view.setUint32(4, ((KINDS.indexOf(kind) << KIND_SHIFT) | bytes.length) >>> 0, true);
  all.set(bytes, HEAD_BYTES);
  return all;
}

/** Puts frames together from what comes in pieces. Only what `encodeGdbFrame` made is read. */
export class GdbFrameReader {
  #held = new Uint8Array(0);

  *push(bytes: Uint8Array): Generator<GdbFrame> {
    const all = new Uint8Array(this.#held.length + bytes.length);
    all.set(this.#held);
    all.set(bytes, this.#held.length);
    const view = new DataView(all.buffer);
    let at = 0;
    while (all.length - at >= HEAD_BYTES) {
      const word = view.getUint32(at + 4, true);
      const end = at + HEAD_BYTES + (word & LENGTH_MASK);
      if (end > all.length) break;
      const kind = KINDS[word >>> KIND_SHIFT];
      const frame = { connection: view.getUint32(at, true), kind, bytes: all.slice(at + HEAD_BYTES, end) };
      at = end;
      this.#held = all.slice(at);
      yield frame;
    }
    this.#held = all.slice(at);
  }
}
