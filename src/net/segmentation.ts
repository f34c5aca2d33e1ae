/**
 * A segment that is longer than a packet may be, as the packets that it stands for: for whoever cannot take it whole. Each repeats its
 * heads; only the last one has what stands at the end. Specification: RFC 9293 §3.1.
 */
import { checksumOf, sumOf } from "./checksum.js";
import { etherType, payloadAt, readPacket, writeHead } from "./heads.js";
import { LEAST_SEGMENT, MAC_BYTES, type NetFrame } from "./net-backend.js";
import { PROTOCOL, pseudoSum, type Packet } from "./packet.js";
import { FLAG, headLength, plus, SEGMENT_AT as AT, TCP_HEADER } from "./tcp/segment.js";

/** Tags of VLANs (IEEE 802.1Q) stand before the type, two at most: Linux has its card cut what it tags, too. */
const TAG = { AT: 2 * MAC_BYTES, BYTES: 4, MOST: 8 } as const;
const TAG_TYPES: readonly number[] = [0x8100, 0x88a8];

/** Bytes of a frame's tags. */
export function tagBytes(frame: Uint8Array): number {
  let bytes = 0;
  while (bytes < TAG.MOST && TAG_TYPES.includes(etherType(frame.subarray(bytes)))) bytes += TAG.BYTES;
  return bytes;
}

function withoutTags(frame: Uint8Array, tags: number): Uint8Array {
  if (tags === 0) return frame;
  const bytes = new Uint8Array(Math.max(TAG.AT, frame.length - tags));
  bytes.set(frame.subarray(0, TAG.AT));
  bytes.set(frame.subarray(TAG.AT + tags), TAG.AT);
  return bytes;
}

function withTags(frame: Uint8Array, tags: Uint8Array): Uint8Array {
  if (tags.length === 0) return frame;
  const bytes = new Uint8Array(frame.length + tags.length);
  bytes.set(frame.subarray(0, TAG.AT));
  bytes.set(tags, TAG.AT);
  bytes.set(frame.subarray(TAG.AT), TAG.AT + tags.length);
  return bytes;
}

/** What there is of TCP in a frame that is to be cut. */
interface Cuttable {
  readonly packet: Packet;
  /** Where in the frame TCP's head begins. */
  readonly begin: number;
  /** Bytes of that head. */
  readonly head: number;
}

/** Undefined for what is no segment of TCP right behind the head of its packet. */
function readCuttable(bytes: Uint8Array): Cuttable | undefined {
  const packet = readPacket(bytes);
  if (packet?.protocol !== PROTOCOL.TCP) return undefined;
  const { payload } = packet;
  const begin = payloadAt(packet.destination);
  // What has options before TCP's head nobody of ours sends.
  const plain = payload.byteOffset - bytes.byteOffset === begin && payload.length >= TCP_HEADER;
  const head = plain ? headLength(payload) : 0;
  return head < TCP_HEADER || head > payload.length ? undefined : { packet, begin, head };
}

/** Whether a frame is what it says: none to be cut, or a segment of TCP with its checksum still to be made. Another guest may have sent it. */
export function isSound({ bytes, segment, checksum }: NetFrame): boolean {
  if (segment === undefined) return true;
  const tags = tagBytes(bytes);
  const cuttable = readCuttable(withoutTags(bytes, tags));
  const right = cuttable !== undefined && checksum?.start === cuttable.begin + tags;
  return right && segment >= LEAST_SEGMENT && checksum.offset === AT.CHECKSUM;
}

/** The packets, whose checksums are made; the frame itself where it is none to be cut, nothing where it is not what it says. */
export function cutSegments(frame: NetFrame): NetFrame[] {
  const { segment } = frame;
  if (segment === undefined) return [frame];
  const tagged = tagBytes(frame.bytes);
  const tags = frame.bytes.subarray(TAG.AT, TAG.AT + tagged);
  const bytes = withoutTags(frame.bytes, tagged);
  const cuttable = segment < LEAST_SEGMENT ? undefined : readCuttable(bytes);
  if (cuttable === undefined) return [];
  const { packet, begin, head } = cuttable;
  const { payload } = packet;
  const seq = new DataView(payload.buffer, payload.byteOffset).getUint32(AT.SEQ);
  const packets: NetFrame[] = [];
  for (let at = head; at < payload.length; at += segment) {
    const data = payload.subarray(at, at + segment);
    const one = new Uint8Array(begin + head + data.length);
    one.set(bytes.subarray(0, begin + head));
    one.set(data, begin + head);
    const tcp = one.subarray(begin);
    const view = new DataView(tcp.buffer, tcp.byteOffset);
    view.setUint32(AT.SEQ, plus(seq, at - head));
    if (at + segment < payload.length) tcp[AT.FLAGS] &= ~(FLAG.FIN | FLAG.PSH);
    view.setUint16(AT.CHECKSUM, 0);
    view.setUint16(AT.CHECKSUM, checksumOf(sumOf(tcp, 0, tcp.length, pseudoSum(packet, tcp.length))));
    writeHead(one, packet);
    packets.push({ bytes: withTags(one, tags), verified: true });
  }
  return packets;
}
