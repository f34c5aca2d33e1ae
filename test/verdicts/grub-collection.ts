/** Kernels with Multiboot headers, each with one thing that only GRUB minds: its own ELF loader's checks, and its tags. Builds bytes only. */
import { ByteView } from "../../src/bytes/byte-view.js";
import { EI, ELF32, ELF64, EM, ET, type ElfLayout } from "../../src/spec/elf.js";
import { HEADER_TAG_TYPE } from "../../src/spec/multiboot2.js";
import type { ElfParts } from "../support/images.js";
import { multiboot2Kernel, multibootKernel, type Sample } from "./x86-collection.js";

const BASE = 0x20_0000;
const OUTSIDE = 0x70_0000;
/** More than the machine has. */
const FAR = 0x8000_0000;

/** A kernel whose bytes are changed. */
function changed(bytes: Uint8Array, change: (view: ByteView) => void): Uint8Array {
  const copy = Uint8Array.from(bytes);
  change(new ByteView(copy));
  return copy;
}

/** Changes to the first program header, or to the file header. */
function spoilt(name: string, layout: ElfLayout, change: (view: ByteView, phdr: number) => void): Sample {
  const parts: ElfParts = { elfClass: layout === ELF64 ? 64 : 32 };
  const bytes = changed(multibootKernel(parts), (view) => change(view, layout.ehdr.size));
  return { name: `Multiboot, ELF${layout === ELF64 ? 64 : 32}, ${name}`, bytes };
}

function tag(type: number, flags: number, size: number, ...words: number[]): number[] {
  const bytes = new ByteView(new Uint8Array(Math.ceil((8 + words.length * 4) / 8) * 8));
  bytes.setU16(0, type);
  bytes.setU16(2, flags);
  bytes.setU32(4, size);
  words.forEach((value, i) => bytes.setU32(8 + i * 4, value));
  return [...bytes.bytes];
}

const entryOutside = (bytes: Uint8Array): Uint8Array =>
  changed(bytes, (view) => view.setU32(ELF32.ehdr.entry, OUTSIDE));

/** All of them. */
export function grubKernels(): Sample[] {
  const { ENTRY_ADDRESS, ENTRY_ADDRESS_EFI32, INFORMATION_REQUEST, RELOCATABLE } = HEADER_TAG_TYPE;
  const words = [0, 0xffff_ffff, 0x1000, 1];
  return [
    spoilt("EI_CLASS 3", ELF32, (view) => view.setU8(EI.CLASS, 3)),
    spoilt("big-endian", ELF32, (view) => view.setU8(EI.DATA, 2)),
    spoilt("e_machine RISC-V", ELF32, (view) => view.setU16(ELF32.ehdr.machine, EM.RISCV)),
    spoilt("e_machine of the other width", ELF64, (view) => view.setU16(ELF64.ehdr.machine, EM[386])),
    spoilt("e_version 0", ELF32, (view) => view.setU32(ELF32.ehdr.version, 0)),
    spoilt("e_type REL", ELF32, (view) => view.setU16(ELF32.ehdr.type, ET.REL)),
    spoilt("e_type DYN", ELF32, (view) => view.setU16(ELF32.ehdr.type, ET.DYN)),
    spoilt("e_phoff past the window", ELF32, (view) => view.setU32(ELF32.ehdr.phoff, 0x2000)),
    spoilt("p_offset past the end", ELF32, (view, at) => view.setU32(at + ELF32.phdr.offset, OUTSIDE)),
    spoilt("p_filesz past the end", ELF32, (view, at) => {
      view.setU32(at + ELF32.phdr.filesz, OUTSIDE);
      view.setU32(at + ELF32.phdr.memsz, OUTSIDE);
    }),
    spoilt("p_memsz below p_filesz", ELF32, (view, at) => view.setU32(at + ELF32.phdr.memsz, 4)),
    spoilt("p_paddr where there is no memory", ELF32, (view, at) => view.setU32(at + ELF32.phdr.paddr, FAR)),
    spoilt("p_paddr of 4 GiB", ELF64, (view, at) => view.setU64(at + ELF64.phdr.paddr, 1n << 32n)),
    spoilt("e_entry outside", ELF32, (view) => view.setU32(ELF32.ehdr.entry, OUTSIDE)),
    spoilt("section headers past the end", ELF32, (view) => {
      view.setU32(ELF32.ehdr.shoff, OUTSIDE);
      view.setU16(ELF32.ehdr.shnum, 3);
      view.setU16(ELF32.ehdr.shentsize, ELF32.shdr.size);
    }),
    { name: "Multiboot, no ELF file", bytes: multibootKernel().subarray(ELF32.ehdr.size) },
    {
      name: "Multiboot2, tag of EFI's 32-bit entry",
      bytes: multiboot2Kernel([tag(ENTRY_ADDRESS_EFI32, 0, 12, BASE)]),
    },
    {
      name: "Multiboot2, the same as optional",
      bytes: multiboot2Kernel([tag(ENTRY_ADDRESS_EFI32, 1, 12, BASE)]),
    },
    {
      name: "Multiboot2, unknown information",
      bytes: multiboot2Kernel([tag(INFORMATION_REQUEST, 0, 12, 99)]),
    },
    {
      name: "Multiboot2, information that may lack",
      bytes: multiboot2Kernel([tag(INFORMATION_REQUEST, 1, 12, 99)]),
    },
    {
      name: "Multiboot2, entry tag and e_entry outside",
      bytes: entryOutside(multiboot2Kernel([tag(ENTRY_ADDRESS, 0, 12, BASE)])),
    },
    { name: "Multiboot2, relocatable", bytes: multiboot2Kernel([tag(RELOCATABLE, 0, 24, ...words)]) },
    {
      name: "Multiboot2, relocatable to nowhere",
      bytes: multiboot2Kernel([tag(RELOCATABLE, 0, 24, 0x1000, 0x10, 1, 1)]),
    },
    { name: "Multiboot2, tag of size 0", bytes: multiboot2Kernel([tag(6, 0, 0)]) },
  ];
}
