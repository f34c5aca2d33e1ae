/**
 * x87 and SSE state between the CPU area and the images of FXSAVE and XSAVE: the legacy region of 512 bytes. Works on
 * one staging buffer of 32-bit words, because context switches are frequent. Knows no instruction.
 *
 * ```
 *   0  FCW   2  FSW   4  FTW (abridged)   6  FOP    8  FIP (64 bits with REX.W; else 32, FCS at 12)
 *  16  FDP (likewise, FDS at 20)         24  MXCSR 28  MXCSR_MASK
 *  32  ST(0)–ST(7), 16 bytes each       160  XMM0–XMM15 (0–7 outside 64-bit mode)      416  unused
 * ```
 * Specification: Intel SDM vol. 1 §10.5.1, §13.4.1, §13.6 (initial state).
 */
import { FXSAVE } from "../../../spec/fxsave.js";
import {
  X87_CONTROL_INIT,
  X87_CONTROL_RESERVED_ONES,
  X87_CONTROL_WRITABLE,
  X87_STATUS_BUSY,
  X87_STATUS_SUMMARY,
} from "../../../spec/x87.js";
import { MXCSR_MASK, MXCSR_RESET, XSTATE_SSE, XSTATE_X87 } from "../../../spec/x86-privileged.js";
import {
  compactedAreaSize,
  standardAreaSize,
  XSAVE_COMPONENTS,
  type XsaveComponent,
} from "../../../x86/xsave-layout.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { FPU_CODE_SELECTOR, FPU_CONTROL, FPU_INSTRUCTION_POINTER, FPU_TAGS } from "../x87/state.js";

export const LEGACY_SIZE = FXSAVE.SIZE;
/** Legacy region and XSAVE header. */
export const XSAVE_SIZE = 576;

/** Parts of the legacy region, bytes: up to the pointers and behind MXCSR x87, then XMM. */
export const POINTERS_END = 24;
export const ST_START = FXSAVE.ST;
export const XMM_START = FXSAVE.XMM;
export const XMM_SIZE = 16;
/** Of 64-bit mode: what the state as plain data has in every mode. */
const VECTOR_REGISTERS = 16;

// Word offsets in the image.
const IMAGE_POINTERS = 2;
const IMAGE_MXCSR = 6;
const IMAGE_ST = 8;
const IMAGE_XMM = 40;
const SLOT_WORDS = 4;
const REGISTERS = 8;
const SIGN_EXPONENT = 0xffff;
/** Bits of the upper word that repeat bit 47 of a canonical address. */
const CANONICAL_SHIFT = 16;
const TOP_SHIFT = 11;
// Status: ES and B follow from unmasked flags.
const X87_EXCEPTIONS = 0x3f;
const X87_SUMMARY = X87_STATUS_SUMMARY | X87_STATUS_BUSY;

/** Registers of a component behind the header: `bytes` of each, at `first` and every `stride` further on. */
interface ComponentRegisters {
  readonly first: number;
  readonly stride: number;
  readonly bytes: number;
}

/** By number: the upper halves of YMM. */
const COMPONENT_REGISTERS: ReadonlyMap<number, ComponentRegisters> = new Map([
  [2, { first: L.XMM + 16, stride: L.XMM_STRIDE, bytes: 16 }],
]);

/** The components behind the header that have registers here. */
export const COMPONENTS: readonly XsaveComponent[] = XSAVE_COMPONENTS.filter(({ number }) =>
  COMPONENT_REGISTERS.has(number),
);
/** Every component that can be saved and restored, as bits of XCR0. */
export const SAVED_COMPONENTS = COMPONENTS.reduce(
  (bits, { number }) => bits | (1 << number),
  XSTATE_X87 | XSTATE_SSE,
);

/** The image being built or loaded. One is enough: instructions do not nest. */
export const staging = new Uint8Array(
  Math.max(standardAreaSize(SAVED_COMPONENTS), compactedAreaSize(SAVED_COMPONENTS)),
);
export const stagingWords = new Int32Array(staging.buffer);

