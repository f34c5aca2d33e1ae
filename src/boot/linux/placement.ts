/**
 * Where a bzImage's protected-mode code goes and how much memory around it the kernel needs before it can read
 * the memory map.
 *
 * Specification: Linux Documentation/arch/x86/boot.rst, "pref_address", "init_size", "relocatable_kernel".
 */
import { alignUp } from "../../bytes/align.js";
import type { BzImage } from "../../formats/bzimage/bzimage.js";
import { HIGH_MEMORY_START, RAM_HOLE } from "../../memory/layout.js";
import type { RegionMap } from "../../memory/regions.js";
import { BZIMAGE_LOAD_ADDRESS } from "../../spec/linux-boot.js";
import { SIZE_4K } from "../../spec/x86-system.js";

/** Before protocol 2.10 there is no init_size: room for the packed kernel, the unpacked one and its bss. */
const UNKNOWN_INIT_SIZE_FACTOR = 3;

/** Claims the kernel's memory; returns the address its protected-mode code is loaded at. */
export function placeKernel(image: BzImage, memory: RegionMap, owner: string): number {
  const initSize = image.header.init_size || image.kernel.length * UNKNOWN_INIT_SIZE_FACTOR;
  const size = alignUp(Math.max(initSize, image.kernel.length), SIZE_4K);
  return image.relocatable
    ? placeRelocatable(image, memory, owner, size)
    : placeFixed(image, memory, owner, size);
}

/**
 * The runtime start is the load address raised to pref_address and aligned, so the lowest aligned place from
 * pref_address on is where nothing has to be moved.
 */
function placeRelocatable(image: BzImage, memory: RegionMap, owner: string, size: number): number {
  const align = image.header.kernel_alignment;
  const above = Math.max(image.preferredAddress, HIGH_MEMORY_START);
  return memory.claimBySearch(
    { name: "kernel", owner, size, align, bytes: image.kernel },
    { prefer: "lowest", above, below: RAM_HOLE.start },
  ).start;
}

/** Loaded at 1 MiB; the kernel moves itself to pref_address, where init_size bytes must be free. */
function placeFixed(image: BzImage, memory: RegionMap, owner: string, size: number): number {
  const start = BZIMAGE_LOAD_ADDRESS;
  const runtime = image.preferredAddress || start;
  const codeEnd = start + image.kernel.length;
  const claim = { name: "kernel", owner, bytes: image.kernel };
  if (runtime <= codeEnd) {
    memory.claimAt(start, { ...claim, size: Math.max(codeEnd, runtime + size) - start });
  } else {
    memory.claimAt(start, { ...claim, size: image.kernel.length });
    memory.claimAt(runtime, { name: "kernel start-up memory", owner, size });
  }
  return start;
}
