/**
 * Memory operands of x87 instructions: reading and writing the number formats in the scratch area of a call.
 *
 * Specification: Intel SDM vol. 1 §4.2, §8.1.2 (formats in memory).
 */
import {
  BINARY32,
  BINARY64,
  unpackBinary,
  unpackExtended,
  unpackInteger,
  type Extended,
  type Unpacked,
} from "../softfloat/value.js";
import type { X87Call } from "./instruction.js";
import type { FpuState } from "./state.js";
import { fromInteger, loadDouble, loadSingle, type Words } from "./words.js";

export type FloatKind = "f32" | "f64";
export type IntegerKind = "i16" | "i32" | "i64";

export const FLOAT_FORMATS = { f32: BINARY32, f64: BINARY64 } as const;
export const INTEGER_WIDTHS = { i16: 16, i32: 32, i64: 64 } as const;

/** Bytes of the significand part of an 80-bit operand. */
const SIGNIFICAND_BYTES = 8;

/** ST(index), unpacked. */
export function register(fpu: FpuState, index: number): Unpacked {
  return unpackExtended(fpu.read(index));
}

/** The memory operand as a number. */
export function readNumber(kind: FloatKind | IntegerKind, { memory, offset }: X87Call): Unpacked {
  switch (kind) {
    case "f32":
      return unpackBinary(BINARY32, BigInt(memory.getUint32(offset, true)));
    case "f64":
      return unpackBinary(BINARY64, memory.getBigUint64(offset, true));
    case "i16":
      return unpackInteger(BigInt(memory.getInt16(offset, true)));
    case "i32":
      return unpackInteger(BigInt(memory.getInt32(offset, true)));
    case "i64":
      return unpackInteger(memory.getBigInt64(offset, true));
  }
}

/** The memory operand as words, if it is a normal number and not too wide. */
export function loadMemory(kind: FloatKind | IntegerKind, { memory, offset }: X87Call, into: Words): boolean {
  switch (kind) {
    case "f32":
      return loadSingle(memory, offset, into);
    case "f64":
      return loadDouble(memory, offset, into);
    case "i16":
      return fromInteger(memory.getInt16(offset, true), into);
    case "i32":
      return fromInteger(memory.getInt32(offset, true), into);
    case "i64":
      return false;
  }
}

/** Leaves a float's bits or an integer in the memory operand. */
export function writeNumber(kind: FloatKind | IntegerKind, { memory, offset }: X87Call, value: bigint): void {
  switch (kind) {
    case "i16":
      memory.setInt16(offset, Number(BigInt.asIntN(16, value)), true);
      break;
    case "f32":
    case "i32":
      memory.setInt32(offset, Number(BigInt.asIntN(32, value)), true);
      break;
    case "f64":
    case "i64":
      memory.setBigUint64(offset, value, true);
      break;
  }
}

/** Reads ten bytes as an 80-bit number. */
export function readExtended(memory: DataView, offset: number): Extended {
  return {
    significand: memory.getBigUint64(offset, true),
    signExponent: memory.getUint16(offset + SIGNIFICAND_BYTES, true),
  };
}

/** Writes an 80-bit number as ten bytes. */
export function writeExtended(memory: DataView, offset: number, value: Extended): void {
  memory.setBigUint64(offset, value.significand, true);
  memory.setUint16(offset + SIGNIFICAND_BYTES, value.signExponent, true);
}
