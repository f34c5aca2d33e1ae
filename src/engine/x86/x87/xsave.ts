/**
 * XSAVE, XSAVEC and XRSTOR of the x87 and SSE components: what they read and write in the 576 bytes of legacy area
 * and header. Both components always count as in use, as an implementation may have it.
 *
 * ```
 *   0  legacy area as FXSAVE has it      512  XSTATE_BV   520  XCOMP_BV   528  zeros to 575
 * ```
 *
 * Specification: Intel SDM vol. 1 §13.4 (layout), §13.7 (XSAVE), §13.8 (XRSTOR), §13.10 (XSAVEC).
 */
import { X87_REGISTERS } from "../../../spec/x87.js";
import {
  FXSAVE_MXCSR,
  MXCSR_INIT,
  XCOMP_BV_COMPACTED,
  XSAVE_HEADER,
  XSAVE_HEADER_BYTES,
  XSAVE_HEADER_RESERVED,
  XSAVE_XCOMP_BV,
  XSAVE_XSTATE_BV,
  XSTATE_AVX,
  XSTATE_SSE,
  XSTATE_X87,
} from "../../../spec/sse.js";
import {
  decodeX87Image,
  decodeXmmImage,
  encodeMxcsrImage,
  encodeX87Image,
  encodeXmmImage,
  validMxcsr,
  type PointerForm,
  type SseState,
} from "./fxsave.js";
import type { FpuState } from "./state.js";

/** Bytes that these instructions touch. */
export const XSAVE_AREA_BYTES = XSAVE_HEADER + XSAVE_HEADER_BYTES;

/** Reserved header bytes that the standard form checks; the compacted one checks all. */
const STANDARD_CHECKED_END = XSAVE_HEADER + 24;

/** The parts of a CPU's state in an XSAVE area. */
export interface XsaveState {
  fpu: FpuState;
  sse: SseState;
}

/**
 * Writes the components of `requested` (XCR0 AND EDX:EAX). Bytes that the instruction leaves alone keep what the
 * image held: pass the memory's contents.
 */
export function encodeXsave(
  { fpu, sse }: XsaveState,
  requested: number,
  image: DataView,
  offset: number,
  form: PointerForm,
  compacted: boolean,
): void {
  if ((requested & XSTATE_X87) !== 0) encodeX87Image(fpu, image, offset, form);
  const withMxcsr = compacted ? XSTATE_SSE : XSTATE_SSE | XSTATE_AVX;
  if ((requested & withMxcsr) !== 0) encodeMxcsrImage(sse, image, offset);
  if ((requested & XSTATE_SSE) !== 0) encodeXmmImage(sse, image, offset);
  const old = compacted ? 0n : image.getBigUint64(offset + XSAVE_XSTATE_BV, true);
  const mask = BigInt(requested);
  image.setBigUint64(offset + XSAVE_XSTATE_BV, (old & ~mask) | mask, true);
  if (compacted) image.setBigUint64(offset + XSAVE_XCOMP_BV, XCOMP_BV_COMPACTED | mask, true);
}

/** Whether XRSTOR accepts the header. `enabled` is XCR0. */
function validHeader(image: DataView, offset: number, enabled: bigint): boolean {
  const present = image.getBigUint64(offset + XSAVE_XSTATE_BV, true);
  const layout = image.getBigUint64(offset + XSAVE_XCOMP_BV, true);
  const compacted = (layout & XCOMP_BV_COMPACTED) !== 0n;
  const components = layout & ~XCOMP_BV_COMPACTED;
  if (!compacted && layout !== 0n) return false;
  if ((present & ~(compacted ? components : enabled)) !== 0n || (components & ~enabled) !== 0n) return false;
  const end = compacted ? XSAVE_HEADER + XSAVE_HEADER_BYTES : STANDARD_CHECKED_END;
  for (let at = XSAVE_HEADER_RESERVED; at < end; at += 8) {
    if (image.getBigUint64(offset + at, true) !== 0n) return false;
  }
  return true;
}

/** The x87 component's initial state: as after FNINIT, with empty registers of zero. */
function initialiseX87(fpu: FpuState): void {
  fpu.initialise();
  for (let i = 0; i < X87_REGISTERS; i++) fpu.writePhysical(i, { signExponent: 0, significand: 0n });
}

function initialiseXmm({ view, xmm, stride, count }: SseState): void {
  for (let i = 0; i < count; i++) {
    view.setBigUint64(xmm + i * stride, 0n, true);
    view.setBigUint64(xmm + i * stride + 8, 0n, true);
  }
}

/**
 * Loads the components of `requested`, or gives them their initial state where the image does not hold them.
 * Returns false, with nothing changed, when #GP(0) is to be raised: reserved header bits, components that XCR0 does
 * not enable, or reserved MXCSR bits.
 */
export function decodeXsave(
  { fpu, sse }: XsaveState,
  requested: number,
  enabled: bigint,
  image: DataView,
  offset: number,
  form: PointerForm,
): boolean {
  if (!validHeader(image, offset, enabled)) return false;
  const compacted = (image.getBigUint64(offset + XSAVE_XCOMP_BV, true) & XCOMP_BV_COMPACTED) !== 0n;
  const present = Number(BigInt.asUintN(32, image.getBigUint64(offset + XSAVE_XSTATE_BV, true)));
  const stored = image.getUint32(offset + FXSAVE_MXCSR, true);
  // The standard form loads MXCSR from the image even when the SSE component is not in it.
  const fromImage = compacted ? requested & present & XSTATE_SSE : requested & (XSTATE_SSE | XSTATE_AVX);
  if (fromImage !== 0 && !validMxcsr(stored)) return false;
  if ((requested & XSTATE_X87) !== 0) {
    if ((present & XSTATE_X87) !== 0) decodeX87Image(fpu, image, offset, form);
    else initialiseX87(fpu);
  }
  if (fromImage !== 0) sse.view.setUint32(sse.mxcsr, stored, true);
  else if ((requested & XSTATE_SSE) !== 0) sse.view.setUint32(sse.mxcsr, MXCSR_INIT, true);
  if ((requested & XSTATE_SSE) !== 0) {
    if ((present & XSTATE_SSE) !== 0) decodeXmmImage(sse, image, offset);
    else initialiseXmm(sse);
  }
  return true;
}
