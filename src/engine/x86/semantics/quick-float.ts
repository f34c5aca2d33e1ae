/**
 * Quick paths of SSE floating point: WebAssembly's own operation, where the exact unit would do the same and report
 * nothing new. Operands have to be zero or normal, results too, so that only inexactness can be reported; rounding is to
 * nearest; and the result is inexact only if PE is sticky already and all exceptions are masked. DAZ and FTZ then make no
 * difference. Everything else goes to the exact unit. SDM vol. 1 §11.5.
 */
import { ROUND_BY_MXCSR, ROUND_MODE, ROUND_QUIET } from "../../../spec/sse.js";
import type { Value } from "../../ir/ir.js";
import * as layout from "../layout.js";
import { Lanes, type Shape } from "./float-lanes.js";
import type { InstructionBuilder } from "./instruction-builder.js";

const MXCSR_ROUNDING = 0x6000;
/** PE, all masks, rounding control; and PE set, all exceptions masked, to nearest. */
const MXCSR_DECISIVE = 0x7fa0;
const MXCSR_QUICK = 0x1fa0;

/** What a quick path found. */
export interface Quick {
  result: Value;
  /** Whether nothing but inexactness can have happened, i32. */
  fine: Value;
  /** Whether the result needed no rounding, i32, where that can be said; `true`: it never does. */
  exact?: Value | true;
}

function mxcsr(b: InstructionBuilder, mask: number): Value {
  return b.and(b.state("i32.load", layout.MXCSR), b.i32(mask));
}

/** Stores a result that can be delivered, otherwise emits the call of the exact unit. */
export function deliver(
  b: InstructionBuilder,
  { result, fine, exact }: Quick,
  store: (value: Value) => void,
  slow: () => void,
): void {
  if (exact === true) return b.if(fine, () => store(result), slow);
  const mayRound = b.eq(mxcsr(b, MXCSR_DECISIVE), b.i32(MXCSR_QUICK));
  b.if(
    b.and(mayRound, fine),
    () => store(result),
    () => {
      if (!exact) return slow();
      const nearest = b.eqz(mxcsr(b, MXCSR_ROUNDING));
      b.if(b.and(b.and(nearest, fine), exact), () => store(result), slow);
    },
  );
}

export type Arithmetic = "add" | "sub" | "mul" | "div";

/** x `name` y. A sum is exact where it is small; a product or quotient of zero is when an operand was. */
export function arithmetic(lanes: Lanes, name: Arithmetic, x: Value, y: Value): Quick {
  const result = lanes.compute(name, x, y);
  const divisor = name === "div" ? lanes.isNormal(y) : lanes.isOrdinary(y);
  const operands = lanes.both(lanes.isOrdinary(x), divisor);
  const fine = lanes.all(lanes.both(operands, resultIsFine(lanes, name, x, y, result)));
  return lanes.packed ? { result, fine } : { result, fine, exact: isExact(lanes, name, x, y, result) };
}

function resultIsFine(lanes: Lanes, name: Arithmetic, x: Value, y: Value, result: Value): Value {
  if (name === "add" || name === "sub") return lanes.isOrdinary(result);
  const zero = name === "div" ? lanes.isZero(x) : lanes.either(lanes.isZero(x), lanes.isZero(y));
  return lanes.either(lanes.isAboveSmallest(result), lanes.both(zero, lanes.isZero(result)));
}

function isExact(lanes: Lanes, name: Arithmetic, x: Value, y: Value, result: Value): Value {
  switch (name) {
    case "add":
      return lanes.sumIsExact(x, y, result);
    case "sub":
      return lanes.sumIsExact(x, lanes.compute("neg", y), result);
    case "mul":
      return lanes.productIsExact(x, y);
    case "div": {
      const back = lanes.compare("eq", lanes.compute("mul", result, y), x);
      return lanes.both(lanes.productIsExact(result, y), back);
    }
  }
}

/** √x of a number that is not negative. */
export function squareRoot(lanes: Lanes, x: Value): Quick {
  const result = lanes.compute("sqrt", x);
  const positive = lanes.both(lanes.isNormal(x), lanes.compare("gt", x, lanes.number(0)));
  const fine = lanes.all(lanes.either(positive, lanes.isZero(x)));
  if (lanes.packed) return { result, fine };
  const back = lanes.compare("eq", lanes.compute("mul", result, result), x);
  return { result, fine, exact: lanes.both(lanes.productIsExact(result, result), back) };
}

/** MIN and MAX: the second operand where both are equal, zeros of either sign included. */
export function extreme(lanes: Lanes, name: "min" | "max", x: Value, y: Value): Quick {
  const fine = lanes.all(lanes.both(lanes.isOrdinary(x), lanes.isOrdinary(y)));
  const first = lanes.compare(name === "min" ? "lt" : "gt", x, y);
  return { result: lanes.choose(first, x, y), fine, exact: true };
}

/** CMP: predicates 0 to 7 by the immediate's low three bits; of numbers none is unordered. */
export function comparison(b: InstructionBuilder, lanes: Lanes, x: Value, y: Value, imm: Value): Quick {
  const fine = lanes.all(lanes.both(lanes.isOrdinary(x), lanes.isOrdinary(y)));
  const predicate = b.and(imm, b.i32(ROUND_MODE));
  const is = (n: number): Value => b.eq(predicate, b.i32(n));
  const none = lanes.nowhere();
  const ordered = b.select(
    is(0),
    lanes.compare("eq", x, y),
    b.select(is(1), lanes.compare("lt", x, y), b.select(is(2), lanes.compare("le", x, y), none)),
  );
  const result = b.select(b.and(imm, b.i32(4)), lanes.negated(ordered), ordered);
  return { result, fine, exact: true };
}

const ROUNDINGS = ["nearest", "floor", "ceil", "trunc"];

/** ROUND: by the immediate's mode, or by MXCSR's, which is to nearest where this is delivered. */
export function integral(b: InstructionBuilder, lanes: Lanes, x: Value, imm: Value): Quick {
  const mode = b.select(b.and(imm, b.i32(ROUND_BY_MXCSR)), b.i32(0), b.and(imm, b.i32(ROUND_MODE)));
  const results = ROUNDINGS.map((name) => lanes.compute(name, x));
  const result = [1, 2, 3].reduce((r, n) => b.select(b.eq(mode, b.i32(n)), results[n], r), results[0]);
  const unchanged = lanes.all(lanes.compare("eq", result, x));
  const quiet = b.ne(b.and(imm, b.i32(ROUND_QUIET)), b.i32(0));
  return { result, fine: lanes.all(lanes.isOrdinary(x)), exact: b.or(unchanged, quiet) };
}

/** COMIS and UCOMIS of zero or normal operands: EFLAGS by two comparisons, no exception possible. */
export function compareToFlags(
  b: InstructionBuilder,
  shape: Shape,
  to: Value,
  from: Value,
  slow: () => void,
): void {
  const lanes = new Lanes(b, shape);
  const x = lanes.load(to);
  const y = lanes.load(from);
  const flags = b.or(lanes.compare("lt", x, y), b.shl(lanes.compare("eq", x, y), b.i32(6)));
  b.if(lanes.both(lanes.isOrdinary(x), lanes.isOrdinary(y)), () => b.setStatusFlags(flags), slow);
}
