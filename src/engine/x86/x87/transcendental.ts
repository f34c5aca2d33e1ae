/**
 * The transcendental instructions and the constants.
 *
 * Specification: Intel SDM vol. 1 §8.3.4, §8.3.7–8.3.9; vol. 2 F2XM1 … FYL2XP1, FLD1 and its kin.
 */
import { X87_STATUS_C2 } from "../../../spec/x87.js";
import type { FloatEnvironment } from "../softfloat/environment.js";
import { deliverFull } from "../softfloat/extended.js";
import {
  arctangentOfRatio,
  constant,
  powerMinusOne,
  timesLog2,
  timesLog2Plus1,
  trigonometric,
  type Trigonometric,
  type X87Constant,
} from "../softfloat/transcendental.js";
import { packExtended, unpackInteger, type Extended, type Unpacked } from "../softfloat/value.js";
import { complete, environmentOf, indefinite, setC1, sourceCheck, stackFault } from "./exceptions.js";
import type { X87Call } from "./instruction.js";
import { register } from "./operand.js";
import type { FpuState } from "./state.js";

type Run = (fpu: FpuState, call: X87Call) => boolean;

/** F2XM1. */
export const power: Run = (fpu) => {
  const source = sourceCheck(fpu, 0);
  if (source === "masked") fpu.write(0, indefinite());
  if (source !== "present") return false;
  const env = environmentOf(fpu);
  const result = deliverFull(powerMinusOne(register(fpu, 0), env), env);
  if (complete(fpu, env)) fpu.write(0, result);
  return false;
};

/** ST(1) := f(ST(0), ST(1)), then pop. */
function intoSecond(compute: (st0: Unpacked, st1: Unpacked, env: FloatEnvironment) => Unpacked): Run {
  return (fpu) => {
    const source = sourceCheck(fpu, 0, 1);
    if (source === "stop") return false;
    let result = indefinite();
    if (source === "present") {
      const env = environmentOf(fpu);
      result = deliverFull(compute(register(fpu, 0), register(fpu, 1), env), env);
      if (!complete(fpu, env)) return false;
    }
    fpu.write(1, result);
    fpu.pop();
    return false;
  };
}

/** FYL2X, FYL2XP1 and FPATAN. */
export const logarithm = intoSecond(timesLog2);
export const logarithmPlus1 = intoSecond(timesLog2Plus1);
export const arctangent = intoSecond((st0, st1, env) => arctangentOfRatio(st1, st0, env));

/** Sets C2: the argument is out of range and nothing was computed. */
function outOfRange(fpu: FpuState): void {
  setC1(fpu, false);
  fpu.status |= X87_STATUS_C2;
}

/** FSIN and FCOS. */
export function sineOrCosine(name: Trigonometric): Run {
  return (fpu) => {
    fpu.status &= ~X87_STATUS_C2;
    const source = sourceCheck(fpu, 0);
    if (source === "masked") fpu.write(0, indefinite());
    if (source !== "present") return false;
    const env = environmentOf(fpu);
    const exact = trigonometric(name, register(fpu, 0), env);
    if (exact === undefined) {
      outOfRange(fpu);
      return false;
    }
    const result = deliverFull(exact, env);
    if (complete(fpu, env)) fpu.write(0, result);
    return false;
  };
}

/** FSINCOS and FPTAN: replace ST(0) by one function of it and push another. */
function replaceAndPush(
  first: Trigonometric,
  second: (value: Unpacked, env: FloatEnvironment) => Extended,
): Run {
  return (fpu) => {
    fpu.status &= ~X87_STATUS_C2;
    const underflow = fpu.isEmpty(0);
    if (underflow || !fpu.isEmpty(-1)) {
      if (!stackFault(fpu, !underflow)) return false;
      fpu.write(0, indefinite());
      fpu.push(indefinite());
      return false;
    }
    const env = environmentOf(fpu);
    const argument = register(fpu, 0);
    const exact = trigonometric(first, argument, env);
    if (exact === undefined) {
      outOfRange(fpu);
      return false;
    }
    const pushed = second(argument, env);
    const replaced = deliverFull(exact, env);
    if (!complete(fpu, env)) return false;
    fpu.write(0, replaced);
    fpu.push(pushed);
    return false;
  };
}

export const sineAndCosine = replaceAndPush("sin", (value, env) => {
  const cosine = trigonometric("cos", value, env);
  return cosine === undefined ? indefinite() : deliverFull(cosine, env);
});

/** FPTAN pushes 1, or the same NaN again. */
export const tangent = replaceAndPush("tan", (value, env) => {
  const result = trigonometric("tan", value, { ...env });
  return result !== undefined && result.kind >= 3 ? packExtended(result) : packExtended(unpackInteger(1n));
});

/** FLD1 … FLDZ: constants rounded as RC says. */
export function loadConstant(name: X87Constant): Run {
  return (fpu) => {
    if (!fpu.isEmpty(-1)) {
      if (stackFault(fpu, true)) fpu.push(indefinite());
      return false;
    }
    setC1(fpu, false);
    fpu.push(deliverFull(constant(name), environmentOf(fpu)));
    return false;
  };
}
