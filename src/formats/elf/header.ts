/**
 * Reads the ELF file header and turns "class" into field positions. Source: gABI chapter 4, "ELF Header",
 * "ELF Identification" (numbers in spec/elf.ts). Knows nothing of what an ELF file is for.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { EI, ELF32, ELF64, ELFCLASS, ELFDATA, EM, EV_CURRENT } from "../../spec/elf.js";
import type { ElfLayout } from "../../spec/elf.js";
import { FormatError } from "../format-error.js";

export const ELF = "ELF";

/** The header's fields. 64-bit values are bigints as the file may hold anything in them. */
export interface ElfHeader {
  readonly elfClass: 32 | 64;
  readonly osabi: number;
  readonly type: number;
  readonly machine: number;
  readonly flags: number;
  readonly entry: bigint;
  readonly phoff: bigint;
  readonly shoff: bigint;
  readonly phentsize: number;
  readonly phnum: number;
  readonly shentsize: number;
  readonly shnum: number;
  readonly shstrndx: number;
}

/** A file with the field positions of its class. */
export class ElfFile {
  readonly view: ByteView;

  constructor(
    readonly bytes: Uint8Array,
    readonly layout: ElfLayout,
  ) {
    this.view = new ByteView(bytes);
  }

  /** An address-sized field (Elf32_Addr/Off, Elf64_Addr/Off/Xword). */
  word(offset: number): bigint {
    return this.layout.wordSize === 8 ? this.view.u64(offset) : BigInt(this.view.u32(offset));
  }

  /** A field that must be a place or size inside the file; undefined when it is too large to be one. */
  place(offset: number): number | undefined {
    const value = this.word(offset);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
  }
}

const ARCH_NAMES: ReadonlyMap<number, string> = new Map([
  [EM[386], "i386"],
  [EM.X86_64, "x86-64"],
  [EM.ARM, "arm"],
  [EM.AARCH64, "arm64"],
  [EM.RISCV, "riscv"],
  [EM.PPC64, "ppc64"],
  [EM.S390, "s390"],
]);

/** The instruction set by e_machine, for people. */
export function archName(machine: number): string {
  return ARCH_NAMES.get(machine) ?? `machine ${machine}`;
}

function layoutOf(view: ByteView): ElfLayout {
  const elfClass = view.u8(EI.CLASS);
  if (elfClass !== ELFCLASS.CLASS32 && elfClass !== ELFCLASS.CLASS64) {
    throw new FormatError(ELF, {
      offset: EI.CLASS,
      found: `EI_CLASS ${elfClass}`,
      expected: "1 (32-bit) or 2 (64-bit)",
      meaning: "The ELF header is damaged: fetch or build the file again.",
    });
  }
  const data = view.u8(EI.DATA);
  if (data !== ELFDATA.LSB) {
    const big = data === ELFDATA.MSB;
    throw new FormatError(ELF, {
      offset: EI.DATA,
      found: big ? "EI_DATA 2 (big-endian)" : `EI_DATA ${data}`,
      expected: "1 (little-endian)",
      meaning: big
        ? "It is made for a big-endian machine (such as s390, PowerPC, SPARC): get the x86 build of it."
        : "The ELF header is damaged: fetch or build the file again.",
    });
  }
  const version = view.u8(EI.VERSION);
  if (version !== EV_CURRENT) {
    throw new FormatError(ELF, {
      offset: EI.VERSION,
      found: `EI_VERSION ${version}`,
      expected: `${EV_CURRENT}`,
      meaning: "The ELF header is damaged: fetch or build the file again.",
    });
  }
  return elfClass === ELFCLASS.CLASS64 ? ELF64 : ELF32;
}

/** Reads the header. The caller has checked the magic number. Throws FormatError and BoundsError. */
export function readElfHeader(bytes: Uint8Array): { file: ElfFile; header: ElfHeader } {
  const file = new ElfFile(bytes, layoutOf(new ByteView(bytes)));
  const { view, layout } = file;
  const at = layout.ehdr;
  view.check(0, at.size);
  const header: ElfHeader = {
    elfClass: layout === ELF64 ? 64 : 32,
    osabi: view.u8(EI.OSABI),
    type: view.u16(at.type),
    machine: view.u16(at.machine),
    flags: view.u32(at.flags),
    entry: file.word(at.entry),
    phoff: file.word(at.phoff),
    shoff: file.word(at.shoff),
    phentsize: view.u16(at.phentsize),
    phnum: view.u16(at.phnum),
    shentsize: view.u16(at.shentsize),
    shnum: view.u16(at.shnum),
    shstrndx: view.u16(at.shstrndx),
  };
  const version = view.u32(at.version);
  if (version !== EV_CURRENT) {
    throw new FormatError(ELF, {
      offset: at.version,
      found: `e_version ${hex(version)}`,
      expected: `${EV_CURRENT}`,
      meaning: "The ELF header is damaged: fetch or build the file again.",
    });
  }
  return { file, header };
}
