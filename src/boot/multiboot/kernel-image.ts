/**
 * The kernel of a Multiboot image as pieces of guest memory: from ELF program headers, or from the load addresses
 * that a header gives ("a.out kludge"), which both versions of the protocol have. Knows neither version's header.
 *
 * Specification: Multiboot 0.6.96 §3.1.3; Multiboot2 2.0 §3.1.5.
 */
import { hex } from "../../bytes/hex.js";
import { TWO_32 } from "../../bytes/words.js";
import type { ElfImage } from "../../formats/elf/elf.js";
import { loadSegments, type LoadSegment } from "../../formats/elf/segments.js";
import { ELF32, ELF64 } from "../../spec/elf.js";
import { LOAD_ADDR_FILE_START } from "../../spec/multiboot2.js";
import { BootError, type BootFault } from "../boot-error.js";
import { rangesText } from "../ranges-text.js";

/** What goes to one place: `bytes`, then zeros up to `size`. Addresses are guest-physical, as linked. */
export interface Piece {
  readonly name: string;
  readonly start: number;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** The pieces, ascending, and the span from the first to the last byte. */
export interface KernelImage {
  readonly pieces: readonly Piece[];
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Load addresses of a header, with the file offsets where they stand. */
export interface LoadAddresses {
  readonly headerAddr: number;
  readonly loadAddr: number;
  readonly loadEndAddr: number;
  readonly bssEndAddr: number;
  readonly offsets: Readonly<Record<"loadAddr" | "loadEndAddr" | "bssEndAddr", number>>;
}

function refuse(offset: number, found: string, expected: string, meaning: string): BootError {
  return new BootError("read the kernel's load addresses", {
    place: { kind: "file", offset },
    found,
    expected,
    meaning,
  });
}

function fromPieces(pieces: readonly Piece[]): KernelImage {
  const last = pieces[pieces.length - 1];
  return { pieces, start: pieces[0].start, end: last.start + last.size };
}

/** The PT_LOAD segments of an ELF kernel. Throws FormatError, BootError. */
export function imageOfElf(elf: ElfImage): KernelImage {
  const segments = loadSegments(elf);
  if (segments.length === 0) {
    const { phnum } = (elf.header.elfClass === 64 ? ELF64 : ELF32).ehdr;
    throw refuse(
      phnum,
      "no PT_LOAD segment",
      "something to load",
      "The file is no kernel, or not linked yet.",
    );
  }
  const high = segments.find(({ paddr, memsz }) => paddr + memsz > TWO_32);
  if (high !== undefined) {
    throw refuse(
      high.headerOffset,
      `a segment up to physical ${hex(high.paddr + high.memsz)}`,
      "all of the kernel below 4 GiB",
      "The protocol enters in 32-bit mode: give the segments physical addresses (AT in the linker script).",
    );
  }
  return fromPieces(segments.map(pieceOf));
}

function pieceOf({ index, paddr, memsz, bytes }: LoadSegment): Piece {
  return { name: `kernel segment ${index}`, start: paddr, size: memsz, bytes };
}

/**
 * The physical entry point of an ELF kernel: e_entry may be virtual where a segment says which physical address
 * that is, as GRUB and QEMU take it. Throws BootError.
 */
export function entryOfElf(elf: ElfImage): number {
  const { entry } = elf.header;
  const segments = loadSegments(elf);
  const virtual = segments.find((s) => entry >= s.vaddr && entry < s.vaddr + BigInt(s.memsz));
  if (virtual !== undefined) return virtual.paddr + Number(entry - virtual.vaddr);
  const physical = segments.find((s) => entry >= BigInt(s.paddr) && entry < BigInt(s.paddr + s.memsz));
  if (physical !== undefined) return Number(entry);
  const { entry: offset } = (elf.header.elfClass === 64 ? ELF64 : ELF32).ehdr;
  throw refuse(
    offset,
    `e_entry ${hex(entry)}`,
    "an address, virtual or physical, in a loaded segment",
    "The linker was given another entry symbol (-e), or the file is no kernel.",
  );
}

/** The part of the file that load addresses name. Throws BootError at the field that is wrong. */
export function imageOfAddresses(
  file: Uint8Array,
  headerOffset: number,
  addresses: LoadAddresses,
): KernelImage {
  const { headerAddr, bssEndAddr, loadEndAddr, offsets: at } = addresses;
  const wholeFile = addresses.loadAddr === LOAD_ADDR_FILE_START;
  const start = wholeFile ? headerAddr - headerOffset : addresses.loadAddr;
  const from = headerOffset - (headerAddr - start);
  if (start < 0 || start > headerAddr || from < 0) {
    throw refuse(
      at.loadAddr,
      `load_addr ${hex(addresses.loadAddr)}, header_addr ${hex(headerAddr)}, the header at ${hex(headerOffset)}`,
      "load_addr at most header_addr, and the load to begin inside the file",
      "The header's addresses do not fit where the linker put it.",
    );
  }
  const dataEnd = loadEndAddr === 0 ? start + file.length - from : loadEndAddr;
  const length = dataEnd - start;
  if (length <= 0 || from + length > file.length) {
    throw refuse(
      at.loadEndAddr,
      `load_end_addr ${hex(loadEndAddr)}: ${length} bytes from file offset ${hex(from)}`,
      `it above load_addr ${hex(start)}, and the data within the file of ${file.length} bytes`,
      "The file is cut short, or the header's addresses are wrong (0 means: to the end of the file).",
    );
  }
  const end = bssEndAddr === 0 ? dataEnd : bssEndAddr;
  if (end < dataEnd || end > TWO_32) {
    throw refuse(
      at.bssEndAddr,
      `bss_end_addr ${hex(bssEndAddr)}`,
      `0, or an address from the end of the data at ${hex(dataEnd)} on, below 4 GiB`,
      "The bss follows the data.",
    );
  }
  const bytes = file.subarray(from, from + length);
  return fromPieces([{ name: "kernel", start, size: end - start, bytes }]);
}

/** The rule that an entry point lies in what is loaded; `offset`: where the file names it. */
export function entryOutside(image: KernelImage, entry: number, offset: number): BootFault | undefined {
  if (image.pieces.some(({ start, size }) => entry >= start && entry < start + size)) return undefined;
  return {
    place: { kind: "file", offset },
    found: `entry point ${hex(entry)}`,
    expected: `an address in what is loaded (physical ${rangesText(image.pieces)})`,
    meaning: "The address is virtual, or belongs to another build of the kernel.",
  };
}
