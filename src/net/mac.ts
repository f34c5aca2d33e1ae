/** Addresses of Ethernet, as text and as bytes. */
import { MAC_BYTES } from "./net-backend.js";

const HEX = 16;
const PAIRS = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i;
/** The bit of the first byte that a group of stations has. */
const GROUP = 1;

/** Six pairs of hexadecimal digits with colons or dashes between them; undefined for anything else, or for a group's address. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!PAIRS.test(text)) return undefined;
  const mac = Uint8Array.from(text.split(/[:-]/), (pair) => parseInt(pair, HEX));
  return isGroup(mac) || mac.every((byte) => byte === 0) ? undefined : mac;
}

/** An address as people write it: pairs of hexadecimal digits with colons between. */
export function macText(mac: Uint8Array): string {
  return Array.from(mac.subarray(0, MAC_BYTES), (byte) => byte.toString(HEX).padStart(2, "0")).join(":");
}

/** Whether the address that `bytes` begin with is one of several stations. */
export function isGroup(bytes: Uint8Array): boolean {
  return (bytes[0] & GROUP) !== 0;
}

/** Whether the addresses that both begin with are the same. */
export function sameMac(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < MAC_BYTES; i++) if (a[i] !== b[i]) return false;
  return true;
}

export const BROADCAST_MAC = new Uint8Array(MAC_BYTES).fill(0xff);

const LAST_BITS = 0xffff_ffffn;

/** By which address of Ethernet a group of IPv6 is sent to (RFC 2464 §7). */
export function groupMac(group: bigint): Uint8Array {
  const mac = Uint8Array.of(0x33, 0x33, 0, 0, 0, 0);
  new DataView(mac.buffer).setUint32(2, Number(group & LAST_BITS));
  return mac;
}