/** How many XMM (and YMM) registers the current mode has. */
export function vectorRegisters(cpu: CpuContext): number {
  return cpu.code64 ? 16 : 8;
}

function fpuWord(cpu: CpuContext, offset: number): number {
  return (cpu.base + L.FPU + offset) >>> 2;
}

/** Copies x87 state to the staging image. `wide`: 64-bit pointers instead of 32-bit ones with selectors. */
export function stageX87(cpu: CpuContext, wide: boolean): void {
  const { i32, u16 } = cpu;
  const control = fpuWord(cpu, FPU_CONTROL);
  const tags = fpuWord(cpu, FPU_TAGS);
  stagingWords[0] = i32[control];
  stagingWords[1] = i32[tags];
  const pointers = fpuWord(cpu, FPU_INSTRUCTION_POINTER);
  for (let i = 0; i < 4; i++) stagingWords[IMAGE_POINTERS + i] = i32[pointers + i];
  if (!wide) {
    const selectors = (cpu.base + L.FPU + FPU_CODE_SELECTOR) >>> 1;
    stagingWords[IMAGE_POINTERS + 1] = u16[selectors];
    stagingWords[IMAGE_POINTERS + 3] = u16[selectors + 1];
  }
  const top = i32[control] >>> (16 + TOP_SHIFT);
  for (let i = 0; i < REGISTERS; i++) {
    const from = fpuWord(cpu, ((top + i) & (REGISTERS - 1)) * 16);
    const to = IMAGE_ST + i * SLOT_WORDS;
    stagingWords[to] = i32[from];
    stagingWords[to + 1] = i32[from + 1];
    stagingWords[to + 2] = i32[from + 2] & SIGN_EXPONENT;
    stagingWords[to + 3] = 0;
  }
}

/** Loads x87 state from the staging image. */
export function unstageX87(cpu: CpuContext, wide: boolean): void {
  const { i32, u16 } = cpu;
  const control = (stagingWords[0] & X87_CONTROL_WRITABLE) | X87_CONTROL_RESERVED_ONES;
  const status = (stagingWords[0] >>> 16) & ~X87_SUMMARY;
  const pending = status & X87_EXCEPTIONS & ~control;
  i32[fpuWord(cpu, FPU_CONTROL)] = control | ((pending ? status | X87_SUMMARY : status) << 16);
  i32[fpuWord(cpu, FPU_TAGS)] = stagingWords[1] & 0x07ff00ff;
  const pointers = fpuWord(cpu, FPU_INSTRUCTION_POINTER);
  for (let i = 0; i < 4; i++) i32[pointers + i] = wide || !(i & 1) ? stagingWords[IMAGE_POINTERS + i] : 0;
  // As Intel's CPUs have it, FIP is canonical and FDP need not be.
  if (wide) i32[pointers + 1] = (i32[pointers + 1] << CANONICAL_SHIFT) >> CANONICAL_SHIFT;
  const selectors = (cpu.base + L.FPU + FPU_CODE_SELECTOR) >>> 1;
  u16[selectors] = wide ? 0 : stagingWords[IMAGE_POINTERS + 1];
  u16[selectors + 1] = wide ? 0 : stagingWords[IMAGE_POINTERS + 3];
  const top = (status >>> TOP_SHIFT) & (REGISTERS - 1);
  for (let i = 0; i < REGISTERS; i++) {
    const to = fpuWord(cpu, ((top + i) & (REGISTERS - 1)) * 16);
    const from = IMAGE_ST + i * SLOT_WORDS;
    i32[to] = stagingWords[from];
    i32[to + 1] = stagingWords[from + 1];
    i32[to + 2] = stagingWords[from + 2] & SIGN_EXPONENT;
    i32[to + 3] = 0;
  }
}

/** Copies MXCSR and its mask to the staging image. */
export function stageMxcsr(cpu: CpuContext): void {
  stagingWords[IMAGE_MXCSR] = cpu.get32(L.MXCSR);
  stagingWords[IMAGE_MXCSR + 1] = MXCSR_MASK;
}

