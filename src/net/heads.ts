/** Heads of packets in frames, whichever version of IP they are of. */
import type { Address } from "./address.js";
import { IPV4_HEADER, pieceBytes as pieceBytes4, readIpv4, writeIpv4 } from "./ipv4.js";
import { asPiece, IPV6_HEADER, pieceBytes as pieceBytes6, readIpv6, writeIpv6 } from "./ipv6/packet.js";
import { ETHERNET_HEADER, MOST_PAYLOAD } from "./net-backend.js";
import { ETHERTYPE, type Packet, type Piece, type Route } from "./packet.js";

/** Bytes of the head of a packet from or to an address. */
export function headerBytes(address: Address): number {
  return typeof address === "bigint" ? IPV6_HEADER : IPV4_HEADER;
}

/** Where in a frame the payload of such a packet begins. */
export function payloadAt(address: Address): number {
  return ETHERNET_HEADER + headerBytes(address);
}

/** What a frame says that it is. */
export function etherType(frame: Uint8Array): number {
  return (frame[ETHERTYPE.AT] << 8) | frame[ETHERTYPE.AT + 1];
}

/** The packet in a frame; undefined where there is none. */
export function readPacket(frame: Uint8Array): Packet | undefined {
  const bytes = frame.subarray(ETHERNET_HEADER);
  const type = etherType(frame);
  if (type === ETHERTYPE.IPV6) return readIpv6(bytes);
  return type === ETHERTYPE.IPV4 ? readIpv4(bytes) : undefined;
}

/** Writes what stands in a frame between the addresses of Ethernet and a packet's payload. Throws nothing: both addresses are of one version. */
export function writeHead(frame: Uint8Array, route: Route, piece?: Piece): void {
  const { source, destination } = route;
  const six = typeof source === "bigint" && typeof destination === "bigint";
  const type = six ? ETHERTYPE.IPV6 : ETHERTYPE.IPV4;
  frame[ETHERTYPE.AT] = type >>> 8;
  frame[ETHERTYPE.AT + 1] = type & 0xff;
  if (six) writeIpv6(frame, { ...route, source, destination });
  else writeIpv4(frame, { ...route, source: Number(source), destination: Number(destination) }, piece);
}

/** Room for heads, and a payload behind. */
function inFrame(route: Route, payload: Uint8Array): Uint8Array {
  const at = payloadAt(route.destination);
  const frame = new Uint8Array(at + payload.length);
  frame.set(payload, at);
  return frame;
}

/**
 * A payload as frames whose heads are not yet written, of packets of at most `mtu` bytes: in pieces of one datagram, if it has to be. No
 * frames where no datagram is so long.
 */
export function framesOf(
  route: Route,
  payload: Uint8Array,
  mtu: number,
  id: () => number,
): { frame: Uint8Array; route: Route; piece?: Piece }[] {
  if (headerBytes(route.destination) + payload.length <= mtu)
    return [{ frame: inFrame(route, payload), route }];
  const six = typeof route.destination === "bigint";
  // With IPv4 the head counts.
  if ((six ? 0 : IPV4_HEADER) + payload.length > MOST_PAYLOAD) return [];
  const step = six ? pieceBytes6(mtu) : pieceBytes4(mtu);
  const one = id();
  const frames: { frame: Uint8Array; route: Route; piece?: Piece }[] = [];
  for (let offset = 0; offset < payload.length; offset += step) {
    const data = payload.subarray(offset, offset + step);
    const piece = { id: one, offset, more: offset + step < payload.length };
    if (six) {
      const cut = asPiece(route, data, piece);
      frames.push({ frame: inFrame(route, cut.payload), route: cut.route });
    } else frames.push({ frame: inFrame(route, data), route, piece });
  }
  return frames;
}
