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
  loadMemory,
  readExtended,
  readNumber,
  register,
  writeExtended,
  writeNumber,
  type FloatKind,
  type IntegerKind,
} from "./operand.js";
import { noteRounding, storeDouble, storeSingle, toSmallInteger } from "./quick.js";
import type { FpuState } from "./state.js";
import { loadRegister as loadRegisterWords, newWords, storeRegister as storeRegisterWords } from "./words.js";

type Run = (fpu: FpuState, call: X87Call) => boolean;

/** Whether a push finds room; if not and that is masked, the indefinite is pushed. */
function hasRoom(fpu: FpuState): boolean {
  if (fpu.isEmpty(-1)) return true;
  if (stackFault(fpu, true)) fpu.push(indefinite());
  return false;
}

const words = newWords();
const spare = newWords();

/** Pushes the normal number in `words`. */
function pushWords(fpu: FpuState): void {
  setC1(fpu, false);
  fpu.top = fpu.top - 1;
  storeRegisterWords(fpu, fpu.address(0), words);
  fpu.occupy(0);
}

/** FLD m32, m64 and FILD. A denormal is loaded even when that exception is unmasked. */
export function loadNumber(kind: FloatKind | IntegerKind): Run {
  return (fpu, call) => {
    if (!hasRoom(fpu)) return false;
    if (loadMemory(kind, call, words)) {
      pushWords(fpu);
      return false;
    }
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
  fpu.top = fpu.top - 1;
  fpu.copy((index + 1) & 7, 0);
  return false;
};

/**
 * Converts ST(0) and leaves it for memory; `whenEmpty` is the response to a masked stack underflow, `quickly` the
 * fast path for a normal number in `words`, which may refuse.
 */
function store(
  quickly: (fpu: FpuState, call: X87Call) => boolean,
  write: (call: X87Call, value: bigint) => void,
  convert: (value: Unpacked, env: FloatEnvironment) => bigint,
  whenEmpty: bigint,
  pop: boolean,
): Run {
  return (fpu, call) => {
    const source = sourceCheck(fpu, 0);
    if (source === "stop") return false;
    if (source === "masked") write(call, whenEmpty);
    else if (loadRegisterWords(fpu, fpu.address(0), words) && quickly(fpu, call)) {
      noteRounding(fpu);
    } else {
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
  const quick = kind === "f64" ? storeDouble : storeSingle;
  return store(
    (fpu, { memory, offset }) => quick(fpu, words, memory, offset, spare),
    (call, value) => writeNumber(kind, call, value),
    (value, env) => extendedToBinary(format, value, env),
    packBinary(format, defaultNan()),
    pop,
  );
}

/** The fast path of FIST for small results. */
function storeSmallInteger(fpu: FpuState, call: X87Call, kind: IntegerKind, truncate: boolean): boolean {
  const value = toSmallInteger(words, truncate ? ROUND_ZERO : environmentOf(fpu).rounding);
  if (value === undefined || (kind === "i16" && (value << 16) >> 16 !== value)) return false;
  if (kind === "i16") call.memory.setInt16(call.offset, value, true);
  else call.memory.setInt32(call.offset, value, true);
  if (kind === "i64") call.memory.setInt32(call.offset + 4, value >> 31, true);
  return true;
}

/** FIST, FISTP and, truncating, FISTTP. */
export function storeInteger(kind: IntegerKind, pop: boolean, truncate: boolean): Run {
  const width = INTEGER_WIDTHS[kind];
  return store(
    (fpu, call) => storeSmallInteger(fpu, call, kind, truncate),
    (call, value) => writeNumber(kind, call, BigInt.asUintN(64, value)),
    (value, env) => toInteger(value, width, truncate ? ROUND_ZERO : env.rounding, env),
    integerIndefinite(width),
    pop,
  );
}

/** FBSTP. */
export const storeBcd: Run = store(
  () => false,
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
    if (source === "masked") fpu.write(index, indefinite());
    else fpu.copy(0, index);
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
  if (source === "present") {
    setC1(fpu, false);
    loadRegisterWords(fpu, fpu.address(0), words);
    fpu.copy(index, 0);
    storeRegisterWords(fpu, fpu.address(index), words);
    return false;
  }
  const first = fpu.isEmpty(0) ? indefinite() : fpu.read(0);
  const second = fpu.isEmpty(index) ? indefinite() : fpu.read(index);
  fpu.write(0, second);
  fpu.write(index, first);
  return false;
};
