/** Checks that several loaders make on an ELF file, and words they share. Knows no loader. */
import { hex } from "../../bytes/hex.js";
import { MULTIBOOT2_HEADER, MULTIBOOT2_SEARCH } from "../../spec/multiboot2.js";
import { FREEBSD_KERNEL_INTERPRETER } from "../../spec/arm-elf.js";
import { EM, ET, PT } from "../../spec/elf.js";
import { SETUP_OFFSET } from "../../spec/linux-boot.js";
import { XEN_NOTE_OWNER } from "../../spec/xen-notes.js";
import { unikernelEntryCheck } from "../unikernels.js";
import type { FailedCheck } from "../verdict.js";
import type { X86File } from "./file.js";
import { loads, type RawElf, type RawSegment } from "./raw-elf.js";

/** Where every monitor's memory ends below 4 GiB at the latest: kernels that want to lie higher find no memory. */
const LOW_MEMORY_END = 0xf000_0000n;

/** A segment that would lie where no machine has memory; undefined when there is none. */
export function segmentOutsideMemory(elf: RawElf): RawSegment | undefined {
  return loads(elf).find(({ paddr, memsz }) => paddr + memsz > LOW_MEMORY_END);
}

/** Its check. */
export function outsideMemoryCheck(elf: RawElf, segment: RawSegment): FailedCheck {
  return {
    offset: segment.headerOffset + elf.layout.phdr.paddr,
    found: `p_paddr ${hex(segment.paddr)} in program header ${segment.index}`,
    expected: "a physical address in the guest's memory",
  };
}

/** Whether a physical address lies in a loaded segment. */
export function isLoaded(elf: RawElf, address: bigint): boolean {
  return loads(elf).some(({ paddr, memsz }) => address >= paddr && address < paddr + memsz);
}

/** e_entry that is not in what is loaded by p_paddr: a virtual address, as a rule. */
export function entryCheck(elf: RawElf): FailedCheck | undefined {
  if (isLoaded(elf, elf.entry)) return undefined;
  return {
    offset: elf.layout.ehdr.entry,
    found: `e_entry ${hex(elf.entry)}`,
    expected: "a physical address in a loaded segment (not checked)",
  };
}

/** e_machine of another CPU. */
export function machineCheck(elf: RawElf, wanted: readonly number[] = [EM.X86_64]): FailedCheck | undefined {
  if (wanted.includes(elf.machine)) return undefined;
  return {
    offset: elf.layout.ehdr.machine,
    found: `e_machine ${elf.machine}`,
    expected: `${wanted.join(" or ")} (not checked)`,
  };
}

/**
 * What tells a program for an operating system from a kernel: it wants to be linked, or has storage for each thread. Unikernels have both,
 * and some are started by others than kernels are.
 */
export function programCheck(file: X86File, elf: RawElf): FailedCheck | undefined {
  if (file.unikernel !== undefined) return unikernelEntryCheck(file.unikernel);
  if (elf.type === ET.DYN && elf.entry === 0n) {
    const found = "e_type DYN and e_entry 0: a shared library";
    return { offset: elf.layout.ehdr.entry, found, expected: "a kernel (not checked)" };
  }
  const telling = elf.segments.find(({ type }) => type === PT.INTERP || type === PT.TLS);
  if (telling === undefined || elf.notes.some(({ name }) => name === XEN_NOTE_OWNER)) return undefined;
  if (file.multiboot !== undefined || multiboot2At(file) !== undefined) return undefined;
  const at = Number(telling.offset < BigInt(elf.view.length) ? telling.offset : 0n);
  if (telling.type === PT.INTERP && elf.view.matches(at, FREEBSD_KERNEL_INTERPRETER)) return undefined;
  const found = `a program header ${telling.type === PT.INTERP ? "PT_INTERP" : "PT_TLS"}: a program for an operating system`;
  return { offset: telling.headerOffset, found, expected: "a kernel (not checked)" };
}

/** Offset of a Multiboot2 header's magic with a right sum; undefined when there is none. */
export function multiboot2At({ view, packedBy }: Pick<X86File, "view" | "packedBy">): number | undefined {
  if (packedBy !== undefined) return undefined;
  const { MAGIC, SIZE, OFFSET } = MULTIBOOT2_HEADER;
  const end = Math.min(MULTIBOOT2_SEARCH, view.length) - SIZE;
  for (let at = 0; at <= end; at += 8) {
    if (view.u32(at) !== MAGIC) continue;
    const sum =
      view.u32(at + OFFSET.ARCHITECTURE) +
      view.u32(at + OFFSET.HEADER_LENGTH) +
      view.u32(at + OFFSET.CHECKSUM);
    if ((MAGIC + sum) >>> 0 === 0) return at;
  }
  return undefined;
}

/** What a kernel made for Multiboot loaders misses where another one enters it at the same address. */
export function multibootEntryCheck(file: X86File, elf: RawElf): FailedCheck | undefined {
  if (file.multiboot === undefined && multiboot2At(file) === undefined) return undefined;
  const wants = elf.bits === 64 ? "32-bit code" : "it wants Multiboot's registers";
  return {
    offset: elf.layout.ehdr.entry,
    found: `e_entry ${hex(elf.entry)} of a Multiboot kernel: ${wants}`,
    expected: "code for this way of starting it (not checked)",
  };
}

/** Code of a bzImage that the file has not all of. */
export function cutCodeCheck({ view, setup }: X86File, syssizeOffset: number): FailedCheck | undefined {
  if (setup === undefined) return undefined;
  const rest = view.length - setup.setupSize;
  if (setup.codeSize < rest + PARAGRAPH) return undefined;
  return {
    offset: syssizeOffset,
    found: `${Math.max(rest, 0)} bytes behind the setup code`,
    expected: `${setup.codeSize} (syssize)`,
  };
}

/** The last 16 bytes may be partly there. */
const PARAGRAPH = 16;

/** Advice for kernels without a PVH entry, by what they are. */
export const PVH_ADVICE =
  "Linux: build it with CONFIG_PVH=y, or give the bzImage; FreeBSD: an amd64 kernel of 12.0 or later has the note";
/** Advice where a bzImage is not taken. */
export const VMLINUX_ADVICE = "Give the ELF kernel inside: locore convert KERNEL --to vmlinux";
/** Advice where only a bzImage is. */
export const BZIMAGE_ADVICE =
  "Give the bzImage (arch/x86/boot/bzImage of the build, /boot/vmlinuz of a system)";
/** Advice for a packed file. */
export const UNPACK_ADVICE = "Unpack it first";

/** Kernels that Linux' boot protocol is only a dress of: no 32-bit entry was promised before 2.10 to what has no payload. */
const LAST_REAL_MODE = 0x0207;

/** Boot programs (iPXE, memdisk, GRUB's lkrn) whose work is done by the setup code with a BIOS. */
export function realModeCheck({ setup }: X86File): FailedCheck | undefined {
  if (setup === undefined || setup.version > LAST_REAL_MODE) return undefined;
  return {
    offset: SETUP_OFFSET.version,
    found: `protocol 2.${String(setup.version & 0xff).padStart(2, "0")} (before 2.08 no payload is named)`,
    expected: "a kernel that does not need its real-mode setup code (not checked)",
  };
}
