/** A packet of either version of IP, and what TCP and UDP have to know of it. */
import { addressBytes, type Address } from "./address.js";
import { checksumOf, sumOf } from "./checksum.js";

/** What is in a frame of Ethernet, and where that stands. */
export const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806, IPV6: 0x86dd, AT: 12 } as const;
/** What is in a packet. */
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58 } as const;

/** Who sends a packet to whom, and what is in it. Both addresses are of the same version. */
export interface Route<A extends Address = Address> {
  readonly source: A;
  readonly destination: A;
  readonly protocol: number;
  /** How far it may go yet; absent: as far as packets do. */
  readonly hops?: number;
}

export interface Packet<A extends Address = Address> extends Route<A> {
  readonly id: number;
  /** Where in a datagram its payload belongs, bytes, and whether there is more behind. */
  readonly offset: number;
  readonly more: boolean;
  readonly payload: Uint8Array;
  /** It came in pieces, or as a piece that was the whole. */
  readonly pieced?: boolean;
  /** The packet itself, from its header on. */
  readonly bytes: Uint8Array;
}

/** Which piece of a datagram a packet is. */
export interface Piece {
  readonly id: number;
  readonly offset: number;
  readonly more: boolean;
}

/** Of a packet, what an ICMP message about it quotes: with IPv4 the longest header, and some behind it. */
const QUOTED = { four: 80, six: 1232 } as const;

/** A packet to be kept: a copy of what is needed to say that it did not arrive, so that no block of others stays for it. */
export function keptPacket(packet: Packet, payload = new Uint8Array(0)): Packet {
  const quoted = typeof packet.source === "bigint" ? QUOTED.six : QUOTED.four;
  return { ...packet, bytes: packet.bytes.slice(0, quoted), payload };
}

/** The sum of what TCP, UDP and ICMPv6 add to their own bytes before they make a checksum (RFC 9293 §3.1, RFC 8200 §8.1). */
export function pseudoSum({ source, destination, protocol }: Route, length: number): number {
  return addressSum(destination, addressSum(source, protocol + length));
}

/** Whether the checksum within `payload` is right. */
export function rightSum(route: Route, payload: Uint8Array): boolean {
  return checksumOf(sumOf(payload, 0, payload.length, pseudoSum(route, payload.length))) === 0;
}

function addressSum(address: Address, sum: number): number {
  if (typeof address === "number") return sum + (address >>> 16) + (address & 0xffff);
  const bytes = addressBytes(address);
  return sumOf(bytes, 0, bytes.length, sum);
}
