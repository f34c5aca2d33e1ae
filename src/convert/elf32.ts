/**
 * A 64-bit Multiboot kernel as an ELF32 file: the same bytes at the same physical addresses, entered at the same place in 32-bit mode.
 * QEMU refuses x86-64 files with a Multiboot header. Specification: Multiboot 0.6.96 §3.1; gABI chapter 4.
 */
import { ByteView } from "../bytes/byte-view.js";
import { hex } from "../bytes/hex.js";
import type { ElfImage } from "../formats/elf/elf.js";
import type { LoadSegment } from "../formats/elf/segments.js";
import type { KnownImage } from "../formats/index.js";
import { findMultiboot1, type Multiboot1Header } from "../formats/multiboot1/multiboot1.js";
import { findMultiboot2 } from "../formats/multiboot2/multiboot2.js";
import { EI, ELF32, ELF64, ELFCLASS, ELFDATA, ELF_MAGIC, EM, ET, EV_CURRENT, PT } from "../spec/elf.js";
import { MULTIBOOT1_HEADER, MULTIBOOT1_SEARCH } from "../spec/multiboot1.js";
import { physicalPlace, rangeText, refused, sizesOf, x86Segments, type X86Kernel } from "./x86.js";

const ADDRESS_SPACE = 2 ** 32;
const ADVICE = "Only an ELF64 kernel with a Multiboot header needs it.";

/** Puts the kernel into an ELF32 file. Throws FormatError for what QEMU takes as it is, or cannot be started this way. */
export function containElf32(image: KnownImage): X86Kernel {
  const { elf, loads } = x86Segments(image, ADVICE);
  const header = multibootHeader(elf);
  const high = loads.find(({ paddr, memsz }) => paddr + memsz > ADDRESS_SPACE);
  if (high !== undefined) {
    const found = `program header ${high.index} at physical ${hex(high.paddr)}`;
    const meaning = "An ELF32 file and Multiboot's 32-bit entry reach no higher: link it lower, by p_paddr.";
    throw refused(image, high.headerOffset + ELF64.phdr.paddr, found, "segments below 4 GiB", meaning);
  }
  const place = physicalPlace(loads, elf.header.entry);
  if (place === undefined) {
    const found = `e_entry ${hex(elf.header.entry)}`;
    const expected = `an address in a loaded segment (physical ${rangeText(loads)})`;
    throw refused(image, ELF64.ehdr.entry, found, expected, "Its entry point is nowhere: link it again.");
  }
  const contents = elf.bytes.subarray(header.offset, header.offset + headerSize(header));
  return {
    target: "elf32",
    bytes: elf32File(elf, loads, place.physical, contents),
    input: elf.summary,
    ...sizesOf(loads),
    found: `its ${loads.length} segment${loads.length === 1 ? "" : "s"}, at ${rangeText(loads)}`,
    entry: BigInt(place.physical),
    notes: [
      "Its Multiboot header stands a second time behind the program headers, where every loader looks.",
      "Sections and symbols are left out; p_vaddr repeats p_paddr. A kernel that asks its loader for its symbols finds none.",
    ],
  };
}

function headerSize({ graphics }: Multiboot1Header): number {
  return graphics === undefined ? MULTIBOOT1_HEADER.SIZE : MULTIBOOT1_HEADER.SIZE_WITH_GRAPHICS;
}

/** The header that makes the conversion of use. */
function multibootHeader(elf: ElfImage): Multiboot1Header {
  if (elf.header.elfClass === 32) {
    throw refused(elf, EI.CLASS, "an ELF32 file", "an ELF64 file", "QEMU takes its class as it is.");
  }
  const header = findMultiboot1(elf.bytes);
  if (header === undefined) {
    const second = findMultiboot2(elf.bytes) === undefined ? "" : ", but one of Multiboot2";
    const meaning =
      second === ""
        ? "Without it QEMU takes ELF files by PVH: --to pvh adds a note where an entry fits."
        : "QEMU knows version 1 only: boot it by GRUB, or by locore as it is.";
    throw refused(elf, 0, `no Multiboot header${second}`, "one in the first 8 KiB", meaning);
  }
  if (header.addresses === undefined) return header;
  const found = "load addresses in the Multiboot header (flag 16)";
  const meaning = "QEMU obeys them whatever else the file is: it takes it as it is.";
  throw refused(elf, header.offset, found, "a header without them", meaning);
}

/** Header, program headers, Multiboot header, contents. */
function elf32File(
  elf: ElfImage,
  loads: readonly LoadSegment[],
  entry: number,
  multiboot: Uint8Array,
): Uint8Array {
  const { ehdr, phdr } = ELF32;
  const multibootAt = ehdr.size + loads.length * phdr.size;
  if (multibootAt + multiboot.length > MULTIBOOT1_SEARCH) {
    const expected = "so few that the Multiboot header behind them is in the first 8 KiB";
    const meaning = "Link it into fewer segments.";
    throw refused(elf, ELF64.ehdr.phnum, `${loads.length} segments`, expected, meaning);
  }
  const start = multibootAt + multiboot.length;
  const contents = loads.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (contents > elf.bytes.length) {
    const found = `segments of ${contents} bytes in a file of ${elf.bytes.length}`;
    throw refused(
      elf,
      Number(elf.header.phoff),
      found,
      "segments that share no bytes",
      "No linker makes such a kernel.",
    );
  }
  const size = start + contents;
  const view = new ByteView(new Uint8Array(size));
  view.setBytes(0, Uint8Array.from(ELF_MAGIC));
  view.setU8(EI.CLASS, ELFCLASS.CLASS32);
  view.setU8(EI.DATA, ELFDATA.LSB);
  view.setU8(EI.VERSION, EV_CURRENT);
  view.setU16(ehdr.type, ET.EXEC);
  view.setU16(ehdr.machine, EM[386]);
  view.setU32(ehdr.version, EV_CURRENT);
  view.setU32(ehdr.entry, entry);
  view.setU32(ehdr.phoff, ehdr.size);
  view.setU16(ehdr.ehsize, ehdr.size);
  view.setU16(ehdr.phentsize, phdr.size);
  view.setU16(ehdr.phnum, loads.length);
  view.setBytes(multibootAt, multiboot);
  let at = start;
  loads.forEach(({ paddr, memsz, bytes, flags }, i) => {
    const row = ehdr.size + i * phdr.size;
    view.setU32(row + phdr.type, PT.LOAD);
    view.setU32(row + phdr.flags, flags);
    view.setU32(row + phdr.offset, at);
    view.setU32(row + phdr.vaddr, paddr);
    view.setU32(row + phdr.paddr, paddr);
    view.setU32(row + phdr.filesz, bytes.length);
    view.setU32(row + phdr.memsz, memsz);
    view.setU32(row + phdr.align, 1);
    view.setBytes(at, bytes);
    at += bytes.length;
  });
  return view.bytes;
}
