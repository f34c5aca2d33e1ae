/** Segments of TCP as bytes and as facts. Specification: RFC 9293 §3.1, RFC 7323 §2 (window scale). */
import { checksumOf, sumOf } from "../checksum.js";
import { payloadAt } from "../heads.js";
import { pseudoSum, rightSum, type Route } from "../packet.js";

/** Offsets in a head. */
export const SEGMENT_AT = {
  SOURCE: 0,
  DESTINATION: 2,
  SEQ: 4,
  ACK: 8,
  OFFSET: 12,
  FLAGS: 13,
  WINDOW: 14,
  CHECKSUM: 16,
} as const;
const AT = SEGMENT_AT;
export const TCP_HEADER = 20;
const WORD_BYTES = 4;
const OFFSET_SHIFT = 4;
const ALL = 0xffff;
const OPTION = { END: 0, NOTHING: 1, MSS: 2, SCALE: 3 } as const;
const MSS_BYTES = 4;
const SCALE_BYTES = 3;
/** RFC 7323 §2.3 */
const MOST_SCALE = 14;
const OPTION_HEAD = 2;

export const FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const;

/** A sequence number after `count` more; all are modulo 2^32. */
export function plus(sequence: number, count: number): number {
  return (sequence + count) >>> 0;
}

/** How far `a` is behind `b`: negative where it comes before, which is exact below 2^31. */
export function distance(a: number, b: number): number {
  return (a - b) | 0;
}

export interface Segment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  /** As it stands there, without its scale. */
  readonly window: number;
  readonly data: Uint8Array;
  /** Of a SYN only. */
  readonly mss?: number;
  readonly scale?: number;
}

/** How much of the sequence a segment takes. */
export function lengthOf({ flags, data }: Pick<Segment, "flags" | "data">): number {
  return data.length + ((flags & FLAG.SYN) !== 0 ? 1 : 0) + ((flags & FLAG.FIN) !== 0 ? 1 : 0);
}

function readOptions(bytes: Uint8Array): { mss?: number; scale?: number } {
  const found: { mss?: number; scale?: number } = {};
  for (let at = 0; at < bytes.length;) {
    const kind = bytes[at];
    if (kind === OPTION.END) break;
    if (kind === OPTION.NOTHING) {
      at++;
      continue;
    }
    const length = bytes[at + 1];
    if (!(length >= OPTION_HEAD) || at + length > bytes.length) break;
    if (kind === OPTION.MSS && length === MSS_BYTES) found.mss = (bytes[at + 2] << 8) | bytes[at + 3];
    if (kind === OPTION.SCALE && length === SCALE_BYTES) found.scale = Math.min(bytes[at + 2], MOST_SCALE);
    at += length;
  }
  return found;
}

/** Bytes of a segment's head, by what it says itself: there need not be so many. */
export function headLength(payload: Uint8Array): number {
  return (payload[AT.OFFSET] >> OFFSET_SHIFT) * WORD_BYTES;
}

/** Reads a segment; undefined for what is none. `trusted`: its checksum need not be right. */
export function readSegment(route: Route, payload: Uint8Array, trusted: boolean): Segment | undefined {
  if (payload.length < TCP_HEADER) return undefined;
  const head = headLength(payload);
  if (head < TCP_HEADER || head > payload.length) return undefined;
  if (!trusted && !rightSum(route, payload)) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const flags = payload[AT.FLAGS];
  return {
    sourcePort: view.getUint16(AT.SOURCE),
    destinationPort: view.getUint16(AT.DESTINATION),
    seq: view.getUint32(AT.SEQ),
    ack: view.getUint32(AT.ACK),
    flags,
    window: view.getUint16(AT.WINDOW),
    data: payload.subarray(head),
    ...((flags & FLAG.SYN) !== 0 && readOptions(payload.subarray(TCP_HEADER, head))),
  };
}

/** What a segment to be sent says; `fill` writes its data. */
export interface SegmentToSend extends Omit<Segment, "data"> {
  readonly length: number;
  readonly fill?: (into: Uint8Array) => void;
  /** It is to be cut into packets of so many bytes of data. */
  readonly cut?: number;
}

/** A whole frame with the segment in it, but for the headers before it. */
export function segmentFrame(route: Route, segment: SegmentToSend): Uint8Array {
  const { mss, scale, length } = segment;
  const options = (mss === undefined ? 0 : MSS_BYTES) + (scale === undefined ? 0 : SCALE_BYTES + 1);
  const head = TCP_HEADER + options;
  const at = payloadAt(route.destination);
  const frame = new Uint8Array(at + head + length);
  const bytes = frame.subarray(at);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint16(AT.SOURCE, segment.sourcePort);
  view.setUint16(AT.DESTINATION, segment.destinationPort);
  view.setUint32(AT.SEQ, segment.seq);
  view.setUint32(AT.ACK, segment.ack);
  bytes[AT.OFFSET] = (head / WORD_BYTES) << OFFSET_SHIFT;
  bytes[AT.FLAGS] = segment.flags;
  view.setUint16(AT.WINDOW, segment.window);
  if (mss !== undefined) bytes.set([OPTION.MSS, MSS_BYTES, mss >>> 8, mss & 0xff], TCP_HEADER);
  if (scale !== undefined)
    bytes.set([OPTION.NOTHING, OPTION.SCALE, SCALE_BYTES, scale], TCP_HEADER + options - SCALE_BYTES - 1);
  segment.fill?.(bytes.subarray(head));
  const pseudo = pseudoSum(route, bytes.length);
  // Of one that is to be cut only the pseudo header's: the rest is made behind the cut.
  if (segment.cut === undefined)
    view.setUint16(AT.CHECKSUM, checksumOf(sumOf(bytes, 0, bytes.length, pseudo)));
  else view.setUint16(AT.CHECKSUM, checksumOf(pseudo) ^ ALL);
  return frame;
}

/** What answers a segment that belongs to no connection (RFC 9293 §3.10.7.1); undefined where nothing does. */
export function refusal(segment: Segment): SegmentToSend | undefined {
  const { sourcePort, destinationPort, seq, ack, flags } = segment;
  if ((flags & FLAG.RST) !== 0) return undefined;
  const ends = { sourcePort: destinationPort, destinationPort: sourcePort, window: 0, length: 0 };
  if ((flags & FLAG.ACK) !== 0) return { ...ends, seq: ack, ack: 0, flags: FLAG.RST };
  return { ...ends, seq: 0, ack: plus(seq, lengthOf(segment)), flags: FLAG.RST | FLAG.ACK };
}
