/**
 * Makes the ELF file of a kernel that is one run of bytes: a header, one PT_LOAD. Knows no other format. Source: gABI
 * chapters 4 and 5; ELF for the Arm Architecture (IHI 0044) §5.2 for e_flags.
 */
import { ByteView } from "../bytes/byte-view.js";
import { EF_ARM } from "../spec/arm-elf.js";
import { EI, ELF32, ELF64, ELFCLASS, ELFDATA, ELF_MAGIC, EM, ET, EV_CURRENT, PF, PT } from "../spec/elf.js";

/** Contents begin at a page, so that the file may be mapped; its addresses are multiples of less, as a rule. */
const PAGE = 0x1000;

/** A kernel in memory. */
export interface FlatKernel {
  readonly bits: 32 | 64;
  /** Address of the first byte, as both p_paddr and p_vaddr. */
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** Bytes in memory, bss included. */
  readonly memory: number;
  /** Entry point, an address; bit 0 set: Thumb code. */
  readonly entry: bigint;
}

/** The kernel as an ELF file. */
export function elfFile(kernel: FlatKernel): Uint8Array {
  const wide = kernel.bits === 64;
  const { ehdr, phdr } = wide ? ELF64 : ELF32;
  // gABI: p_offset and p_vaddr agree modulo p_align.
  const offset = PAGE + Number(kernel.address % BigInt(PAGE));
  const view = new ByteView(new Uint8Array(offset + kernel.bytes.length));
  const word = (at: number, value: bigint | number): void =>
    wide ? view.setU64(at, value) : view.setU32(at, Number(value));
  view.setBytes(0, Uint8Array.from(ELF_MAGIC));
  view.setU8(EI.CLASS, wide ? ELFCLASS.CLASS64 : ELFCLASS.CLASS32);
  view.setU8(EI.DATA, ELFDATA.LSB);
  view.setU8(EI.VERSION, EV_CURRENT);
  view.setU16(ehdr.type, ET.EXEC);
  view.setU16(ehdr.machine, wide ? EM.AARCH64 : EM.ARM);
  view.setU32(ehdr.version, EV_CURRENT);
  word(ehdr.entry, kernel.entry);
  word(ehdr.phoff, ehdr.size);
  view.setU32(ehdr.flags, wide ? 0 : EF_ARM.EABI_VER5);
  view.setU16(ehdr.ehsize, ehdr.size);
  view.setU16(ehdr.phentsize, phdr.size);
  view.setU16(ehdr.phnum, 1);
  const at = ehdr.size;
  view.setU32(at + phdr.type, PT.LOAD);
  view.setU32(at + phdr.flags, PF.R | PF.W | PF.X);
  word(at + phdr.offset, offset);
  word(at + phdr.vaddr, kernel.address);
  word(at + phdr.paddr, kernel.address);
  word(at + phdr.filesz, kernel.bytes.length);
  word(at + phdr.memsz, kernel.memory);
  word(at + phdr.align, PAGE);
  view.setBytes(offset, kernel.bytes);
  return view.bytes;
}
