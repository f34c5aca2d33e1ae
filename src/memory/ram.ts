/**
 * From an amount of RAM to the guest-physical ranges it occupies, around the hole for devices below 4 GiB.
 * Does not know what an engine can address; that check is the engine's.
 */
import { HIGH_MEMORY_START, RAM_HOLE, type Span } from "./layout.js";
import { MemoryMapError } from "./memory-error.js";
import { SIZE_1G, SIZE_4K } from "../spec/x86-system.js";

/** Less is no machine: the legacy areas end at 1 MiB and a kernel starts there. */
export const MINIMUM_RAM = 2 * HIGH_MEMORY_START;
/** 512 GiB: what 40 physical address bits hold, halved for devices; far above any host of ours. */
export const MAXIMUM_RAM = 512 * SIZE_1G;

/**
 * Splits `bytes` of RAM into ascending ranges. The size must be a multiple of 4 KiB between `MINIMUM_RAM` and
 * `MAXIMUM_RAM`.
 * @throws MemoryMapError
 */
export function ramRanges(bytes: number): Span[] {
  if (!Number.isSafeInteger(bytes) || bytes < MINIMUM_RAM || bytes > MAXIMUM_RAM || bytes % SIZE_4K !== 0) {
    throw new MemoryMapError(
      0,
      `${bytes} bytes of RAM`,
      `a multiple of 4096 from ${MINIMUM_RAM} (2 MiB) to ${MAXIMUM_RAM} (512 GiB)`,
      "The amount of memory is too small, too large or not a whole number of pages.",
    );
  }
  if (bytes <= RAM_HOLE.start) return [{ start: 0, size: bytes }];
  return [
    { start: 0, size: RAM_HOLE.start },
    { start: RAM_HOLE.start + RAM_HOLE.size, size: bytes - RAM_HOLE.start },
  ];
}
