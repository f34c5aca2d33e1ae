/**
 * Guest memory as whoever follows a guest's addresses reaches it: an address out of range is answered with a value, nothing
 * throws and, but for the views, nothing is allocated. Parts get it; an engine's guest memory is one.
 */

/** Addresses are guest-physical, values little-endian, unsigned, of any alignment. */
export interface CheckedMemory {
  /** Whether `[address, +length)` is RAM. */
  contains(address: number, length: number): boolean;
  /**
   * The bytes themselves, to be read: valid until the call from the engine or the machine that asked returns. Undefined where
   * they are not RAM. What is written through it the guest's CPUs need not see: see `writable`.
   */
  view(address: number, length: number): Uint8Array | undefined;
  /**
   * The bytes themselves, to be written before the call that asked returns. All of them count as written now: decoded or compiled
   * code there is dropped, CPUs that watch them wake, their pages are dirty. Undefined where they are not RAM.
   */
  writable(address: number, length: number): Uint8Array | undefined;
  /** -1 where the address is not RAM; so of the other loads. */
  readU8(address: number): number;
  readU16(address: number): number;
  readU32(address: number): number;
  /** As a number: what is above 2^53 is rounded, and stays above it. `readU32` twice is exact. */
  readU64(address: number): number;
  /** Keeps the low 8 bits of `value`, and so on. False, with nothing written, where the address is not RAM. */
  writeU8(address: number, value: number): boolean;
  writeU16(address: number, value: number): boolean;
  writeU32(address: number, value: number): boolean;
  writeU64(address: number, low: number, high: number): boolean;
}
