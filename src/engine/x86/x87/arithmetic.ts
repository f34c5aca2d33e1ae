/**
 * Instructions that compute a number from numbers: the basic four, square root, remainder, scaling, rounding and
 * sign operations.
 *
 * Specification: Intel SDM vol. 1 §8.3.5; vol. 2 FADD … FXTRACT.
 */
import {
  EXTENDED_SIGN,
  X87_STATUS_C0,
  X87_STATUS_C1,
  X87_STATUS_C2,
  X87_STATUS_C3,
} from "../../../spec/x87.js";
import { unpackExtended, type Extended, type Unpacked } from "../softfloat/value.js";
import {
  extendedAdd,
  extendedDivide,
  extendedExtract,
  extendedMultiply,
  extendedRemainder,
  extendedRoundIntegral,
  extendedScale,
  extendedSquareRoot,
  extendedSubtract,
} from "../softfloat/extended.js";
import type { FloatEnvironment } from "../softfloat/environment.js";
import { complete, environmentOf, indefinite, setC1, sourceCheck, stackFault } from "./exceptions.js";
import type { X87Call } from "./instruction.js";
import { loadMemory, readNumber, register, type FloatKind, type IntegerKind } from "./operand.js";
import { noteRounding, quickAdd, quickDivide, quickMultiply } from "./quick.js";
import type { FpuState } from "./state.js";
import { loadRegister, newWords, storeRegister } from "./words.js";

type Run = (fpu: FpuState, call: X87Call) => boolean;
type TwoOperand = (a: Unpacked, b: Unpacked, env: FloatEnvironment) => Extended;

/** The operations of the basic groups; the reversed ones take their operands the other way round. */
const BASIC = {
  add: extendedAdd,
  multiply: extendedMultiply,
  subtract: extendedSubtract,
  subtractReversed: (a: Unpacked, b: Unpacked, env: FloatEnvironment) => extendedSubtract(b, a, env),
  divide: extendedDivide,
  divideReversed: (a: Unpacked, b: Unpacked, env: FloatEnvironment) => extendedDivide(b, a, env),
} as const satisfies Record<string, TwoOperand>;
export type Basic = keyof typeof BASIC;

const left = newWords();
const right = newWords();
const outcome = newWords();

/** The fast path of target := left op right. Returns false, with nothing changed, when it does not apply. */
function computeQuickly(fpu: FpuState, operation: Basic, target: number): boolean {
  if (!quickly(fpu, operation)) return false;
  storeRegister(fpu, fpu.address(target), outcome);
  noteRounding(fpu);
  return true;
}

function quickly(fpu: FpuState, operation: Basic): boolean {
  switch (operation) {
    case "add":
      return quickAdd(fpu, left, right, 0, outcome);
    case "subtract":
      return quickAdd(fpu, left, right, 1, outcome);
    case "subtractReversed":
      return quickAdd(fpu, right, left, 1, outcome);
    case "multiply":
      return quickMultiply(fpu, left, right, outcome);
    case "divide":
      return quickDivide(fpu, left, right, outcome);
    case "divideReversed":
      return quickDivide(fpu, right, left, outcome);
  }
}

/** ST(0) := ST(0) op memory. */
export function withMemory(operation: Basic, kind: FloatKind | IntegerKind): Run {
  return (fpu, call) => {
    const source = sourceCheck(fpu, 0);
    if (source === "masked") fpu.write(0, indefinite());
    if (source !== "present") return false;
    const normal = loadRegister(fpu, fpu.address(0), left) && loadMemory(kind, call, right);
    if (normal && computeQuickly(fpu, operation, 0)) return false;
    const env = environmentOf(fpu);
    const result = BASIC[operation](register(fpu, 0), readNumber(kind, call), env);
    if (complete(fpu, env)) fpu.write(0, result);
    return false;
  };
}

