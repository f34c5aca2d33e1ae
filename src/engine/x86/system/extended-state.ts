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
import {
  X87_CONTROL_INIT,
  X87_CONTROL_RESERVED_ONES,
  X87_CONTROL_WRITABLE,
  X87_STATUS_BUSY,
  X87_STATUS_SUMMARY,
} from "../../../spec/x87.js";
import { MXCSR_MASK, MXCSR_RESET, XSTATE_SSE, XSTATE_X87 } from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { FPU_CODE_SELECTOR, FPU_CONTROL, FPU_INSTRUCTION_POINTER, FPU_TAGS } from "../x87/state.js";

export const LEGACY_SIZE = 512;
/** Legacy region and XSAVE header. */
export const XSAVE_SIZE = 576;

// Word offsets in the image.
const IMAGE_POINTERS = 2;
const IMAGE_MXCSR = 6;
const IMAGE_ST = 8;
const IMAGE_XMM = 40;
const SLOT_WORDS = 4;
const REGISTERS = 8;
const SIGN_EXPONENT = 0xffff;
const TOP_SHIFT = 11;
// Status: ES and B follow from unmasked flags.
const X87_EXCEPTIONS = 0x3f;
const X87_SUMMARY = X87_STATUS_SUMMARY | X87_STATUS_BUSY;

/** The image being built or loaded. One is enough: instructions do not nest. */
export const staging = new Uint8Array(XSAVE_SIZE);
export const stagingWords = new Int32Array(staging.buffer);

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

/** Whether x87 (bit 0) and XMM (bit 1) state differ from their initial values: XINUSE. */
export function statesInUse(cpu: CpuContext): number {
  let inUse = 0;
  const first = fpuWord(cpu, 0);
  const controlWord = fpuWord(cpu, FPU_CONTROL);
  for (let word = first; word < fpuWord(cpu, FPU_CODE_SELECTOR) + 1 && inUse === 0; word++) {
    const initial = word === controlWord ? X87_CONTROL_INIT : 0;
    if (cpu.i32[word] !== initial) inUse = XSTATE_X87;
  }
  for (let i = 0; i < 16; i++) {
    const from = (cpu.base + L.XMM + i * L.XMM_STRIDE) >>> 2;
    const { i32 } = cpu;
    if (i32[from] | i32[from + 1] | i32[from + 2] | i32[from + 3]) return inUse | XSTATE_SSE;
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
