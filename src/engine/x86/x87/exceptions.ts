/**
 * How an x87 instruction meets its exceptions: the environment it computes in, stack faults, and what its flags do
 * to the status word and to the delivery of its result.
 *
 * Specification: Intel SDM vol. 1 §8.1.3.1, §8.4–8.6.
 */
import {
  X87_CONTROL_PRECISION_SHIFT,
  X87_CONTROL_ROUNDING_SHIFT,
  X87_PRECISION_BITS,
  X87_STATUS_C1,
  X87_STATUS_STACK_FAULT,
} from "../../../spec/x87.js";
import {
  ALL_EXCEPTIONS,
  INVALID,
  OVERFLOW,
  PRECISION,
  PRE_COMPUTATION,
  UNDERFLOW,
  type FloatEnvironment,
  type RoundingMode,
} from "../softfloat/environment.js";
import { defaultNan, packExtended, type Extended } from "../softfloat/value.js";
import type { FpuState } from "./state.js";

/** Bits of each control field. */
const FIELD = 3;

/** The environment that the control word describes, without flags. */
export function environmentOf(fpu: FpuState): FloatEnvironment {
  const control = fpu.control;
  return {
    rounding: ((control >> X87_CONTROL_ROUNDING_SHIFT) & FIELD) as RoundingMode,
    flags: 0,
    masks: control & ALL_EXCEPTIONS,
    precision: X87_PRECISION_BITS[(control >> X87_CONTROL_PRECISION_SHIFT) & FIELD] as 24 | 53 | 64,
    daz: false,
    ftz: false,
    nans: "x87",
    roundedUp: false,
  };
}

/** The real indefinite, response to a masked stack fault. */
export function indefinite(): Extended {
  return packExtended(defaultNan());
}

/** Sets or clears C1. */
export function setC1(fpu: FpuState, on: boolean): void {
  fpu.status = on ? fpu.status | X87_STATUS_C1 : fpu.status & ~X87_STATUS_C1;
}

/**
 * Reports a stack overflow or underflow. Returns whether it is masked, that is, whether the instruction goes on
 * with the real indefinite; otherwise it changes nothing more.
 */
export function stackFault(fpu: FpuState, overflow: boolean): boolean {
  fpu.status |= INVALID | X87_STATUS_STACK_FAULT;
  setC1(fpu, overflow);
  return (fpu.control & INVALID) !== 0;
}

/** Reports an underflow if one of the named registers is empty. */
export function sourceCheck(fpu: FpuState, ...indices: number[]): "present" | "masked" | "stop" {
  if (!indices.some((index) => fpu.isEmpty(index))) return "present";
  return stackFault(fpu, false) ? "masked" : "stop";
}

/** Merges what an operation reported into the status word; `suppressing` are the exceptions that stop a delivery. */
function report(fpu: FpuState, env: FloatEnvironment, suppressing: number): boolean {
  const unmasked = env.flags & ~env.masks;
  // An exception found beforehand stops the operation before it could find the others.
  const early = (unmasked & PRE_COMPUTATION) !== 0;
  const stopped = (unmasked & suppressing) !== 0;
  const flags = early ? env.flags & PRE_COMPUTATION : stopped ? env.flags & ~PRECISION : env.flags;
  setC1(fpu, !stopped && env.roundedUp);
  fpu.status |= flags;
  return !stopped;
}

/** Ends an operation on registers. Returns whether its result is to be written. */
export function complete(fpu: FpuState, env: FloatEnvironment): boolean {
  return report(fpu, env, PRE_COMPUTATION);
}

/** Ends an operation that stores to memory: unmasked overflow and underflow leave memory and stack alone, too. */
export function completeStore(fpu: FpuState, env: FloatEnvironment): boolean {
  return report(fpu, env, PRE_COMPUTATION | OVERFLOW | UNDERFLOW);
}
