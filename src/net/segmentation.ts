/**
 * A segment that is longer than a packet may be, as the packets that it stands for: for whoever cannot take it whole. Each repeats its
 * heads; only the last one has what stands at the end. Specification: RFC 9293 §3.1.
 */
import { checksumOf, sumOf } from "./checksum.js";
import { payloadAt, readPacket, writeHead } from "./heads.js";
import { PROTOCOL } from "./ipv4.js";
import { LEAST_SEGMENT, type NetFrame } from "./net-backend.js";
import { pseudoSum, type Packet } from "./packet.js";
import { FLAG, headLength, plus, SEGMENT_AT as AT, TCP_HEADER } from "./tcp/segment.js";

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
  const { begin } = readCuttable(bytes) ?? {};
  return segment >= LEAST_SEGMENT && checksum?.start === begin && checksum?.offset === AT.CHECKSUM;
}

/** The packets, whose checksums are made; the frame itself where it is none to be cut, nothing where it is not what it says. */
export function cutSegments(frame: NetFrame): NetFrame[] {
  const { bytes, segment } = frame;
  if (segment === undefined) return [frame];
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
    packets.push({ bytes: one, verified: true });
  }
  return packets;
}
