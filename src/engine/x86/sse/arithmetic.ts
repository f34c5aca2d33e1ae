/**
 * SSE arithmetic by lane: the basic four, square root, minimum, maximum, rounding, horizontal operations, dot
 * products. Each lane goes through host arithmetic when that provably gives the same, else through the exact path.
 *
 * Specification: Intel SDM vol. 2 ADDPS … SQRTSD, MINPS, MAXPS, ROUNDPS, HADDPS, ADDSUBPS, DPPS.
 */
import { XMM_BYTES } from "../../../spec/x86-encoding.js";
import { ROUND_BY_MXCSR, ROUND_MODE, ROUND_QUIET } from "../../../spec/sse.js";
import {
  binaryAdd,
  binaryDivide,
  binaryMaximum,
  binaryMinimum,
  binaryMultiply,
  binaryRoundIntegral,
  binarySquareRoot,
  binarySubtract,
} from "../softfloat/binary.js";
import { PRECISION, type FloatEnvironment, type RoundingMode } from "../softfloat/environment.js";
import {
  isPlain,
  nativeAdd,
  nativeDivide,
  nativeMultiply,
  nativeRound,
  nativeSquareRoot,
} from "../softfloat/native.js";
import type { BinaryFormat } from "../softfloat/value.js";
import { endStep, type Lane, type SseContext } from "./context.js";

export type Run = (context: SseContext) => void;

/** One operation in its two forms. `native` answers NaN when it cannot decide. */
interface LaneOperation {
  native(a: number, b: number, width: 32 | 64, env: FloatEnvironment): number;
  exact(format: BinaryFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint;
}

const UNDECIDED = Number.NaN;

const ADD: LaneOperation = { native: nativeAdd, exact: binaryAdd };
const SUBTRACT: LaneOperation = {
  native: (a, b, width, env) => nativeAdd(a, -b, width, env),
  exact: binarySubtract,
};
const MULTIPLY: LaneOperation = { native: nativeMultiply, exact: binaryMultiply };

/** The operations with two operands, by the root of their mnemonic. */
export const TWO_OPERAND = {
  add: ADD,
  sub: SUBTRACT,
  mul: MULTIPLY,
  div: { native: nativeDivide, exact: binaryDivide },
  min: {
    native: (a, b, width) => (isPlain(a, width) && isPlain(b, width) ? (a < b ? a : b) : UNDECIDED),
    exact: binaryMinimum,
  },
  max: {
    native: (a, b, width) => (isPlain(a, width) && isPlain(b, width) ? (a > b ? a : b) : UNDECIDED),
    exact: binaryMaximum,
  },
} as const satisfies Record<string, LaneOperation>;

/** Computes one lane of the result. */
function computeLane(
  context: SseContext,
  operation: LaneOperation,
  lane: Lane,
  a: number,
  b: number,
  to: number,
): void {
  const { view, env, result } = context;
  const quick = operation.native(lane.readNumber(view, a), lane.readNumber(view, b), lane.format.width, env);
  if (!Number.isNaN(quick)) lane.writeNumber(result, to, quick);
  else lane.write(result, to, operation.exact(lane.format, lane.read(view, a), lane.read(view, b), env));
}

/** Lane by lane, `count` of them. */
export function eachLane(operation: LaneOperation, lane: Lane, count: number): Run {
  return (context) => {
    for (let i = 0; i < count; i++) {
      const at = i * lane.bytes;
      computeLane(context, operation, lane, context.a + at, context.b + at, at);
    }
  };
}

/** Square root of the second operand's lanes. */
export function squareRoots(lane: Lane, count: number): Run {
  const operation: LaneOperation = {
    native: (_, b, width, env) => nativeSquareRoot(b, width, env),
    exact: (format, _, b, env) => binarySquareRoot(format, b, env),
  };
  return eachLane(operation, lane, count);
}

/** ADDSUB: even lanes subtract, odd ones add. */
export function addSubtract(lane: Lane): Run {
  return (context) => {
    for (let i = 0; i < XMM_BYTES / lane.bytes; i++) {
      const at = i * lane.bytes;
      computeLane(context, i % 2 === 0 ? SUBTRACT : ADD, lane, context.a + at, context.b + at, at);
    }
  };
}

/** HADD and HSUB: neighbours of the first operand give the low half, of the second the high half. */
export function horizontal(subtract: boolean, lane: Lane): Run {
  const operation = subtract ? SUBTRACT : ADD;
  return (context) => {
    const half = XMM_BYTES / 2;
    for (let at = 0; at < XMM_BYTES; at += lane.bytes) {
      const pair = at < half ? context.a + 2 * at : context.b + 2 * (at - half);
      computeLane(context, operation, lane, pair, pair + lane.bytes, at);
    }
  };
}

/** Immediate bits of ROUND: the mode, "use MXCSR", "report no inexact result". */

/** ROUNDPS and its kin: the second operand's lanes to integral values. */
export function roundLanes(lane: Lane, count: number): Run {
  return (context) => {
    const { view, b, imm, env, result } = context;
    const rounding = (imm & ROUND_BY_MXCSR) !== 0 ? env.rounding : ((imm & ROUND_MODE) as RoundingMode);
    const quiet = (imm & ROUND_QUIET) !== 0;
    for (let i = 0; i < count; i++) {
      const at = i * lane.bytes;
      const value = lane.readNumber(view, b + at);
      if (isPlain(value, lane.format.width)) {
        const rounded = nativeRound(value, rounding);
        if (rounded !== value && !quiet) env.flags |= PRECISION;
        lane.writeNumber(result, at, rounded);
      } else {
        const bits = lane.read(view, b + at);
        lane.write(result, at, binaryRoundIntegral(lane.format, bits, rounding, quiet, env));
      }
    }
  };
}

/** Lanes that DPPS multiplies by imm bits 7–4, and delivers to by imm bits 3–0. */
const DOT_SOURCES = 4;

/** Products selected by the immediate, then sums in pairs; each step can fault before the next. */
export function dotProduct(lane: Lane, count: number): Run {
  const zero = 0n;
  return (context) => {
    const { view, a, b, imm, env, result } = context;
    const { format, bytes } = lane;
    let terms: bigint[] = [];
    for (let i = 0; i < count; i++) {
      const used = (imm & (1 << (DOT_SOURCES + i))) !== 0;
      const x = lane.read(view, a + i * bytes);
      terms.push(used ? binaryMultiply(format, x, lane.read(view, b + i * bytes), env) : zero);
    }
    while (terms.length > 1 && !endStep(context)) {
      const sums: bigint[] = [];
      for (let i = 0; i < terms.length; i += 2) sums.push(binaryAdd(format, terms[i], terms[i + 1], env));
      terms = sums;
    }
    for (let i = 0; i < count; i++) {
      lane.write(result, i * bytes, (imm & (1 << i)) !== 0 ? terms[0] : zero);
    }
  };
}
