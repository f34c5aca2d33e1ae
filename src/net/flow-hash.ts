/**
 * Which flow a frame belongs to, as a small number that is the same in both directions. Whatever the frame says costs at most a wrong
 * number, which only decides where it queues.
 */
import { etherType } from "./heads.js";
import { ETHERTYPE, PROTOCOL } from "./packet.js";
import { ETHERNET_HEADER } from "./net-backend.js";

/** Numbers of flows are below this. */
export const FLOW_SLOTS = 256;

const IPV4 = {
  LENGTH_MASK: 15,
  WORD_BYTES: 4,
  FRAGMENT: 6,
  PIECE_MASK: 0x3fff,
  PROTOCOL: 9,
  SOURCE: 12,
  ADDRESS_BYTES: 4,
} as const;
const IPV6 = { PROTOCOL: 6, SOURCE: 8, ADDRESS_BYTES: 16, HEADER: 40 } as const;
/** Both ports, the sender's first. */
const WITH_PORTS: readonly number[] = [PROTOCOL.TCP, PROTOCOL.UDP];
const PORT_BYTES = 2;
/** FNV-1a */
const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;
const FOLD = 16;
const FOLD_TWICE = 8;

function mix(hash: number, bytes: Uint8Array): number {
  let all = hash;
  for (const byte of bytes) all = Math.imul(all ^ byte, PRIME);
  return all;
}

/**
 * The flow of a frame of IP: its ends' addresses, its protocol, and the ports of TCP and UDP. `fromGuest`: its sender is the guest. Undefined for
 * what is no packet of IP.
 */
export function flowOf(frame: Uint8Array, fromGuest: boolean): number | undefined {
  const type = etherType(frame);
  const packet = frame.subarray(ETHERNET_HEADER);
  const at = type === ETHERTYPE.IPV4 ? IPV4 : type === ETHERTYPE.IPV6 ? IPV6 : undefined;
  if (at === undefined || packet.length < at.SOURCE + 2 * at.ADDRESS_BYTES) return undefined;
  const head = at === IPV4 ? (packet[0] & IPV4.LENGTH_MASK) * IPV4.WORD_BYTES : IPV6.HEADER;
  const piece =
    at === IPV4 && (((packet[IPV4.FRAGMENT] << 8) | packet[IPV4.FRAGMENT + 1]) & IPV4.PIECE_MASK) !== 0;
  const protocol = packet[at.PROTOCOL];
  // Only the first of several pieces has ports: all of them go the same way.
  const ports = WITH_PORTS.includes(protocol) && !piece ? packet.subarray(head, head + 2 * PORT_BYTES) : NONE;
  const ends = [packet.subarray(at.SOURCE, at.SOURCE + 2 * at.ADDRESS_BYTES), ports];
  let hash = mix(BASIS, Uint8Array.of(protocol));
  for (const both of ends) {
    const halves = [both.subarray(0, both.length / 2), both.subarray(both.length / 2)];
    for (const half of fromGuest ? halves : halves.reverse()) hash = mix(hash, half);
  }
  hash ^= hash >>> FOLD;
  return (hash ^ (hash >>> FOLD_TWICE)) & (FLOW_SLOTS - 1);
}

const NONE = new Uint8Array(0);
