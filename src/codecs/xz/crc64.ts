/**
 * CRC-64 of .xz (ECMA-182 polynomial, reflected; .xz file format 1.2.1 §6), four bytes a step. 64-bit values are
 * pairs of 32-bit halves: BigInt would be far too slow.
 */

const POLYNOMIAL_HIGH = 0xc96c5795;
const POLYNOMIAL_LOW = 0xd7870f42;
const LANES = 4;
const { high: HIGH, low: LOW } = makeTables();

/** LANES tables of 256 entries, in halves: entry n of table k is the CRC of byte n and k zeros. */
function makeTables(): { high: Int32Array; low: Int32Array } {
  const high = new Int32Array(256 * LANES);
  const low = new Int32Array(256 * LANES);
  for (let n = 0; n < 256; n++) {
    let [h, l] = [0, n];
    for (let bit = 0; bit < 8; bit++) {
      const odd = (l & 1) !== 0;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (odd) {
        l ^= POLYNOMIAL_LOW;
        h ^= POLYNOMIAL_HIGH;
      }
    }
    high[n] = h;
    low[n] = l;
  }
  for (let i = 256; i < high.length; i++) {
    const byte = low[i - 256] & 0xff;
    low[i] = ((low[i - 256] >>> 8) | (high[i - 256] << 24)) ^ low[byte];
    high[i] = (high[i - 256] >>> 8) ^ high[byte];
  }
  return { high, low };
}

/** The CRC-64 of the bytes, as two unsigned halves. */
export function crc64(bytes: Uint8Array): { high: number; low: number } {
  let high = -1;
  let low = -1;
  let i = 0;
  for (const end = bytes.length - (bytes.length % LANES); i < end; i += LANES) {
    const word = low ^ (bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24));
    const [a, b, c, d] = [
      768 + (word & 0xff),
      512 + ((word >>> 8) & 0xff),
      256 + ((word >>> 16) & 0xff),
      word >>> 24,
    ];
    low = high ^ LOW[a] ^ LOW[b] ^ LOW[c] ^ LOW[d];
    high = HIGH[a] ^ HIGH[b] ^ HIGH[c] ^ HIGH[d];
  }
  for (; i < bytes.length; i++) {
    const index = (low ^ bytes[i]) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ LOW[index];
    high = (high >>> 8) ^ HIGH[index];
  }
  return { high: ~high >>> 0, low: ~low >>> 0 };
}
