/**
 * Loads, stores and exchanges.
 *
 * Specification: Intel SDM vol. 1 §8.3.3; vol. 2 FLD, FST, FILD, FIST, FISTTP, FBLD, FBSTP, FXCH.
 */
import { BCD_INDEFINITE, fromBcd, toBcd } from "../softfloat/bcd.js";
import { INVALID, ROUND_ZERO, type FloatEnvironment } from "../softfloat/environment.js";
import { extendedFrom, extendedToBinary } from "../softfloat/extended.js";
import { integerIndefinite, toInteger } from "../softfloat/integer.js";
import { defaultNan, packBinary, packExtended, type Unpacked } from "../softfloat/value.js";
import {
  complete,
  completeStore,
  environmentOf,
  indefinite,
  setC1,
  sourceCheck,
  stackFault,
} from "./exceptions.js";
import type { X87Call } from "./instruction.js";
import {
  FLOAT_FORMATS,
  INTEGER_WIDTHS,
  readExtended,
  readNumber,
  register,
  writeExtended,
  writeNumber,
  type FloatKind,
  type IntegerKind,
} from "./operand.js";
import type { FpuState } from "./state.js";

type Run = (fpu: FpuState, call: X87Call) => boolean;

/** Whether a push finds room; if not and that is masked, the indefinite is pushed. */
function hasRoom(fpu: FpuState): boolean {
  if (fpu.isEmpty(-1)) return true;
  if (stackFault(fpu, true)) fpu.push(indefinite());
  return false;
}

/** FLD m32, m64 and FILD. A denormal is loaded even when that exception is unmasked. */
export function loadNumber(kind: FloatKind | IntegerKind): Run {
  return (fpu, call) => {
    if (!hasRoom(fpu)) return false;
    const env = environmentOf(fpu);
    const value = extendedFrom(readNumber(kind, call), env);
    const invalid = (env.flags & ~env.masks & INVALID) !== 0;
    complete(fpu, env);
    if (!invalid) fpu.push(value);
    return false;
  };
}

/** FLD m80: any encoding, no exception but stack overflow. */
export const loadExtended: Run = (fpu, { memory, offset }) => {
  if (!hasRoom(fpu)) return false;
  setC1(fpu, false);
  fpu.push(readExtended(memory, offset));
  return false;
};

/** FBLD. */
export const loadBcd: Run = (fpu, { memory, offset }) => {
  if (!hasRoom(fpu)) return false;
  setC1(fpu, false);
  const { significand, signExponent } = readExtended(memory, offset);
  fpu.push(packExtended(fromBcd((BigInt(signExponent) << 64n) | significand)));
  return false;
};

/** FLD ST(i). */
export const loadRegister: Run = (fpu, { index }) => {
  const source = sourceCheck(fpu, index);
  if (source === "masked") fpu.push(indefinite());
  if (source !== "present" || !hasRoom(fpu)) return false;
  setC1(fpu, false);
  fpu.push(fpu.read(index));
  return false;
};

/** Converts ST(0) and leaves it for memory; `whenEmpty` is the response to a masked stack underflow. */
function store(
  write: (call: X87Call, value: bigint) => void,
  convert: (value: Unpacked, env: FloatEnvironment) => bigint,
  whenEmpty: bigint,
  pop: boolean,
): Run {
  return (fpu, call) => {
    const source = sourceCheck(fpu, 0);
    if (source === "stop") return false;
    if (source === "masked") write(call, whenEmpty);
    else {
      const env = environmentOf(fpu);
      const value = convert(register(fpu, 0), env);
      if (!completeStore(fpu, env)) return false;
      write(call, value);
    }
    if (pop) fpu.pop();
    return true;
  };
}

/** FST and FSTP m32, m64. */
export function storeFloat(kind: FloatKind, pop: boolean): Run {
  const format = FLOAT_FORMATS[kind];
  return store(
    (call, value) => writeNumber(kind, call, value),
    (value, env) => extendedToBinary(format, value, env),
    packBinary(format, defaultNan()),
    pop,
  );
}

/** FIST, FISTP and, truncating, FISTTP. */
export function storeInteger(kind: IntegerKind, pop: boolean, truncate: boolean): Run {
  const width = INTEGER_WIDTHS[kind];
  return store(
    (call, value) => writeNumber(kind, call, BigInt.asUintN(64, value)),
    (value, env) => toInteger(value, width, truncate ? ROUND_ZERO : env.rounding, env),
    integerIndefinite(width),
    pop,
  );
}

/** FBSTP. */
export const storeBcd: Run = store(
  ({ memory, offset }, value) => {
    const significand = BigInt.asUintN(64, value);
    writeExtended(memory, offset, { significand, signExponent: Number(value >> 64n) });
  },
  toBcd,
  BCD_INDEFINITE,
  true,
);

/** FSTP m80: any encoding, no exception but stack underflow. */
export const storeExtended: Run = (fpu, { memory, offset }) => {
  const source = sourceCheck(fpu, 0);
  if (source === "stop") return false;
  if (source === "present") setC1(fpu, false);
  writeExtended(memory, offset, source === "masked" ? indefinite() : fpu.read(0));
  fpu.pop();
  return true;
};

/** FST and FSTP ST(i). */
export function storeRegister(pop: boolean): Run {
  return (fpu, { index }) => {
    const source = sourceCheck(fpu, 0);
    if (source === "stop") return false;
    if (source === "present") setC1(fpu, false);
    fpu.write(index, source === "masked" ? indefinite() : fpu.read(0));
    if (pop) fpu.pop();
    return false;
  };
}

/** FSTPNCE (D9 D8+i): as FSTP, but an empty ST(0) is popped without any exception or write. */
export const storeRegisterQuietly: Run = (fpu, { index }) => {
  setC1(fpu, false);
  if (!fpu.isEmpty(0)) fpu.write(index, fpu.read(0));
  fpu.pop();
  return false;
};

/** FXCH: an empty register, if that is masked, takes part as the indefinite. */
export const exchange: Run = (fpu, { index }) => {
  const source = sourceCheck(fpu, 0, index);
  if (source === "stop") return false;
  if (source === "present") setC1(fpu, false);
  const first = fpu.isEmpty(0) ? indefinite() : fpu.read(0);
  const second = fpu.isEmpty(index) ? indefinite() : fpu.read(index);
  fpu.write(0, second);
  fpu.write(index, first);
  return false;
};
