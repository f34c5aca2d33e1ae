/** Packets of IPv6. Specification: RFC 8200; RFC 5722 and RFC 6946 (pieces). An address is a bigint of 128 bits. */
import { readSix, writeSix } from "../address.js";
import { ETHERNET_HEADER } from "../net-backend.js";
import type { Packet, Piece, Route } from "../packet.js";
import { behindExtensions, EXTENSION, PIECE_HEADER } from "./extensions.js";

export const IPV6_HEADER = 40;
/** Where in an Ethernet frame the payload of a packet without extensions begins. */
export const IPV6_PAYLOAD = ETHERNET_HEADER + IPV6_HEADER;
/** What every link takes (RFC 8200 §5). */
export const LEAST_MTU_6 = 1280;

/** Offsets in a header. */
const AT = { VERSION: 0, LENGTH: 4, NEXT: 6, HOPS: 7, SOURCE: 8, DESTINATION: 24 } as const;
const VERSION_6 = 6;
const VERSION_SHIFT = 4;
const HOPS = 64;
/** Addresses of groups. */
const GROUP_SHIFT = 120n;
const GROUP = 0xffn;

/** Whether an address is that of a group (RFC 4291 §2.7). */
export function isGroupAddress(address: bigint): boolean {
  return address >> GROUP_SHIFT === GROUP;
}

/** Reads a packet, and what extensions it has; undefined for what is none, or is not to be taken. */
export function readIpv6(bytes: Uint8Array): Packet<bigint> | undefined {
  if (bytes.length < IPV6_HEADER || bytes[AT.VERSION] >> VERSION_SHIFT !== VERSION_6) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = IPV6_HEADER + view.getUint16(AT.LENGTH);
  if (end > bytes.length) return undefined;
  const behind = behindExtensions(bytes[AT.NEXT], bytes.subarray(IPV6_HEADER, end), true);
  if (behind === undefined) return undefined;
  const { protocol, payload, piece, pieced } = behind;
  return {
    source: readSix(view, AT.SOURCE),
    destination: readSix(view, AT.DESTINATION),
    protocol,
    hops: bytes[AT.HOPS],
    ...(piece ?? { id: 0, offset: 0, more: false }),
    ...(pieced && { pieced }),
    payload,
    bytes: bytes.subarray(0, end),
  };
}

/** A datagram that was put together of pieces, behind the extensions that were cut with it; undefined as with `readIpv6`. */
export function wholeIpv6(packet: Packet<bigint>): Packet<bigint> | undefined {
  const behind = behindExtensions(packet.protocol, packet.payload, false);
  return behind && { ...packet, protocol: behind.protocol, payload: behind.payload };
}

/** Writes the header of the packet whose payload is the rest of `frame`. */
export function writeIpv6(frame: Uint8Array, { source, destination, protocol, hops }: Route<bigint>): void {
  const bytes = frame.subarray(ETHERNET_HEADER);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(AT.VERSION, 0);
  bytes[AT.VERSION] = VERSION_6 << VERSION_SHIFT;
  view.setUint16(AT.LENGTH, bytes.length - IPV6_HEADER);
  bytes[AT.NEXT] = protocol;
  bytes[AT.HOPS] = hops ?? HOPS;
  writeSix(view, AT.SOURCE, source);
  writeSix(view, AT.DESTINATION, destination);
}

/** Bytes of payload of a piece that others follow, in packets of so many bytes. */
export function pieceBytes(mtu: number): number {
  return Math.floor((mtu - IPV6_HEADER - PIECE_HEADER.BYTES) / PIECE_HEADER.BYTES) * PIECE_HEADER.BYTES;
}

/** A piece as the payload of a packet: its bytes behind the header that says which piece it is; and the packet's route. */
export function asPiece<R extends Route>(
  route: R,
  data: Uint8Array,
  { id, offset, more }: Piece,
): { route: R; payload: Uint8Array } {
  const payload = new Uint8Array(PIECE_HEADER.BYTES + data.length);
  const view = new DataView(payload.buffer);
  payload[PIECE_HEADER.NEXT] = route.protocol;
  view.setUint16(PIECE_HEADER.OFFSET, offset | (more ? PIECE_HEADER.MORE : 0));
  view.setUint32(PIECE_HEADER.ID, id);
  payload.set(data, PIECE_HEADER.BYTES);
  return { route: { ...route, protocol: EXTENSION.PIECE }, payload };
}
