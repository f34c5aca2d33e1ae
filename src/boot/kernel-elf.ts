/**
 * The ELF kernel that an image is or contains, and putting its segments into guest memory. Shared by the loaders
 * that start an unpacked kernel. Unpacking on the host happens only when such a loader is asked (R4.4).
 */
import { hex } from "../bytes/hex.js";
import type { BzImage } from "../formats/bzimage/bzimage.js";
import { decompressPayload } from "../formats/bzimage/payload.js";
import { readElf, type ElfImage } from "../formats/elf/elf.js";
import { loadSegments, type LoadSegment } from "../formats/elf/segments.js";
import { unikernelOf, type Unikernel } from "../formats/elf/unikernel.js";
import { FormatError } from "../formats/format-error.js";
import type { Image } from "../formats/index.js";
import { findMultiboot1 } from "../formats/multiboot1/multiboot1.js";
import { findMultiboot2 } from "../formats/multiboot2/multiboot2.js";
import type { UnpackLimit } from "../formats/unpack-limit.js";
import { HIGH_MEMORY_START } from "../memory/layout.js";
import type { RegionMap } from "../memory/regions.js";
import { FREEBSD_KERNEL_INTERPRETER } from "../spec/arm-elf.js";
import { ET, PT } from "../spec/elf.js";
import { XEN_NOTE_OWNER } from "../spec/xen-notes.js";
import { unikernelAdvice, unikernelEntryCheck } from "../verdicts/index.js";
import type { BootFault } from "./boot-error.js";
import { rangesText } from "./ranges-text.js";

/** An ELF kernel, and where it came from for people. */
export interface KernelElf {
  elf: ElfImage;
  origin: string;
}

/**
 * The image itself if it is ELF, else the payload of a bzImage, unpacked.
 * @param limit bytes that the unpacked kernel may have.
 * Throws FormatError for a payload that is missing, damaged or no ELF file.
 */
export function kernelElf(image: Image, limit: number): KernelElf {
  if (image.format === "elf") return { elf: image, origin: "an ELF file" };
  if (image.format !== "bzimage") throw notElf(image);
  const elf = unpackedElf(image, limit);
  return {
    elf,
    origin: `the ELF kernel unpacked from the bzImage's ${image.payload?.codecName ?? ""} payload`,
  };
}

/** A limit for what is unpacked to be booted. `memory`: of the guest, bytes. */
export function guestLimit(memory: number): UnpackLimit {
  return {
    maxOutput: memory,
    tooLarge:
      "An unpacked kernel must fit into the guest's memory: give it more (-m) if it is that large. If no such kernel is " +
      "expected, the file is made to fill memory.",
  };
}

/** What payloads came to: loaders ask one after the other, and unpacking takes time and memory. */
const unpacked = new WeakMap<BzImage, { limit: number; elf: ElfImage | FormatError }>();

/** The ELF file in a bzImage. Throws FormatError. */
function unpackedElf(image: BzImage, limit: number): ElfImage {
  const known = unpacked.get(image);
  const elf = known?.limit === limit ? known.elf : readPayload(image, limit);
  unpacked.set(image, { limit, elf });
  if (elf instanceof FormatError) throw elf;
  return elf;
}

