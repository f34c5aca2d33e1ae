/**
 * CRC-32, the one of gzip, xz and the Linux image checksum (RFC 1952 §8; polynomial 0x04c11db7 reflected), eight
 * bytes a step with eight tables.
 */

const POLYNOMIAL = 0xedb88320;
const LANES = 8;
/** Made when it is first needed: few starts need it. */
let made: Int32Array | undefined;

/** CRC-32 of bytes, going on from that of what went before. */
export type Checksum = (bytes: Uint8Array, previous: number) => number;

/** LANES tables of 256 entries, one after the other: entry n of table k is the CRC of byte n and k zeros. */
function makeTable(): Int32Array {
  const table = new Int32Array(256 * LANES);
  for (let n = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[n] = crc;
  }
  for (let i = 256; i < table.length; i++) {
    const previous = table[i - 256];
    table[i] = (previous >>> 8) ^ table[previous & 0xff];
  }
  return table;
}

/** The host's own function, for many bytes. */
let hosts: Checksum | undefined;
/** Bytes from which on the host's function is asked: it may have to be loaded. */
const MANY = 1 << 20;

/** From now on `crc32` has it count what is large: a host's own function is some times as fast as ours. */
export function useHostsCrc32(checksum: Checksum): void {
  hosts = checksum;
}

/**
 * CRC-32 of bytes as an unsigned number.
 * @param previous the CRC of what went before, to continue it
 */
export function crc32(bytes: Uint8Array, previous = 0): number {
  return hosts !== undefined && bytes.length >= MANY ? hosts(bytes, previous) : ownCrc32(bytes, previous);
}

/** The same without the host. */
export function ownCrc32(bytes: Uint8Array, previous: number): number {
  const t = (made ??= makeTable());
  let crc = ~previous;
  let i = 0;
  for (const end = bytes.length - (bytes.length % LANES); i < end; i += LANES) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc =
      t[1792 + (crc & 0xff)] ^
      t[1536 + ((crc >>> 8) & 0xff)] ^
      t[1280 + ((crc >>> 16) & 0xff)] ^
      t[1024 + (crc >>> 24)] ^
      t[768 + bytes[i + 4]] ^
      t[512 + bytes[i + 5]] ^
      t[256 + bytes[i + 6]] ^
      t[bytes[i + 7]];
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
}
