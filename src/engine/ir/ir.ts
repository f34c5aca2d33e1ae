/**
 * The intermediate representation that instruction semantics are written into: typed values in single-assignment
 * form, structured control flow, mutable variables where paths join. It maps one to one onto WebAssembly, whose
 * operation names it uses, and knows nothing of x86.
 */

export type Type = "i32" | "i64" | "f32" | "f64" | "v128";

/**
 * A value: defined once, where it stands as a statement; usable until the end of the enclosing block. Constants and
 * parameters are no statements.
 */
export interface Value {
  readonly kind: "define";
  readonly type: Type;
  /** WebAssembly operation name ("i64.add"), or "const", "get", "call", "parameter". */
  readonly op: string;
  readonly args: readonly Value[];
  /** Constant, load offset, lane, or 16 bytes of a vector constant or shuffle. An i64: see `integer`. */
  readonly immediate: number | bigint | Uint8Array | undefined;
  /** Number of a parameter, variable or callee, for "parameter", "get", "call". */
  readonly target: Variable | string | number | undefined;
  /** Without effect: its evaluation may move to the place of its only use. */
  readonly pure: boolean;
  /** How often it is used as an argument; maintained by the builder. */
  uses: number;
  /** Number of the local that holds it while it is lowered, or `NO_LOCAL`. */
  local: number;
  /** Uses to come while it is lowered. */
  remaining: number;
}

/** A mutable cell, for values that differ by path. */
export interface Variable {
  readonly name: string;
  readonly type: Type;
  /** As that of a value. */
  local: number;
}

export const NO_LOCAL = -1;

/** A value; all have the same shape, because lowering is what compiling a region waits for. So may `pure` be given. */
export function makeValue(
  type: Type,
  op: string,
  args: readonly Value[],
  immediate?: Value["immediate"],
  target?: Value["target"],
  pure = isPure(op),
): Value {
  return { kind: "define", type, op, args, immediate, target, pure, uses: 0, local: NO_LOCAL, remaining: 0 };
}

function isPure(op: string): boolean {
  return op !== "get" && op !== "call" && !op.includes(".load");
}

/** Arguments of what has none. */
export const NO_ARGUMENTS: readonly Value[] = [];

/** A read of a variable. */
export function readVariable(variable: Variable): Value {
  return makeValue(variable.type, "get", NO_ARGUMENTS, undefined, variable, false);
}

function literal(type: Type, immediate: Value["immediate"]): Value {
  return makeValue(type, "const", NO_ARGUMENTS, immediate, undefined, true);
}

const SMALLEST_SHARED = -16;
const LARGEST_SHARED = 256;
const SHARED_I32: Value[] = [];
const SHARED_I64: Value[] = [];
for (let i = SMALLEST_SHARED; i <= LARGEST_SHARED; i++) {
  SHARED_I32.push(literal("i32", i));
  SHARED_I64.push(literal("i64", i));
}

/** A constant. All functions share those of small integers. */
export function constantValue(type: Type, immediate: number | bigint | Uint8Array): Value {
  const small = typeof immediate === "number" && immediate >= SMALLEST_SHARED && immediate <= LARGEST_SHARED;
  if (small && type === "i32") return SHARED_I32[immediate - SMALLEST_SHARED];
  if (small && type === "i64") return SHARED_I64[immediate - SMALLEST_SHARED];
  return literal(type, immediate);
}

/**
 * The immediate of an i64 constant: a number where it is exact, because arithmetic with bigints is slow, and one form
 * for each value.
 */
export function integer(value: number | bigint): number | bigint {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : integer(BigInt(value));
  const wrapped = BigInt.asIntN(64, value);
  const exact = Number(wrapped);
  return Number.isSafeInteger(exact) ? exact : wrapped;
}

/** A variable that no function has set yet. */
export function makeVariable(name: string, type: Type): Variable {
  return { name, type, local: NO_LOCAL };
}

export interface Label {
  readonly name: string;
}

export type Statement =
  | Value
  | { kind: "store"; op: string; address: Value; offset: number; value: Value; lane: number | undefined }
  | { kind: "set"; variable: Variable; value: Value }
  | { kind: "call"; callee: string; args: readonly Value[] }
  | { kind: "bulk"; op: "memory.copy" | "memory.fill"; args: readonly Value[] }
  | { kind: "if"; condition: Value; then: Statement[]; else: Statement[]; seldom: boolean }
  | { kind: "loop" | "block"; label: Label; body: Statement[] }
  | { kind: "branch"; label: Label; condition: Value | undefined; seldom: boolean }
  | { kind: "branchTable"; index: Value; labels: readonly Label[]; otherwise: Label }
  | { kind: "return"; value: Value | undefined };

export interface Signature {
  parameters: readonly Type[];
  results: readonly Type[];
}

export interface IrFunction {
  name: string;
  signature: Signature;
  body: Statement[];
}
