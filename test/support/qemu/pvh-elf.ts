/**
 * Wraps a flat program in a 32-bit ELF file that names itself a PVH kernel, so that QEMU enters it in 32-bit
 * protected mode without a boot loader.
 *
 * Specification: System V gABI, chapters 4–5 (ELF header, program headers, notes); Xen's public/elfnote.h
 * (XEN_ELFNOTE_PHYS32_ENTRY) and docs/misc/pvh.
 */
const ELF_HEADER_SIZE = 52;
const PROGRAM_HEADER_SIZE = 32;
const ET_EXEC = 2;
const EM_386 = 3;
const PT_LOAD = 1;
const PT_NOTE = 4;
const PF_RWX = 7;
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const NOTE_SIZE = 20;

/** One PT_LOAD with `bytes` at physical `address`, entered at `entry` by PVH. */
export function pvhElf(address: number, bytes: Uint8Array, entry: number): Uint8Array {
  const noteAt = ELF_HEADER_SIZE + 2 * PROGRAM_HEADER_SIZE;
  const bodyAt = 0x1000;
  const file = new Uint8Array(bodyAt + bytes.length);
  const view = new DataView(file.buffer);
  const half = (at: number, v: number): void => view.setUint16(at, v, true);
  const long = (at: number, ...vs: number[]): void =>
    vs.forEach((v, i) => view.setUint32(at + 4 * i, v, true));
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  half(16, ET_EXEC);
  half(18, EM_386);
  long(20, 1, entry, ELF_HEADER_SIZE, 0, 0);
  half(40, ELF_HEADER_SIZE);
  half(42, PROGRAM_HEADER_SIZE);
  half(44, 2);
  long(ELF_HEADER_SIZE, PT_LOAD, bodyAt, address, address, bytes.length, bytes.length, PF_RWX, 0x1000);
  const second = ELF_HEADER_SIZE + PROGRAM_HEADER_SIZE;
  long(second, PT_NOTE, noteAt, noteAt, noteAt, NOTE_SIZE, NOTE_SIZE, PF_RWX, 4);
  long(noteAt, 4, 4, XEN_ELFNOTE_PHYS32_ENTRY, 0x006e6558, entry);
  file.set(bytes, bodyAt);
  return file;
}
