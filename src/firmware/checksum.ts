/**
 * The checksum of PC firmware tables (ACPI, MP, PIR): all bytes together give zero modulo 256.
 */

/** Sum of `length` bytes from `start`, modulo 256. */
export function byteSum(bytes: Uint8Array, start = 0, length = bytes.length - start): number {
  let sum = 0;
  for (let at = start; at < start + length; at++) sum = (sum + bytes[at]) & 0xff;
  return sum;
}

/** Sets the byte at `checksumOffset` so that `length` bytes from 0 sum to zero. */
export function seal(bytes: Uint8Array, checksumOffset: number, length = bytes.length): void {
  bytes[checksumOffset] = 0;
  bytes[checksumOffset] = -byteSum(bytes, 0, length) & 0xff;
}
