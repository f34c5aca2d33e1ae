/**
 * The ground that the SSE operations stand on: the environment that MXCSR describes, lanes as they lie in memory,
 * and the decision whether flags fault. Knows no operation.
 *
 * Specification: Intel SDM vol. 1 §10.2.3, §11.5.2–11.5.3 (masked and unmasked responses, mixed cases).
 */
import { XMM_BYTES } from "../../../spec/x86-encoding.js";
import {
  MXCSR_DAZ,
  MXCSR_FLAGS,
  MXCSR_FTZ,
  MXCSR_MASKS_SHIFT,
  MXCSR_ROUNDING_SHIFT,
} from "../../../spec/sse.js";
import {
  ALL_EXCEPTIONS,
  PRE_COMPUTATION,
  defaultEnvironment,
  type FloatEnvironment,
  type RoundingMode,
} from "../softfloat/environment.js";
import { BINARY32, BINARY64, type BinaryFormat } from "../softfloat/value.js";

/** Where an operation finds its operands and leaves its result: nothing of the guest changes until it is done. */
export interface SseContext {
  view: DataView;
  /** Byte offsets of the first and second source. */
  a: number;
  b: number;
  imm: number;
  env: FloatEnvironment;
  /** Results, written by lane from byte 0. */
  result: DataView;
  /** EFLAGS bits of a comparison. */
  eflags: number;
  /** Flags of steps that are over; those of the current one are in `env`. */
  settled: number;
}

/** A lane format with its access to memory. */
export interface Lane {
  format: BinaryFormat;
  bytes: 4 | 8;
  read(view: DataView, offset: number): bigint;
  write(view: DataView, offset: number, value: bigint): void;
  readNumber(view: DataView, offset: number): number;
  writeNumber(view: DataView, offset: number, value: number): void;
}

export const SINGLE: Lane = {
  format: BINARY32,
  bytes: 4,
  read: (view, offset) => BigInt(view.getUint32(offset, true)),
  write: (view, offset, value) => view.setUint32(offset, Number(value), true),
  readNumber: (view, offset) => view.getFloat32(offset, true),
  writeNumber: (view, offset, value) => view.setFloat32(offset, value, true),
};

export const DOUBLE: Lane = {
  format: BINARY64,
  bytes: 8,
  read: (view, offset) => view.getBigUint64(offset, true),
  write: (view, offset, value) => view.setBigUint64(offset, value, true),
  readNumber: (view, offset) => view.getFloat64(offset, true),
  writeNumber: (view, offset, value) => view.setFloat64(offset, value, true),
};

const context: SseContext = {
  view: new DataView(new ArrayBuffer(0)),
  a: 0,
  b: 0,
  imm: 0,
  env: defaultEnvironment("sse"),
  result: new DataView(new ArrayBuffer(XMM_BYTES)),
  eflags: 0,
  settled: 0,
};

/** The one context, made ready for an operation. */
export function prepare(view: DataView, a: number, b: number, imm: number, mxcsr: number): SseContext {
  const { env } = context;
  env.flags = 0;
  env.rounding = ((mxcsr >> MXCSR_ROUNDING_SHIFT) & 3) as RoundingMode;
  env.masks = (mxcsr >> MXCSR_MASKS_SHIFT) & ALL_EXCEPTIONS;
  env.daz = (mxcsr & MXCSR_DAZ) !== 0;
  env.ftz = (mxcsr & MXCSR_FTZ) !== 0;
  context.view = view;
  context.a = a;
  context.b = b;
  context.imm = imm;
  context.eflags = 0;
  context.settled = 0;
  return context;
}

/** Whether what the current step found faults. */
export function faults(env: FloatEnvironment): boolean {
  return (env.flags & ~env.masks) !== 0;
}

/** Ends a step of an instruction that computes in several. Returns whether it faulted, which ends them all. */
export function endStep(context: SseContext): boolean {
  const { env } = context;
  if (faults(env)) return true;
  context.settled |= env.flags;
  env.flags = 0;
  return false;
}

/**
 * The flags that MXCSR gains. With an unmasked exception found before computing any lane of a step, nothing was
 * computed, so the exceptions of computed results do not show.
 */
export function reportedFlags({ env, settled }: SseContext): number {
  const early = (env.flags & ~env.masks & PRE_COMPUTATION) !== 0;
  return settled | (env.flags & (early ? PRE_COMPUTATION : MXCSR_FLAGS));
}
