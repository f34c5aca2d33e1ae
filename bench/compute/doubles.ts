/**
 * What the floating-point programs share: opcodes of SSE2 by name, and folding an array of doubles, bit for bit, into
 * one word on both sides.
 *
 * Specification: Intel SDM vol. 2D appendix A, table A-3 (two-byte opcodes; 66 or F2 as mandatory prefix).
 */
import { eax, ecx, qword, rax, rcx } from "../../test/support/asm/index.js";
import type { Assembler } from "../../test/support/asm/index.js";

/** With F2: scalar doubles. */
export const LOAD_DOUBLE = 0x10;
export const STORE_DOUBLE = 0x11;
export const CONVERT_DWORD = 0x2a;
export const SQUARE_ROOT = 0x51;
export const ADD = 0x58;
export const MULTIPLY = 0x59;
export const SUBTRACT = 0x5c;
export const DIVIDE = 0x5e;
/** With 66: packed doubles. */
export const UNPACK_LOW = 0x14;
export const LOAD_ALIGNED = 0x28;
export const STORE_ALIGNED = 0x29;
export const ADD_PACKED = 0x58;
export const MULTIPLY_PACKED = 0x59;

/** RAX = all words, each rotated into what came before. Clobbers RCX. */
export function emitFoldWords(a: Assembler, address: number, words: number): void {
  const again = a.fresh("fold");
  a.xor(eax, eax).xor(ecx, ecx).label(again);
  a.rol(rax, 1)
    .xor(rax, qword({ index: rcx, scale: 8, disp: address }))
    .inc(ecx)
    .cmp(ecx, words)
    .jcc("ne", again);
}

/** The same of doubles here. */
export function foldWords(doubles: Float64Array): bigint {
  const words = new BigUint64Array(doubles.buffer, doubles.byteOffset, doubles.length);
  return words.reduce((sum, word) => (BigInt.asUintN(64, sum << 1n) | (sum >> 63n)) ^ word, 0n);
}
