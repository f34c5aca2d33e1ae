/**
 * The intermediate representation that instruction semantics are written into: typed values in single-assignment
 * form, structured control flow, mutable variables where paths join. It maps one to one onto WebAssembly, whose
 * operation names it uses, and knows nothing of x86.
 */

export type Type = "i32" | "i64" | "f32" | "f64" | "v128";

/** A value: defined once, where its statement stands; usable until the end of the enclosing block. */
export interface Value {
  readonly type: Type;
  /** WebAssembly operation name ("i64.add"), or "const", "get", "call", "parameter". */
  readonly op: string;
  readonly args: readonly Value[];
  /** Constant, load offset, lane, or 16 bytes of a vector constant or shuffle. */
  readonly immediate?: number | bigint | Uint8Array;
  /** Number of a parameter, variable or callee, for "parameter", "get", "call". */
  readonly target?: Variable | string | number;
  /** How often it is used as an argument; maintained by the builder. */
  uses: number;
}

/** A mutable cell, for values that differ by path. */
export interface Variable {
  readonly name: string;
  readonly type: Type;
}

export interface Label {
  readonly name: string;
}

export type Statement =
  | { kind: "define"; value: Value }
  | { kind: "store"; op: string; address: Value; offset: number; value: Value; lane?: number }
  | { kind: "set"; variable: Variable; value: Value }
  | { kind: "call"; callee: string; args: readonly Value[] }
  | { kind: "bulk"; op: "memory.copy" | "memory.fill"; args: readonly Value[] }
  | { kind: "if"; condition: Value; then: Statement[]; else: Statement[] }
  | { kind: "loop" | "block"; label: Label; body: Statement[] }
  | { kind: "branch"; label: Label; condition?: Value }
  | { kind: "branchTable"; index: Value; labels: readonly Label[]; otherwise: Label }
  | { kind: "return"; value?: Value };

export interface Signature {
  parameters: readonly Type[];
  results: readonly Type[];
}

export interface IrFunction {
  name: string;
  signature: Signature;
  body: Statement[];
}

/** Operations without effect, whose evaluation may move to the place of their only use. */
export function isPure(value: Value): boolean {
  return value.op !== "get" && value.op !== "call" && !value.op.includes(".load");
}
