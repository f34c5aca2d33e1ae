/**
 * Where a relocatable Multiboot2 image goes: within its limits, aligned, at the end of memory it prefers; without a
 * preference where it was linked, if that is free.
 *
 * Specification: Multiboot2 2.0, §3.1.13.
 */
import { hex } from "../../bytes/hex.js";
import { RAM_HOLE } from "../../memory/layout.js";
import { MemoryMapError } from "../../memory/memory-error.js";
import type { RegionMap } from "../../memory/regions.js";
import { LOAD_PREFERENCE } from "../../spec/multiboot2.js";
import { BootError } from "../boot-error.js";
import type { KernelImage } from "../multiboot/kernel-image.js";
import type { Relocatable } from "./tags.js";

/** Bytes to add to the image's link addresses. Claims nothing. Throws BootError when there is no such place. */
export function relocationOf(
  memory: RegionMap,
  image: KernelImage,
  wanted: Relocatable,
  owner: string,
): number {
  const { minAddr, maxAddr, align, preference, offset } = wanted;
  const size = image.end - image.start;
  const below = Math.min(maxAddr, RAM_HOLE.start);
  const allowed = image.start >= minAddr && image.end <= below && image.start % align === 0;
  if (preference === LOAD_PREFERENCE.NONE && allowed && isFree(memory, image)) return 0;
  const prefer = preference === LOAD_PREFERENCE.HIGH ? "highest" : "lowest";
  try {
    const request = { name: "kernel", owner, size, align };
    return memory.findPlace(request, { prefer, above: minAddr, below }) - image.start;
  } catch (error) {
    if (!(error instanceof MemoryMapError)) throw error;
    throw new BootError(
      "relocate the kernel",
      {
        place: { kind: "file", offset },
        found: `limits ${hex(minAddr)}–${hex(maxAddr)}, alignment ${hex(align)}, for an image of ${hex(size)} bytes`,
        expected: "that much free memory between them",
        meaning: "The guest has too little memory (-m), or the limits are too narrow.",
      },
      { cause: error },
    );
  }
}

function isFree(memory: RegionMap, { start, end }: KernelImage): boolean {
  return memory.freeGaps(start, end).some((gap) => gap.start === start && gap.size === end - start);
}
