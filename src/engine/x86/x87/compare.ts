/**
 * Comparisons, classification and conditional moves.
 *
 * Specification: Intel SDM vol. 1 §8.3.6; vol. 2 FCOM, FUCOM, FCOMI, FTST, FXAM, FCMOVcc.
 */
import {
  EXTENDED_SIGN,
  X87_STATUS_C0,
  X87_STATUS_C1,
  X87_STATUS_C2,
  X87_STATUS_C3,
} from "../../../spec/x87.js";
import {
  FLOAT_COMPARE_AFFECTED,
  FLOAT_COMPARE_CF,
  FLOAT_COMPARE_PF,
  FLOAT_COMPARE_ZF,
} from "../../../spec/sse.js";
import { EQUAL, LESS, UNORDERED, compare, eflagsOf, type Relation } from "../softfloat/compare.js";
import {
  INFINITY,
  QUIET_NAN,
  SIGNALING_NAN,
  UNSUPPORTED,
  ZERO,
  unpackExtended,
  zero,
  type Unpacked,
} from "../softfloat/value.js";
import { complete, environmentOf, indefinite, setC1, sourceCheck } from "./exceptions.js";
import type { X87Call } from "./instruction.js";
import { loadMemory, readNumber, register, type FloatKind, type IntegerKind } from "./operand.js";
import type { FpuState } from "./state.js";
import { compareWords, loadRegister, newWords } from "./words.js";

type Run = (fpu: FpuState, call: X87Call) => boolean;

const CONDITIONS = X87_STATUS_C0 | X87_STATUS_C2 | X87_STATUS_C3;

/** C3, C2 and C0 by relation (SDM vol. 1 table 8-6). */
function conditionsOf(relation: Relation): number {
  if (relation === UNORDERED) return CONDITIONS;
  if (relation === EQUAL) return X87_STATUS_C3;
  return relation === LESS ? X87_STATUS_C0 : 0;
}

function setConditions(fpu: FpuState, conditions: number): void {
  fpu.status = (fpu.status & ~CONDITIONS) | conditions;
}

const left = newWords();
const right = newWords();

/** The relation of ST(0) to the words in `right`, if both are normal numbers: then nothing can be reported. */
function relateQuickly(fpu: FpuState, rightIsNormal: boolean, pops: number): Relation | undefined {
  if (!rightIsNormal || !loadRegister(fpu, fpu.address(0), left)) return undefined;
  setC1(fpu, false);
  for (let i = 0; i < pops; i++) fpu.pop();
  return compareWords(left, right);
}

/** The relation of ST(0) to ST(index). */
function relateRegisters(fpu: FpuState, index: number, quietIsInvalid: boolean, pops: number): Relation {
  const present = !fpu.isEmpty(0) && !fpu.isEmpty(index);
  const quick = relateQuickly(fpu, present && loadRegister(fpu, fpu.address(index), right), pops);
  return quick ?? relate(fpu, [0, index], () => register(fpu, index), quietIsInvalid, pops);
}

/**
 * Compares ST(0) with another operand and pops. An unmasked exception stops the pops, but the outcome is still
 * delivered.
 */
function relate(
  fpu: FpuState,
  needed: number[],
  other: () => Unpacked,
  quietIsInvalid: boolean,
  pops: number,
): Relation {
  const source = sourceCheck(fpu, ...needed);
  let relation: Relation = UNORDERED;
  let completed = source === "masked";
  if (source === "present") {
    const env = environmentOf(fpu);
    relation = compare(register(fpu, 0), other(), quietIsInvalid, env);
    completed = complete(fpu, env);
  }
  for (let i = 0; i < (completed ? pops : 0); i++) fpu.pop();
  return relation;
}

/** FCOM, FCOMP, FICOM, FICOMP with memory. */
export function compareMemory(kind: FloatKind | IntegerKind, pops: number): Run {
  return (fpu, call) => {
    const normal = !fpu.isEmpty(0) && loadMemory(kind, call, right);
    const relation =
      relateQuickly(fpu, normal, pops) ?? relate(fpu, [0], () => readNumber(kind, call), true, pops);
    setConditions(fpu, conditionsOf(relation));
    return false;
  };
}

/** FCOM and FUCOM with ST(i), popping up to twice. */
export function compareRegister(quietIsInvalid: boolean, pops: number): Run {
  return (fpu, { index }) => {
    setConditions(fpu, conditionsOf(relateRegisters(fpu, index, quietIsInvalid, pops)));
    return false;
  };
}

/**
 * FCOMI and FUCOMI: the outcome goes to EFLAGS. C1 stays unless the stack underflows, as on the CPUs of both makers (the
 * SDM has it cleared).
 */
export function compareToFlags(quietIsInvalid: boolean, pops: number): Run {
  return (fpu, call) => {
    const c1 = fpu.status & X87_STATUS_C1;
    const underflow = fpu.isEmpty(0) || fpu.isEmpty(call.index);
    const relation = relateRegisters(fpu, call.index, quietIsInvalid, pops);
    if (!underflow) fpu.status |= c1;
    call.eflags = (call.eflags & ~FLOAT_COMPARE_AFFECTED) | eflagsOf(relation);
    return false;
  };
}

/** FTST: against +0. */
export const testZero: Run = (fpu) => {
  setConditions(fpu, conditionsOf(relate(fpu, [0], () => zero(0), true, 0)));
  return false;
};

/** C3, C2 and C0 of FXAM for a register in use (SDM vol. 2 table FXAM). */
function classify(value: Unpacked): number {
  if (value.kind === UNSUPPORTED) return 0;
  if (value.kind === QUIET_NAN || value.kind === SIGNALING_NAN) return X87_STATUS_C0;
  if (value.kind === INFINITY) return X87_STATUS_C2 | X87_STATUS_C0;
  if (value.kind === ZERO) return X87_STATUS_C3;
  return value.denormal ? X87_STATUS_C3 | X87_STATUS_C2 : X87_STATUS_C2;
}

/** FXAM: class in C3, C2, C0 and sign in C1, also of an empty register. */
export const examine: Run = (fpu) => {
  const value = fpu.read(0);
  setC1(fpu, (value.signExponent & EXTENDED_SIGN) !== 0);
  const empty = X87_STATUS_C3 | X87_STATUS_C0;
  setConditions(fpu, fpu.isEmpty(0) ? empty : classify(unpackExtended(value)));
  return false;
};

/** Conditions of FCMOVcc on EFLAGS. */
const MOVE_CONDITIONS = {
  b: FLOAT_COMPARE_CF,
  e: FLOAT_COMPARE_ZF,
  be: FLOAT_COMPARE_CF | FLOAT_COMPARE_ZF,
  u: FLOAT_COMPARE_PF,
} as const;

/** FCMOVcc ST(0), ST(i): when any (or, `negated`, none) of the condition's flags is set. */
export function conditionalMove(condition: keyof typeof MOVE_CONDITIONS, negated: boolean): Run {
  return (fpu, { index, eflags }) => {
    const source = sourceCheck(fpu, 0, index);
    if (source === "masked") fpu.write(0, indefinite());
    if (source !== "present") return false;
    const holds = (eflags & MOVE_CONDITIONS[condition]) !== 0;
    if (holds !== negated) fpu.write(0, fpu.read(index));
    return false;
  };
}
