/**
 * Addresses of either version of IP: a number of 32 bits is one of IPv4, a bigint of 128 bits one of IPv6. Whoever keeps flows by their
 * addresses needs no more to tell them apart. Specification: RFC 4632 and RFC 4291 §2.3 (prefixes), RFC 5952 (text).
 */
import { parseAddress } from "./ipv4.js";
import { parseIpv6 } from "./ipv6-text.js";

export type Address = number | bigint;

const BITS = { four: 32, six: 128 } as const;
const BYTE_BITS = 8;
const BYTE = 0xff;
const HEX = 16;
const HALF_BITS = 64n;
const HALF_BYTES = 8;
const SIX_BYTES = 16;
const GROUPS = 8;
/** Zero groups that are left out, at least. */
const LEAST_RUN = 2;

/** An address of IPv6 in the bytes of a message. */
export function readSix(view: DataView, at: number): bigint {
  return (view.getBigUint64(at) << HALF_BITS) | view.getBigUint64(at + HALF_BYTES);
}

/** Writes an address of IPv6 into the bytes of a message. */
export function writeSix(view: DataView, at: number, address: bigint): void {
  view.setBigUint64(at, address >> HALF_BITS);
  view.setBigUint64(at + HALF_BYTES, address);
}

/** An address as bytes, the first one first: 4 or 16. */
export function addressBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(typeof address === "bigint" ? SIX_BYTES : Uint32Array.BYTES_PER_ELEMENT);
  const view = new DataView(bytes.buffer);
  if (typeof address === "bigint") writeSix(view, 0, address);
  else view.setUint32(0, address);
  return bytes;
}

/** "10.0.2.15" or "fd00::1", whose zone is left out; undefined for anything else. */
export function addressOf(text: string): Address | undefined {
  const bytes = text.includes(":") ? parseIpv6(text) : undefined;
  return bytes === undefined ? parseAddress(text) : readSix(new DataView(bytes.buffer), 0);
}

/** An address as people write it. */
export function addressText(address: Address): string {
  if (typeof address === "number") return [24, 16, 8, 0].map((shift) => (address >>> shift) & BYTE).join(".");
  const bytes = addressBytes(address);
  const groups = Array.from({ length: GROUPS }, (_, i) => (bytes[2 * i] << BYTE_BITS) | bytes[2 * i + 1]);
  let [from, length] = [0, 0];
  for (let i = 0; i < GROUPS; i++) {
    let end = i;
    while (groups[end] === 0) end++;
    if (end - i > length) [from, length] = [i, end - i];
  }
  const words = (some: readonly number[]): string => some.map((group) => group.toString(HEX)).join(":");
  if (length < LEAST_RUN) return words(groups);
  return `${words(groups.slice(0, from))}::${words(groups.slice(from + length))}`;
}

/** An address and a port as people write them. */
export function endText(address: Address, port: number): string {
  return typeof address === "bigint"
    ? `[${addressText(address)}]:${port}`
    : `${addressText(address)}:${port}`;
}

/** All addresses of a version whose first `bits` bits are those of `address`. */
export interface Prefix<A extends Address = Address> {
  readonly address: A;
  readonly bits: number;
}

/** "10.0.0.0/8", "fd00::/8", or an address, which is a prefix of all its bits; undefined for anything else. */
export function parsePrefix(text: string): Prefix | undefined {
  const [address, bits, ...more] = text.split("/");
  const parsed = addressOf(address);
  const most = typeof parsed === "bigint" ? BITS.six : BITS.four;
  const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : most + 1;
  if (parsed === undefined || length > most || more.length > 0) return undefined;
  return { address: parsed, bits: length };
}

/** Whether an address begins with the bits of a prefix. */
export function inPrefix(address: Address, { address: base, bits }: Prefix): boolean {
  if (typeof address === "bigint")
    return typeof base === "bigint" && (address ^ base) >> BigInt(BITS.six - bits) === 0n;
  return typeof base === "number" && (bits === 0 || (address ^ base) >>> (BITS.four - bits) === 0);
}
