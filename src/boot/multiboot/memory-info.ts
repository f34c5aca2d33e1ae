/**
 * What both versions of Multiboot say of memory: the amounts of lower and upper memory, from the map that the guest
 * is shown.
 *
 * Specification: Multiboot 0.6.96 §3.3 (mem_lower, mem_upper); Multiboot2 2.0 §3.6.3.
 */
import type { E820Entry } from "../../spec/e820.js";
import { LOWER_MEMORY_MAX, UPPER_MEMORY_START } from "../../spec/multiboot1.js";

const KIB = 1024;

/** KiB of memory from 0, at most 640, and from 1 MiB up to the first hole. */
export function memoryAmounts(map: readonly E820Entry[]): { lower: number; upper: number } {
  const endFrom = (start: number): number => {
    const entry = map.find((one) => one.type === "ram" && one.start <= start && start < one.start + one.size);
    return entry === undefined ? start : entry.start + entry.size;
  };
  const lower = Math.min(endFrom(0), LOWER_MEMORY_MAX);
  return {
    lower: Math.floor(lower / KIB),
    upper: Math.floor((endFrom(UPPER_MEMORY_START) - UPPER_MEMORY_START) / KIB),
  };
}