/** MXCSR in the staging image, reserved bits included. */
export function stagedMxcsr(): number {
  return stagingWords[IMAGE_MXCSR] >>> 0;
}

/** Copies `count` XMM registers to the staging image. */
export function stageXmm(cpu: CpuContext, count: number): void {
  for (let i = 0; i < count; i++) {
    const from = (cpu.base + L.XMM + i * L.XMM_STRIDE) >>> 2;
    for (let word = 0; word < SLOT_WORDS; word++) {
      stagingWords[IMAGE_XMM + i * SLOT_WORDS + word] = cpu.i32[from + word];
    }
  }
}

/** Copies `count` XMM registers from the staging image. */
export function unstageXmm(cpu: CpuContext, count: number): void {
  for (let i = 0; i < count; i++) {
    const to = (cpu.base + L.XMM + i * L.XMM_STRIDE) >>> 2;
    for (let word = 0; word < SLOT_WORDS; word++) {
      cpu.i32[to + word] = stagingWords[IMAGE_XMM + i * SLOT_WORDS + word];
    }
  }
}

/** Puts the x87 state to what FNINIT and zeroed registers leave. */
export function initialiseX87(cpu: CpuContext): void {
  stagingWords.fill(0, 0, IMAGE_XMM);
  stagingWords[0] = X87_CONTROL_INIT;
  unstageX87(cpu, true);
}

/** Zeroes `count` XMM registers: their initial state. */
export function initialiseXmm(cpu: CpuContext, count: number): void {
  stagingWords.fill(0, IMAGE_XMM, IMAGE_XMM + count * SLOT_WORDS);
  unstageXmm(cpu, count);
}

function registersOf(number: number): ComponentRegisters {
  const registers = COMPONENT_REGISTERS.get(number);
  if (registers === undefined) throw new RangeError(`state component ${number} has no registers`);
  return registers;
}

/** Bytes of a component's part in the first `count` registers. */
export function componentBytes(number: number, count: number): number {
  return registersOf(number).bytes * count;
}

/** Copies the part that component `number` has in `count` registers to offset `at` of the staging image. */
export function stageComponent(cpu: CpuContext, number: number, at: number, count: number): void {
  const { first, stride, bytes } = registersOf(number);
  for (let i = 0; i < count; i++) {
    const from = cpu.base + first + i * stride;
    staging.set(cpu.u8.subarray(from, from + bytes), at + i * bytes);
  }
}

/** Loads component `number` of `count` registers from offset `at` of the staging image. */
export function unstageComponent(cpu: CpuContext, number: number, at: number, count: number): void {
  const { first, stride, bytes } = registersOf(number);
  for (let i = 0; i < count; i++) {
    cpu.u8.set(staging.subarray(at + i * bytes, at + (i + 1) * bytes), cpu.base + first + i * stride);
  }
}

/** Zeroes component `number` of `count` registers: its initial state. */
export function initialiseComponent(cpu: CpuContext, number: number, count: number): void {
  const { first, stride, bytes } = registersOf(number);
  for (let i = 0; i < count; i++) {
    const from = cpu.base + first + i * stride;
    cpu.u8.fill(0, from, from + bytes);
  }
}

function x87InUse(cpu: CpuContext): boolean {
  const controlWord = fpuWord(cpu, FPU_CONTROL);
  const end = fpuWord(cpu, FPU_CODE_SELECTOR) + 1;
  for (let word = fpuWord(cpu, 0); word < end; word++) {
    if (cpu.i32[word] !== (word === controlWord ? X87_CONTROL_INIT : 0)) return true;
  }
  return false;
}

/** Whether any of `count` registers, `bytes` long and `stride` apart, is not zero. */
function anySet(cpu: CpuContext, first: number, stride: number, bytes: number, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const from = (cpu.base + first + i * stride) >>> 2;
    for (let word = from; word < from + (bytes >>> 2); word++) if (cpu.i32[word] !== 0) return true;
  }
  return false;
}

/**
 * XINUSE: which components differ from their initial state, among the `count` vector registers that the mode has.
 * MXCSR is no part of the SSE component here (SDM vol. 1 §13.6).
 */
