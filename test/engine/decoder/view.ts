/**
 * What the decoder's tests compare: one instruction as text, in one notation for our decoder and for a reference.
 *
 *     length mnemonic operands        e.g. `4 add q0,[q3+8]:8`
 *
 * Registers are a letter for their kind and a number: `b` low bytes (`h` AH–BH), `w` `d` `q` general, `x` XMM,
 * `m` MMX, `s` segment (ES 0 … GS 5), `c` control, `t` debug. Memory: `segment:[base+index*scale+displacement]:bytes`,
 * the segment only where it is not the flat default of 64-bit code. Immediates are unsigned at their operand's size.
 */

export const INVALID = "invalid";

export interface MemoryOperand {
  /** Index of the segment that is used, or -1 for none (64-bit code without FS or GS). */
  segment: number;
  /** Register names, "" for none, "rip". */
  base: string;
  index: string;
  scale: number;
  /** As stored, at address size; for RIP-relative operands the distance from the instruction's first byte. */
  displacement: bigint;
  /** Address size, bytes. */
  addressBytes: number;
  /** Bytes accessed; 0 where the form does not say. */
  bytes: number;
}

export const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs"];

/** The memory operand in brackets, without the bytes accessed. */
export function memoryText(m: MemoryOperand): string {
  const segment = m.segment < 0 ? "" : `${SEGMENT_NAMES[m.segment]}:`;
  const displacement = BigInt.asUintN(8 * m.addressBytes, m.displacement);
  const index = m.index === "" ? "" : `+${m.index}*${m.scale}`;
  return `${segment}[${m.base}${index}+0x${displacement.toString(16)}]a${m.addressBytes}`;
}

/** Name of a general register of 1, 2, 4 or 8 bytes. */
export function registerName(number: number, bytes: number): string {
  return `${{ 1: "b", 2: "w", 4: "d", 8: "q" }[bytes] ?? "?"}${number}`;
}

/** An immediate at its operand's size. */
export function immediateText(value: bigint, bytes: number): string {
  return `0x${BigInt.asUintN(8 * bytes, value).toString(16)}`;
}

/** One decoded instruction, ready to be compared. */
export interface DecodedView {
  /** Bytes, or 0 for an undefined instruction. */
  length: number;
  /** The reader's own mnemonic; `INVALID` for an undefined encoding. */
  mnemonic: string;
  /** Everything but length and mnemonic: registers, memory, immediates, prefixes that count. */
  operands: string;
  /** Bytes of the memory operand, or 0 where it has none or says none. */
  memoryBytes: number;
}

export const INVALID_VIEW: DecodedView = { length: 0, mnemonic: INVALID, operands: "", memoryBytes: 0 };