function readPayload(image: BzImage, limit: number): ElfImage | FormatError {
  try {
    return readElf(decompressPayload(image, guestLimit(limit)));
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

function notElf({ format, summary }: Image): FormatError {
  return new FormatError("ELF", {
    offset: 0,
    found: summary,
    expected: "an ELF kernel, or a bzImage that holds one",
    meaning:
      format === "firmware"
        ? "Firmware is started at its reset vector, by the firmware loader."
        : "This file can only be started by the boot protocol whose header it has.",
  });
}

/** Rules that every ELF kernel must meet whatever its entry. */
export function unsuitableElf({ elf }: KernelElf): BootFault | undefined {
  const { header } = elf;
  if (elf.arch !== "x86-64" && elf.arch !== "i386") {
    return {
      place: { kind: "file", offset: E_MACHINE_OFFSET },
      found: `a file for ${elf.arch}`,
      expected: "x86-64 or i386",
      meaning: "This machine has an x86 CPU.",
    };
  }
  if (header.type !== ET.EXEC && header.type !== ET.DYN) {
    return {
      place: { kind: "file", offset: E_TYPE_OFFSET },
      found: `e_type ${header.type}`,
      expected: "an executable (2 or 3)",
      meaning: "An object file, module or core dump is not a kernel: link it, or give the kernel.",
    };
  }
  return programFault(elf);
}

/**
 * Whether the file says by itself that it is a kernel. FreeBSD's kernels are linked like programs, with an interpreter
 * that nobody has; hobby kernels carry whatever their compiler makes by default.
 */
function isMarkedAsKernel({ bytes, interpreter, notes, pvh }: ElfImage): boolean {
  return (
    pvh !== undefined ||
    interpreter === FREEBSD_KERNEL_INTERPRETER ||
    notes.some(({ name }) => name === XEN_NOTE_OWNER) ||
    hasMultibootHeader(bytes)
  );
}

/** Also one that is damaged: it was meant to be a kernel's. */
function hasMultibootHeader(bytes: Uint8Array): boolean {
  try {
    return findMultiboot2(bytes) !== undefined || findMultiboot1(bytes) !== undefined;
  } catch (error) {
    if (error instanceof FormatError) return true;
    throw error;
  }
}

/**
 * What tells a program from a kernel: it wants to be linked, or has storage for each of its threads, and does not say
 * that it is a kernel.
 */
export function programFault(elf: ElfImage): BootFault | undefined {
  const unikernel = unikernelOf(elf);
  if (unikernel !== undefined) return unikernelFault(elf, unikernel);
  const { segments, interpreter } = elf;
  const telling = segments.find((segment) => segment.type === PT.INTERP || segment.type === PT.TLS);
  if (telling === undefined || isMarkedAsKernel(elf)) return undefined;
  const what = telling.type === PT.INTERP ? `PT_INTERP (${interpreter ?? ""})` : "PT_TLS";
  return {
    place: { kind: "file", offset: telling.headerOffset },
    found: `a program header ${what}`,
    expected: "a kernel, which has none",
    meaning: "This is a program for an operating system; put it into an initrd and boot a kernel with that.",
  };
}

/** A unikernel looks like a program. It is no kernel where it is made for a tender, or for another loader. */
function unikernelFault(elf: ElfImage, unikernel: Unikernel): BootFault | undefined {
  const check = unikernelEntryCheck(unikernel);
  if (check === undefined || elf.pvh !== undefined || hasMultibootHeader(elf.bytes)) return undefined;
  return {
    place: { kind: "file", offset: check.offset },
    found: check.found,
    expected: "a kernel, which this machine can start",
    meaning: `${unikernelAdvice(unikernel)}.`,
  };
}

const E_TYPE_OFFSET = 0x10;
const E_MACHINE_OFFSET = 0x12;
const E_ENTRY_OFFSET = 0x18;

/** What to do about a piece of a kernel that lies in the way; undefined where only its maker knows. */
export function adviceBelow1MiB(start: number): string | undefined {
  if (start >= HIGH_MEMORY_START) return undefined;
  return (
    "Below 1 MiB lie the machine's tables and what is handed over. Most likely the linker put the ELF headers there, " +
    "in a segment of their own pages: link with ld -n, or put the kernel higher."
  );
}

/** Claims and fills every PT_LOAD at its physical address; bss is zero. Returns them. */
export function placeSegments(elf: ElfImage, memory: RegionMap, owner: string): LoadSegment[] {
  const segments = loadSegments(elf);
  for (const { index, paddr, memsz, bytes } of segments) {
    const request = { name: `kernel segment ${index}`, owner, size: memsz, bytes };
    memory.claimAt(paddr, { ...request, whenTaken: adviceBelow1MiB(paddr) });
  }
  return segments;
}

/** The rule that an entry point lies in what is loaded. `offset`: where the file names the entry. */
export function entryFault(elf: ElfImage, entry: bigint, offset = E_ENTRY_OFFSET): BootFault | undefined {
  const segments = loadSegments(elf);
  const inside = segments.some((s) => entry >= BigInt(s.paddr) && entry < BigInt(s.paddr) + BigInt(s.memsz));
  if (inside) return undefined;
  const virtual = segments.some((s) => entry >= s.vaddr && entry < s.vaddr + BigInt(s.memsz));
  const ranges = rangesText(segments.map(({ paddr, memsz }) => ({ start: paddr, size: memsz })));
  return {
    place: { kind: "file", offset },
    found: `entry point ${hex(entry)}${virtual ? ", a virtual address" : ""}`,
    expected:
      segments.length > 0 ? `an address in a loaded segment (physical ${ranges})` : "something to load",
    meaning: virtual
      ? "The kernel expects a boot loader that turns paging on for it: enter it by PVH or Multiboot if it offers one."
      : "The file is no kernel, or was linked without physical addresses.",
  };
}