export function statesInUse(cpu: CpuContext, count: number): number {
  let inUse = x87InUse(cpu) ? XSTATE_X87 : 0;
  if (anySet(cpu, L.XMM, L.XMM_STRIDE, SLOT_WORDS * 4, count)) inUse |= XSTATE_SSE;
  for (const { number } of COMPONENTS) {
    const { first, stride, bytes } = registersOf(number);
    if (anySet(cpu, first, stride, bytes, count)) inUse |= 1 << number;
  }
  return inUse;
}

/** State after reset: x87 as FNINIT leaves it, registers zero, XCR0 = 1. */
export function resetExtendedState(cpu: CpuContext): void {
  initialiseX87(cpu);
  const first = (cpu.base + L.XMM) >>> 2;
  cpu.i32.fill(0, first, first + (16 * L.XMM_STRIDE) / 4);
  cpu.set32(L.MXCSR, MXCSR_RESET);
  cpu.setPair(L.XCR0, XSTATE_X87, 0);
}

/** FCS and FDS, for which an FXSAVE64 image has no room; undefined when both are 0. */
export function readX87Selectors(cpu: CpuContext): { code: number; data: number } | undefined {
  const at = (cpu.base + L.FPU + FPU_CODE_SELECTOR) >>> 1;
  const code = cpu.u16[at];
  const data = cpu.u16[at + 1];
  return code === 0 && data === 0 ? undefined : { code, data };
}

/** Sets FCS and FDS: behind `writeFxsaveImage`, which clears them. */
export function writeX87Selectors(cpu: CpuContext, { code, data }: { code: number; data: number }): void {
  const at = (cpu.base + L.FPU + FPU_CODE_SELECTOR) >>> 1;
  cpu.u16[at] = code;
  cpu.u16[at + 1] = data;
}

/** The upper halves of all YMM registers, 16 bytes each; undefined when they are zeros. */
export function readYmmUpper(cpu: CpuContext): Uint8Array | undefined {
  const first = L.XMM + XMM_SIZE;
  if (!anySet(cpu, first, L.XMM_STRIDE, XMM_SIZE, VECTOR_REGISTERS)) return undefined;
  const upper = new Uint8Array(VECTOR_REGISTERS * XMM_SIZE);
  for (let i = 0; i < VECTOR_REGISTERS; i++) {
    const from = cpu.base + first + i * L.XMM_STRIDE;
    upper.set(cpu.u8.subarray(from, from + XMM_SIZE), i * XMM_SIZE);
  }
  return upper;
}

/** Loads what `readYmmUpper` gave. */
export function writeYmmUpper(cpu: CpuContext, upper: Uint8Array): void {
  const length = VECTOR_REGISTERS * XMM_SIZE;
  if (upper.length !== length)
    throw new RangeError(`upper halves of YMM of ${upper.length} bytes: expected ${length}`);
  for (let i = 0; i < VECTOR_REGISTERS; i++) {
    const half = upper.subarray(i * XMM_SIZE, (i + 1) * XMM_SIZE);
    cpu.u8.set(half, cpu.base + L.XMM + XMM_SIZE + i * L.XMM_STRIDE);
  }
}

/** The state as a 512-byte FXSAVE64 image. */
export function readFxsaveImage(cpu: CpuContext): Uint8Array {
  stagingWords.fill(0);
  stageX87(cpu, true);
  stageMxcsr(cpu);
  stageXmm(cpu, 16);
  return staging.slice(0, LEGACY_SIZE);
}

/** Loads a 512-byte FXSAVE64 image; reserved bits of MXCSR are dropped. */
export function writeFxsaveImage(cpu: CpuContext, image: Uint8Array): void {
  if (image.length !== LEGACY_SIZE) {
    throw new RangeError(`FXSAVE image of ${image.length} bytes: expected ${LEGACY_SIZE}`);
  }
  staging.set(image);
  unstageX87(cpu, true);
  cpu.set32(L.MXCSR, stagedMxcsr() & MXCSR_MASK);
  unstageXmm(cpu, 16);
}