/** ST(0) := ST(0) op ST(i), or ST(i) := ST(i) op ST(0), perhaps popping. */
export function withRegister(operation: Basic, destination: "st0" | "sti", pop: boolean): Run {
  return (fpu, { index }) => {
    const target = destination === "st0" ? 0 : index;
    const other = destination === "st0" ? index : 0;
    const source = sourceCheck(fpu, 0, index);
    if (source === "stop") return false;
    let result = indefinite();
    if (source === "present") {
      const normal =
        loadRegister(fpu, fpu.address(target), left) && loadRegister(fpu, fpu.address(other), right);
      if (normal && computeQuickly(fpu, operation, target)) {
        if (pop) fpu.pop();
        return false;
      }
      const env = environmentOf(fpu);
      result = BASIC[operation](register(fpu, target), register(fpu, other), env);
      if (!complete(fpu, env)) return false;
    }
    fpu.write(target, result);
    if (pop) fpu.pop();
    return false;
  };
}

/** ST(0) := f(ST(0)). */
function inPlace(compute: (value: Unpacked, env: FloatEnvironment) => Extended): Run {
  return (fpu) => {
    const source = sourceCheck(fpu, 0);
    if (source === "masked") fpu.write(0, indefinite());
    if (source !== "present") return false;
    const env = environmentOf(fpu);
    const result = compute(register(fpu, 0), env);
    if (complete(fpu, env)) fpu.write(0, result);
    return false;
  };
}

/** FSQRT. */
export const squareRoot = inPlace(extendedSquareRoot);

/** FRNDINT. */
export const roundToInteger = inPlace((value, env) => extendedRoundIntegral(value, env.rounding, env));

/** FCHS and FABS: the sign bit and nothing else, whatever the encoding. */
function signOperation(change: (signExponent: number) => number): Run {
  return (fpu) => {
    const source = sourceCheck(fpu, 0);
    if (source === "masked") fpu.write(0, indefinite());
    if (source !== "present") return false;
    setC1(fpu, false);
    const { signExponent, significand } = fpu.read(0);
    fpu.write(0, { signExponent: change(signExponent), significand });
    return false;
  };
}

export const changeSign = signOperation((signExponent) => signExponent ^ EXTENDED_SIGN);
export const absolute = signOperation((signExponent) => signExponent & ~EXTENDED_SIGN);

/** FSCALE: ST(0) × 2^trunc(ST(1)). */
export const scale: Run = (fpu) => {
  const source = sourceCheck(fpu, 0, 1);
  if (source === "masked") fpu.write(0, indefinite());
  if (source !== "present") return false;
  const env = environmentOf(fpu);
  const result = extendedScale(register(fpu, 0), register(fpu, 1), env);
  if (complete(fpu, env)) fpu.write(0, result);
  return false;
};

/** FPREM and FPREM1: the quotient's low bits in C0, C3, C1 when complete; C2 when not. */
export function partialRemainder(nearest: boolean): Run {
  return (fpu) => {
    const source = sourceCheck(fpu, 0, 1);
    fpu.status &= ~X87_STATUS_C2;
    if (source === "masked") fpu.write(0, indefinite());
    if (source !== "present") return false;
    const env = environmentOf(fpu);
    const { value, quotient, partial } = extendedRemainder(register(fpu, 0), register(fpu, 1), nearest, env);
    if (!complete(fpu, env)) return false;
    fpu.write(0, value);
    if (quotient === undefined) return false;
    let conditions = partial ? X87_STATUS_C2 : 0;
    if ((quotient & 1) !== 0) conditions |= X87_STATUS_C1;
    if ((quotient & 2) !== 0) conditions |= X87_STATUS_C3;
    if ((quotient & 4) !== 0) conditions |= X87_STATUS_C0;
    const all = X87_STATUS_C0 | X87_STATUS_C1 | X87_STATUS_C2 | X87_STATUS_C3;
    fpu.status = (fpu.status & ~all) | conditions;
    return false;
  };
}

/** FXTRACT: ST(0) becomes the exponent, then the significand is pushed. */
export const extractParts: Run = (fpu) => {
  const underflow = fpu.isEmpty(0);
  if (underflow || !fpu.isEmpty(-1)) {
    if (!stackFault(fpu, !underflow)) return false;
    fpu.write(0, indefinite());
    fpu.push(indefinite());
    return false;
  }
  const env = environmentOf(fpu);
  const { exponent, significand } = extendedExtract(unpackExtended(fpu.read(0)), env);
  if (!complete(fpu, env)) return false;
  fpu.write(0, exponent);
  fpu.push(significand);
  return false;
};
