/**
 * The CMOS bytes that tell old kernels and firmware how much memory and how many CPUs there are, as PC firmware leaves them.
 * Knows no chip; see `spec/mc146818.ts` for the map.
 */
import { CMOS, CMOS_MEMORY, CMOS_SIZE } from "../../spec/mc146818.js";

/**
 * CMOS contents for RAM of `below4G` bytes from address 0 to below the hole and `above4G` bytes from 4 GiB on, and
 * `cpus` CPUs.
 * The clock's own registers are left zero.
 */
export function cmosForMachine(below4G: number, above4G: number, cpus: number): number[] {
  const bytes = new Array<number>(CMOS_SIZE).fill(0);
  const word = (low: number, high: number, value: number): void => {
    bytes[low] = value & 0xff;
    bytes[high] = (value >> 8) & 0xff;
  };
  const { mebibyte, blockBytes, blockLimit, above16M } = CMOS_MEMORY;
  const extendedKib = Math.min(CMOS_MEMORY.extendedKibLimit, Math.max(0, below4G - mebibyte) / 1024);
  const high = Math.min(blockLimit, Math.floor(Math.max(0, below4G - above16M) / blockBytes));
  const above4GBlocks = Math.floor(above4G / blockBytes);
  word(CMOS.baseMemoryLow, CMOS.baseMemoryHigh, CMOS_MEMORY.baseKib);
  word(CMOS.extendedMemoryLow, CMOS.extendedMemoryHigh, extendedKib);
  word(CMOS.extendedMemoryLow2, CMOS.extendedMemoryHigh2, extendedKib);
  word(CMOS.above16MLow, CMOS.above16MHigh, high);
  word(CMOS.above4GLow, CMOS.above4GMiddle, above4GBlocks);
  bytes[CMOS.otherCpus] = Math.min(CMOS_MEMORY.mostCpus, cpus) - 1;
  bytes[CMOS.above4GHigh] = (above4GBlocks >> 16) & 0xff;
  let sum = 0;
  for (let i = CMOS.checksummed.first; i <= CMOS.checksummed.last; i++) sum += bytes[i];
  word(CMOS.checksumLow, CMOS.checksumHigh, sum);
  return bytes;
}
