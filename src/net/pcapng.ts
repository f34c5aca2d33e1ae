/** Frames as a file that packet analysers read. Specification: draft-ietf-opsawg-pcapng; little-endian, times in nanoseconds. */

const BLOCK = { SECTION: 0x0a0d0d0a, INTERFACE: 1, PACKET: 6 } as const;
const BYTE_ORDER = 0x1a2b3c4d;
const MAJOR = 1;
const ETHERNET = 1;
const OPTION = { END: 0, NAME: 2, FLAGS: 2, RESOLUTION: 9, APPLICATION: 4 } as const;
/** 10^-9 s. */
const NANOSECONDS = 9;
const INBOUND = 1;
const OUTBOUND = 2;
const WORD = 4;
const TWO_32 = 2n ** 32n;
/** Type and length before, and the length again behind. */
const AROUND = 3 * WORD;
const PACKET_HEAD = 5 * WORD;

function padded(length: number): number {
  return Math.ceil(length / WORD) * WORD;
}

function option(code: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(WORD + padded(value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, value.length, true);
  bytes.set(value, WORD);
  return bytes;
}

function block(type: number, pieces: readonly Uint8Array[]): Uint8Array {
  const length = AROUND + pieces.reduce((sum, piece) => sum + padded(piece.length), 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(WORD, length, true);
  let at = 2 * WORD;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += padded(piece.length);
  }
  view.setUint32(at, length, true);
  return bytes;
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * WORD);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => view.setUint32(index * WORD, value, true));
  return bytes;
}

const END = option(OPTION.END, new Uint8Array(0));

/** What a file begins with: who wrote it, and one interface of Ethernet by this name. */
export function pcapngHeader(application: string, name: string): Uint8Array {
  const text = new TextEncoder();
  const section = block(BLOCK.SECTION, [
    // Version 1.0, and a section whose length nobody knows yet.
    words(BYTE_ORDER, MAJOR, 0xffff_ffff, 0xffff_ffff),
    option(OPTION.APPLICATION, text.encode(application)),
    END,
  ]);
  const about = block(BLOCK.INTERFACE, [
    words(ETHERNET, 0),
    option(OPTION.NAME, text.encode(name)),
    option(OPTION.RESOLUTION, Uint8Array.of(NANOSECONDS)),
    END,
  ]);
  const bytes = new Uint8Array(section.length + about.length);
  bytes.set(section);
  bytes.set(about, section.length);
  return bytes;
}

/** One frame, whole. `ns`: since 1970. `toGuest`: which way it goes; seen from the guest's interface. */
export function pcapngPacket(frame: Uint8Array, ns: bigint, toGuest: boolean): Uint8Array {
  const head = words(0, Number(ns / TWO_32), Number(ns % TWO_32), frame.length, frame.length);
  const flags = option(OPTION.FLAGS, words(toGuest ? INBOUND : OUTBOUND));
  return block(BLOCK.PACKET, [head.subarray(0, PACKET_HEAD), frame, flags, END]);
}
