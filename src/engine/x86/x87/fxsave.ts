/**
 * The FXSAVE image: x87, MXCSR and XMM registers in 512 bytes, in its 64-bit and its 32-bit form.
 *
 * ```
 *   0  FCW   2  FSW   4  FTW (abridged)   6  FOP    8  FIP (64 bits with REX.W; else 32, FCS at 12)
 *  16  FDP (likewise, FDS at 20)         24  MXCSR 28  MXCSR_MASK
 *  32  ST(0)–ST(7), 16 bytes each       160  XMM0–XMM15 (0–7 outside 64-bit mode)      416  unused
 * ```
 *
 * Specification: Intel SDM vol. 1 §10.5.1; vol. 2 FXSAVE, FXRSTOR.
 */
import { X87_REGISTERS } from "../../../spec/x87.js";
import {
  FXSAVE_FCS,
  FXSAVE_FCW,
  FXSAVE_FDP,
  FXSAVE_FDS,
  FXSAVE_FIP,
  FXSAVE_FOP,
  FXSAVE_FSW,
  FXSAVE_FTW,
  FXSAVE_MXCSR,
  FXSAVE_MXCSR_MASK,
  FXSAVE_SLOT_BYTES,
  FXSAVE_ST,
  FXSAVE_XMM,
  MXCSR_WRITABLE,
} from "../../../spec/sse.js";
import type { FpuState } from "./state.js";

/** The form of the pointers: 64-bit offsets (FXSAVE64), or 32-bit offsets with selectors. */
export type PointerForm = 64 | 32;

/** The SSE registers an image is made from or loaded into. */
export interface SseState {
  view: DataView;
  /** Byte offset of XMM0 and bytes from one register to the next. */
  xmm: number;
  stride: number;
  /** Registers there are: 16 in 64-bit mode, else 8. */
  count: 8 | 16;
  /** Byte offset of MXCSR, 32 bits. */
  mxcsr: number;
}

/** Writes the x87 part: bytes 0–23 and 32–159. */
export function encodeX87Image(fpu: FpuState, image: DataView, offset: number, form: PointerForm): void {
  image.setUint16(offset + FXSAVE_FCW, fpu.control, true);
  image.setUint16(offset + FXSAVE_FSW, fpu.status, true);
  image.setUint16(offset + FXSAVE_FTW, fpu.tags, true);
  image.setUint16(offset + FXSAVE_FOP, fpu.opcode, true);
  image.setBigUint64(offset + FXSAVE_FIP, fpu.instructionPointer, true);
  image.setBigUint64(offset + FXSAVE_FDP, fpu.dataPointer, true);
  if (form === 32) {
    image.setUint32(offset + FXSAVE_FCS, fpu.codeSelector, true);
    image.setUint32(offset + FXSAVE_FDS, fpu.dataSelector, true);
  }
  for (let index = 0; index < X87_REGISTERS; index++) {
    const at = offset + FXSAVE_ST + index * FXSAVE_SLOT_BYTES;
    const value = fpu.read(index);
    image.setBigUint64(at, value.significand, true);
    image.setBigUint64(at + 8, BigInt(value.signExponent), true);
  }
}

/** Loads the x87 part. Flags that the loaded control word does not mask become pending. */
export function decodeX87Image(fpu: FpuState, image: DataView, offset: number, form: PointerForm): void {
  fpu.control = image.getUint16(offset + FXSAVE_FCW, true);
  fpu.status = image.getUint16(offset + FXSAVE_FSW, true);
  fpu.tags = image.getUint8(offset + FXSAVE_FTW);
  fpu.opcode = image.getUint16(offset + FXSAVE_FOP, true);
  if (form === 64) {
    fpu.instructionPointer = image.getBigUint64(offset + FXSAVE_FIP, true);
    fpu.dataPointer = image.getBigUint64(offset + FXSAVE_FDP, true);
    fpu.codeSelector = 0;
    fpu.dataSelector = 0;
  } else {
    fpu.instructionPointer = BigInt(image.getUint32(offset + FXSAVE_FIP, true));
    fpu.dataPointer = BigInt(image.getUint32(offset + FXSAVE_FDP, true));
    fpu.codeSelector = image.getUint16(offset + FXSAVE_FCS, true);
    fpu.dataSelector = image.getUint16(offset + FXSAVE_FDS, true);
  }
  for (let index = 0; index < X87_REGISTERS; index++) {
    const at = offset + FXSAVE_ST + index * FXSAVE_SLOT_BYTES;
    const significand = image.getBigUint64(at, true);
    const signExponent = image.getUint16(at + 8, true);
    fpu.writePhysical((fpu.top + index) % X87_REGISTERS, { significand, signExponent });
  }
}

/** Writes the XMM registers. */
export function encodeXmmImage(sse: SseState, image: DataView, offset: number): void {
  for (let i = 0; i < sse.count; i++) {
    const from = sse.xmm + i * sse.stride;
    const to = offset + FXSAVE_XMM + i * FXSAVE_SLOT_BYTES;
    image.setBigUint64(to, sse.view.getBigUint64(from, true), true);
    image.setBigUint64(to + 8, sse.view.getBigUint64(from + 8, true), true);
  }
}

/** Loads the XMM registers. */
export function decodeXmmImage(sse: SseState, image: DataView, offset: number): void {
  for (let i = 0; i < sse.count; i++) {
    const from = offset + FXSAVE_XMM + i * FXSAVE_SLOT_BYTES;
    const to = sse.xmm + i * sse.stride;
    sse.view.setBigUint64(to, image.getBigUint64(from, true), true);
    sse.view.setBigUint64(to + 8, image.getBigUint64(from + 8, true), true);
  }
}

/** Writes MXCSR and the mask of its writable bits. */
export function encodeMxcsrImage(sse: SseState, image: DataView, offset: number): void {
  image.setUint32(offset + FXSAVE_MXCSR, sse.view.getUint32(sse.mxcsr, true), true);
  image.setUint32(offset + FXSAVE_MXCSR_MASK, MXCSR_WRITABLE, true);
}

/** Whether an image's MXCSR may be loaded: reserved bits raise #GP(0). */
export function validMxcsr(value: number): boolean {
  return (value & ~MXCSR_WRITABLE) === 0;
}

/** FXSAVE. Bytes that it leaves alone keep what the image held: pass the memory's contents. */
export function encodeFxsave(
  fpu: FpuState,
  sse: SseState,
  image: DataView,
  offset: number,
  form: PointerForm,
): void {
  encodeX87Image(fpu, image, offset, form);
  encodeMxcsrImage(sse, image, offset);
  encodeXmmImage(sse, image, offset);
}

/** FXRSTOR. Returns false, with nothing changed, when MXCSR has reserved bits set: raise #GP(0). */
export function decodeFxsave(
  fpu: FpuState,
  sse: SseState,
  image: DataView,
  offset: number,
  form: PointerForm,
): boolean {
  const mxcsr = image.getUint32(offset + FXSAVE_MXCSR, true);
  if (!validMxcsr(mxcsr)) return false;
  decodeX87Image(fpu, image, offset, form);
  sse.view.setUint32(sse.mxcsr, mxcsr, true);
  decodeXmmImage(sse, image, offset);
  return true;
}
