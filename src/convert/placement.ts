/**
 * Where a wrapped kernel goes: a fixed physical address, or an offset from the start of memory, which the trampoline
 * learns from where it was loaded. Says why. Knows no file format but ELF's facts.
 *
 * 32-bit: the start of memory is the loaded image's address rounded down to 128 MiB (Linux, arm/booting.rst: the image
 * lies in the first 128 MiB, and memory begins at such a boundary). 64-bit: the 2 MiB boundary that the image was placed
 * at (arm64/booting.rst), near the start of memory.
 */
import { hex } from "../bytes/hex.js";
import { physicalAddresses } from "../formats/elf/arm.js";
import type { ElfImage } from "../formats/elf/elf.js";
import { ARM64_IMAGE_ALIGNMENT, ARM_BASE_ALIGNMENT } from "../spec/arm-boot.js";
import type { ArmKernel } from "./arm-kernel.js";
import { ConvertError } from "./convert-error.js";
import { COPY_UNIT, TREE_ALIGNMENT } from "./wrapper.js";

/** What the caller asks for; nothing: chosen by the file. */
export interface PlacementRequest {
  /** Count from the start of memory. */
  readonly relative?: boolean | undefined;
  /** Physical address for the kernel's lowest byte. */
  readonly at?: number | undefined;
}

/** Where the kernel's first byte (ArmKernel.link) goes. */
export interface Placement {
  readonly kind: "absolute" | "relative";
  /** Physical address, or offset from the start of memory. */
  readonly address: number;
  /** Boundary that memory is taken to begin at, bytes. */
  readonly alignment: number;
  /** Why there, for people: one sentence. */
  readonly reason: string;
}

const ALIGNMENT = { 32: ARM_BASE_ALIGNMENT, 64: ARM64_IMAGE_ALIGNMENT } as const;
/** First address that physical memory does not reach; on 32-bit machines, room is left for what has to move up. */
const PHYSICAL_END = { 32: 2 ** 32 - 2 * TREE_ALIGNMENT, 64: 2 ** 48 } as const;
/** Behind the reason for a fixed place that is a guess. */
const AMBIGUOUS = " (if it is a virtual address, ask for a relative place)";

function relative(kernel: ArmKernel, why: string): Placement {
  const alignment = ALIGNMENT[kernel.bits];
  const address = Number(kernel.link % BigInt(alignment));
  const reason = `${why}; so it goes ${hex(address)} above the start of memory (the address modulo ${alignment / 2 ** 20} MiB)`;
  return { kind: "relative", address, alignment, reason };
}

function absolute(kernel: ArmKernel, address: number, reason: string): Placement {
  return { kind: "absolute", address, alignment: ALIGNMENT[kernel.bits], reason };
}

/** `--at`: the lowest byte there, which must keep its place within a unit of copying. */
function placeAt(kernel: ArmKernel, at: number): Placement {
  const shift = Number(kernel.lowest - kernel.link);
  const end = PHYSICAL_END[kernel.bits];
  if (!Number.isSafeInteger(at) || at < shift || at - shift + kernel.memory > end) {
    throw new ConvertError(
      `the address ${hex(at)} for a kernel of ${hex(kernel.memory)} bytes`,
      `it to end by ${hex(end)}`,
      `There is no physical memory beyond that on a ${kernel.bits}-bit machine: choose a lower address.`,
    );
  }
  if ((at - shift) % COPY_UNIT !== 0) {
    throw new ConvertError(
      `the address ${hex(at)}`,
      `a multiple of ${COPY_UNIT}${shift === 0 ? "" : `, plus ${shift}`}`,
      `The kernel was linked for ${hex(kernel.lowest)}: an address that differs in its low bits would misalign its data.`,
    );
  }
  return absolute(kernel, at - shift, "the address that was asked for");
}

/** Decides. Throws ConvertError for an address that does not go with the kernel. */
export function placeKernel(image: ElfImage, kernel: ArmKernel, request: PlacementRequest): Placement {
  if (request.at !== undefined && request.relative === true) {
    throw new ConvertError(
      "both a physical address and a place relative to the start of memory",
      "one of them",
      "A fixed address does not move with memory: leave one out.",
    );
  }
  if (request.at !== undefined) return placeAt(kernel, request.at);
  if (request.relative === true) return relative(kernel, "it was asked for");
  const { virtual, why } = physicalAddresses(image) ?? { virtual: false, why: "" };
  if (virtual) return relative(kernel, why);
  if (kernel.link + BigInt(kernel.memory) > BigInt(PHYSICAL_END[kernel.bits])) {
    return relative(kernel, `p_paddr ${hex(kernel.lowest)} is too high for physical memory`);
  }
  const doubt = kernel.entrySegment.paddr === kernel.entrySegment.vaddr ? AMBIGUOUS : "";
  return absolute(kernel, Number(kernel.link), `${why}${doubt}`);
}
