/** Addresses and packets of IPv4. Specification: RFC 791. An address is a number of 32 bits. */
import { checksumOf, sumOf } from "./checksum.js";
import { ETHERNET_HEADER } from "./net-backend.js";
import type { Packet, Piece, Route } from "./packet.js";

export const IPV4_HEADER = 20;

/** Offsets in a header. */
const AT = {
  VERSION: 0,
  LENGTH: 2,
  ID: 4,
  FRAGMENT: 6,
  TTL: 8,
  PROTOCOL: 9,
  CHECKSUM: 10,
  SOURCE: 12,
  DESTINATION: 16,
} as const;
const VERSION_4 = 4;
const WORD_BYTES = 4;
const FLAG_MORE = 0x2000;
const FLAG_WHOLE = 0x4000;
const OFFSET_MASK = 0x1fff;
const FRAGMENT_UNIT = 8;
const TTL = 64;
const ADDRESS_BITS = 32;
const BYTE_BITS = 8;
const BYTE = 0xff;
const QUAD = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** "10.0.2.15" as a number; undefined for anything else. */
export function parseAddress(text: string): number | undefined {
  const quads = QUAD.exec(text)?.slice(1).map(Number);
  if (quads === undefined || quads.some((quad) => quad > BYTE)) return undefined;
  return quads.reduce((all, quad) => ((all << BYTE_BITS) | quad) >>> 0, 0);
}

/** A mask of so many bits. */
export function maskOf(bits: number): number {
  return bits === 0 ? 0 : (-1 << (ADDRESS_BITS - bits)) >>> 0;
}

/** Reads a packet; undefined for what is none: its header's checksum is wrong, or it says that it is longer than it is. */
export function readIpv4(bytes: Uint8Array): Packet<number> | undefined {
  if (bytes.length < IPV4_HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const head = (bytes[AT.VERSION] & 0xf) * WORD_BYTES;
  const length = view.getUint16(AT.LENGTH);
  if (bytes[AT.VERSION] >> WORD_BYTES !== VERSION_4 || head < IPV4_HEADER || length < head) return undefined;
  if (length > bytes.length || checksumOf(sumOf(bytes, 0, head)) !== 0) return undefined;
  const fragment = view.getUint16(AT.FRAGMENT);
  return {
    source: view.getUint32(AT.SOURCE),
    destination: view.getUint32(AT.DESTINATION),
    protocol: bytes[AT.PROTOCOL],
    id: view.getUint16(AT.ID),
    offset: (fragment & OFFSET_MASK) * FRAGMENT_UNIT,
    more: (fragment & FLAG_MORE) !== 0,
    payload: bytes.subarray(head, length),
    bytes: bytes.subarray(0, length),
  };
}

/** Where in an Ethernet frame the payload of a packet without options begins. */
export const IPV4_PAYLOAD = ETHERNET_HEADER + IPV4_HEADER;

/** Writes the header of the packet whose payload is the rest of `frame`. Without `piece` the packet is whole and stays so. */
export function writeIpv4(
  frame: Uint8Array,
  { source, destination, protocol }: Route<number>,
  piece?: Piece,
): void {
  const bytes = frame.subarray(ETHERNET_HEADER);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  bytes[AT.VERSION] = (VERSION_4 << WORD_BYTES) | (IPV4_HEADER / WORD_BYTES);
  view.setUint16(AT.LENGTH, bytes.length);
  view.setUint16(AT.ID, piece?.id ?? 0);
  const fragment = piece && piece.offset / FRAGMENT_UNIT + (piece.more ? FLAG_MORE : 0);
  view.setUint16(AT.FRAGMENT, fragment ?? FLAG_WHOLE);
  bytes[AT.TTL] = TTL;
  bytes[AT.PROTOCOL] = protocol;
  view.setUint16(AT.CHECKSUM, 0);
  view.setUint32(AT.SOURCE, source);
  view.setUint32(AT.DESTINATION, destination);
  view.setUint16(AT.CHECKSUM, checksumOf(sumOf(bytes, 0, IPV4_HEADER)));
}

/** How many bytes of payload a fragment has that is followed by others, of a network whose packets have `mtu` bytes. */
export function pieceBytes(mtu: number): number {
  return Math.floor((mtu - IPV4_HEADER) / FRAGMENT_UNIT) * FRAGMENT_UNIT;
}
