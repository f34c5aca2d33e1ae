/**
 * What differs between two CPU areas, in the words of the architecture. Knows the layout of the area and no
 * instruction.
 */
import * as layout from "../x86/layout.js";
import { FPU_STATE_BYTES } from "../x86/x87/state.js";

/** One register or byte with two values, as text. */
export interface Difference {
  readonly what: string;
  readonly interpreted: string;
  readonly compiled: string;
}

interface Field {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

const GENERAL = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");
const SEGMENTS = "es cs ss ds fs gs ldtr tr".split(" ");
const XMM_REGISTERS = 16;
const XMM_BYTES = 16;
const DEBUG_REGISTERS = 8;

function row(names: readonly string[], offset: number, bytes: number, stride = bytes): Field[] {
  return names.map((name, i) => ({ name, offset: offset + i * stride, bytes }));
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}${i}`);
}

/** Architectural state that a region can reach, or must leave alone. */
const FIELDS: readonly Field[] = [
  ...row(GENERAL, layout.GPR, 8),
  ...row(numbered("xmm", XMM_REGISTERS), layout.XMM, XMM_BYTES, layout.XMM_STRIDE),
  ...row(["x87 state"], layout.FPU, FPU_STATE_BYTES),
  ...row(["mxcsr"], layout.MXCSR, 4),
  ...row(["system flags", "cpl"], layout.FLAG_SYSTEM, 4),
  ...row(
    SEGMENTS.slice(0, 6).map((name) => `${name} base`),
    layout.SEGMENT_BASE,
    8,
  ),
  ...row(
    SEGMENTS.map((name) => `${name} limit`),
    layout.SEGMENT_LIMIT,
    4,
  ),
  ...row(
    SEGMENTS.map((name) => `${name} selector`),
    layout.SEGMENT_SELECTOR,
    4,
  ),
  ...row(["cr0", "cr2", "cr3", "cr4", "efer"], layout.CR0, 8),
  ...row(numbered("dr", DEBUG_REGISTERS), layout.DR, 8),
  ...row(["mode"], layout.MODE_KEY, 4),
  ...row(["activity"], layout.ACTIVITY, 4),
];

function hex(bytes: Uint8Array): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
  return `0x${digits.reverse().join("")}`;
}

/** Whether two stretches of bytes are equal. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

/** Differences of the registers in two copies of a CPU area. The lazy flags and RIP are compared elsewhere. */
export function areaDifferences(interpreted: Uint8Array, compiled: Uint8Array): Difference[] {
  const found: Difference[] = [];
  for (const { name, offset, bytes } of FIELDS) {
    const left = interpreted.subarray(offset, offset + bytes);
    const right = compiled.subarray(offset, offset + bytes);
    if (!equalBytes(left, right)) found.push({ what: name, interpreted: hex(left), compiled: hex(right) });
  }
  return found;
}
