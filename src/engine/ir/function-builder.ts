/**
 * Builds the body of one IR function. Operations are chosen by operand type; constants fold. Knows no x86 and no
 * encoding.
 */
import { makeValue, makeVariable } from "./ir.js";
import type { IrFunction, Label, Signature, Statement, Type, Value, Variable } from "./ir.js";

type Immediate = number | bigint | Uint8Array;

const NONE: readonly Value[] = [];

export class FunctionBuilder {
  protected statements: Statement[];
  private readonly root: Statement[] = [];
  private variables = 0;
  private labels = 0;

  constructor(
    readonly name: string,
    readonly signature: Signature,
  ) {
    this.statements = this.root;
  }

  finish(): IrFunction {
    return { name: this.name, signature: this.signature, body: this.root };
  }

  // ── values ────────────────────────────────────────────────────────────────────────────────────────────

  private define(
    type: Type,
    op: string,
    args: readonly Value[],
    immediate?: Immediate,
    target?: Variable | string | number,
  ): Value {
    for (const arg of args) arg.uses++;
    const value = makeValue(type, op, args, immediate, target);
    this.statements.push({ kind: "define", value });
    return value;
  }

  parameter(index: number): Value {
    return makeValue(this.signature.parameters[index], "parameter", NONE, undefined, index);
  }

  i32(value: number): Value {
    return makeValue("i32", "const", NONE, value | 0);
  }

  i64(value: bigint | number): Value {
    return makeValue("i64", "const", NONE, BigInt.asIntN(64, BigInt(value)));
  }

  f32(value: number): Value {
    return makeValue("f32", "const", NONE, value);
  }

  f64(value: number): Value {
    return makeValue("f64", "const", NONE, value);
  }

  v128(bytes: Uint8Array): Value {
    return makeValue("v128", "const", NONE, bytes);
  }

  /** A constant of an integer type. */
  constant(type: Type, value: number | bigint): Value {
    return type === "i64" ? this.i64(value) : this.i32(Number(BigInt.asIntN(32, BigInt(value))));
  }

  /** Any operation by its WebAssembly name. The result type must be given. */
  operation(type: Type, op: string, args: readonly Value[], immediate?: Immediate): Value {
    return this.define(type, op, args, immediate);
  }

  private binary(op: string, a: Value, b: Value): Value {
    if (a.type !== b.type) throw new TypeError(`${this.name}: ${op} of ${a.type} and ${b.type}`);
    return fold(this, op, a, b) ?? this.define(a.type, `${a.type}.${op}`, [a, b]);
  }

  private compare(op: string, a: Value, b: Value): Value {
    if (a.type !== b.type) throw new TypeError(`${this.name}: ${op} of ${a.type} and ${b.type}`);
    const known = foldComparison(op, a, b);
    if (known !== undefined) return this.i32(known ? 1 : 0);
    return this.define("i32", `${a.type}.${op}`, [a, b]);
  }

  private unary(op: string, a: Value): Value {
    return this.define(a.type, `${a.type}.${op}`, [a]);
  }

  add = (a: Value, b: Value): Value => this.binary("add", a, b);
  sub = (a: Value, b: Value): Value => this.binary("sub", a, b);
  mul = (a: Value, b: Value): Value => this.binary("mul", a, b);
  and = (a: Value, b: Value): Value => this.binary("and", a, b);
  or = (a: Value, b: Value): Value => this.binary("or", a, b);
  xor = (a: Value, b: Value): Value => this.binary("xor", a, b);
  shl = (a: Value, b: Value): Value => this.binary("shl", a, b);
  shrU = (a: Value, b: Value): Value => this.binary("shr_u", a, b);
  shrS = (a: Value, b: Value): Value => this.binary("shr_s", a, b);
  rotl = (a: Value, b: Value): Value => this.binary("rotl", a, b);
  rotr = (a: Value, b: Value): Value => this.binary("rotr", a, b);
  divU = (a: Value, b: Value): Value => this.binary("div_u", a, b);
  divS = (a: Value, b: Value): Value => this.binary("div_s", a, b);
  remU = (a: Value, b: Value): Value => this.binary("rem_u", a, b);
  remS = (a: Value, b: Value): Value => this.binary("rem_s", a, b);
  eq = (a: Value, b: Value): Value => this.compare("eq", a, b);
  ne = (a: Value, b: Value): Value => this.compare("ne", a, b);
  ltU = (a: Value, b: Value): Value => this.compare("lt_u", a, b);
  ltS = (a: Value, b: Value): Value => this.compare("lt_s", a, b);
  gtU = (a: Value, b: Value): Value => this.compare("gt_u", a, b);
  gtS = (a: Value, b: Value): Value => this.compare("gt_s", a, b);
  leU = (a: Value, b: Value): Value => this.compare("le_u", a, b);
  leS = (a: Value, b: Value): Value => this.compare("le_s", a, b);
  geU = (a: Value, b: Value): Value => this.compare("ge_u", a, b);
  geS = (a: Value, b: Value): Value => this.compare("ge_s", a, b);
  clz = (a: Value): Value => this.unary("clz", a);
  ctz = (a: Value): Value => this.unary("ctz", a);
  popcnt = (a: Value): Value => this.unary("popcnt", a);
  not = (a: Value): Value => this.xor(a, this.constant(a.type, -1));
  eqz = (a: Value): Value => {
    if (a.op === "const") return this.i32(Number(a.immediate) === 0 ? 1 : 0);
    return this.define("i32", `${a.type}.eqz`, [a]);
  };
  select = (condition: Value, yes: Value, no: Value): Value => {
    if (condition.op === "const") return condition.immediate === 0 ? no : yes;
    return this.define(yes.type, "select", [yes, no, condition]);
  };

  /** Low 32 bits of an i64; an i32 as it is. */
  wrap = (a: Value): Value => {
    if (a.type === "i32") return a;
    if (a.op === "const") return this.i32(Number(BigInt.asIntN(32, a.immediate as bigint)));
    if (a.op.startsWith("i64.extend_i32")) return a.args[0];
    return this.define("i32", "i32.wrap_i64", [a]);
  };
  /** Zero-extends an i32 to i64; an i64 as it is. */
  extendU = (a: Value): Value => {
    if (a.type === "i64") return a;
    if (a.op === "const") return this.i64(BigInt((a.immediate as number) >>> 0));
    return this.define("i64", "i64.extend_i32_u", [a]);
  };
  /** Sign-extends an i32 to i64; an i64 as it is. */
  extendS = (a: Value): Value => {
    if (a.type === "i64") return a;
    if (a.op === "const") return this.i64(BigInt(a.immediate as number));
    return this.define("i64", "i64.extend_i32_s", [a]);
  };
  /** Sign-extends the low `bytes` bytes within the value's own type. */
  signExtend = (a: Value, bytes: number): Value => {
    if (bytes === (a.type === "i64" ? 8 : 4)) return a;
    return this.define(a.type, `${a.type}.extend${bytes * 8}_s`, [a]);
  };
  /** Keeps the low `bytes` bytes of a value. */
  truncate = (a: Value, bytes: number): Value => {
    if (bytes === (a.type === "i64" ? 8 : 4)) return a;
    return this.and(a, this.constant(a.type, (1n << BigInt(bytes * 8)) - 1n));
  };

  // ── memory ────────────────────────────────────────────────────────────────────────────────────────────

  /** A load by WebAssembly name, e.g. "i32.load8_u". `address` is an i32. */
  load(op: string, address: Value, offset = 0): Value {
    return this.define(op.slice(0, op.indexOf(".")) as Type, op, [address], offset);
  }

  store(op: string, address: Value, value: Value, offset = 0, lane?: number): void {
    address.uses++;
    value.uses++;
    this.statements.push({ kind: "store", op, address, offset, value, ...(lane !== undefined && { lane }) });
  }

  copyMemory(destination: Value, source: Value, length: Value): void {
    this.bulk("memory.copy", [destination, source, length]);
  }

  fillMemory(destination: Value, byte: Value, length: Value): void {
    this.bulk("memory.fill", [destination, byte, length]);
  }

  private bulk(op: "memory.copy" | "memory.fill", args: readonly Value[]): void {
    for (const arg of args) arg.uses++;
    this.statements.push({ kind: "bulk", op, args });
  }

  // ── variables, calls, control flow ────────────────────────────────────────────────────────────────────

  variable(initial: Value, name = `t${this.variables}`): Variable {
    this.variables++;
    const variable = makeVariable(name, initial.type);
    this.set(variable, initial);
    return variable;
  }

  get(variable: Variable): Value {
    return this.define(variable.type, "get", [], undefined, variable);
  }

  set(variable: Variable, value: Value): void {
    if (variable.type !== value.type)
      throw new TypeError(`${this.name}: ${value.type} into ${variable.name}: ${variable.type}`);
    value.uses++;
    this.statements.push({ kind: "set", variable, value });
  }

  /** Calls a function of the module by name and returns its one result. */
  call(callee: string, result: Type, args: readonly Value[]): Value {
    return this.define(result, "call", args, undefined, callee);
  }

  callVoid(callee: string, args: readonly Value[]): void {
    for (const arg of args) arg.uses++;
    this.statements.push({ kind: "call", callee, args });
  }

  /** Collects what `build` emits instead of appending it. */
  protected within(build: () => void): Statement[] {
    const outer = this.statements;
    const inner: Statement[] = (this.statements = []);
    build();
    this.statements = outer;
    return inner;
  }

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    condition.uses++;
    const yes = this.within(then);
    const no = otherwise ? this.within(otherwise) : [];
    this.statements.push({ kind: "if", condition, then: yes, else: no });
  }

  /** A loop: branching to the label given to `body` continues it; falling off its end leaves it. */
  loop(body: (again: Label) => void): void {
    const label = { name: `l${this.labels++}` };
    this.statements.push({ kind: "loop", label, body: this.within(() => body(label)) });
  }

  /** A block: branching to the label given to `body` leaves it. */
  block(body: (out: Label) => void): void {
    const label = { name: `b${this.labels++}` };
    this.statements.push({ kind: "block", label, body: this.within(() => body(label)) });
  }

  branch(label: Label): void {
    this.statements.push({ kind: "branch", label });
  }

  branchIf(condition: Value, label: Label): void {
    condition.uses++;
    this.statements.push({ kind: "branch", label, condition });
  }

  branchTable(index: Value, labels: readonly Label[], otherwise: Label): void {
    index.uses++;
    this.statements.push({ kind: "branchTable", index, labels, otherwise });
  }

  return(value?: Value): void {
    if (value) value.uses++;
    this.statements.push({ kind: "return", ...(value && { value }) });
  }
}

const NEUTRAL: Record<string, bigint> = {
  add: 0n,
  sub: 0n,
  or: 0n,
  xor: 0n,
  shl: 0n,
  shr_u: 0n,
  shr_s: 0n,
  and: -1n,
  mul: 1n,
};

type Fold = (left: bigint, right: bigint, bits: number) => bigint;

/** Shifts take their count modulo the width; right shifts look at the value as unsigned or signed. */
const FOLDS: Record<string, Fold> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b, bits) => a << (b & BigInt(bits - 1)),
  shr_u: (a, b, bits) => BigInt.asUintN(bits, a) >> (b & BigInt(bits - 1)),
  shr_s: (a, b, bits) => a >> (b & BigInt(bits - 1)),
};

function isInteger(value: Value): boolean {
  return value.type === "i32" || value.type === "i64";
}

function integerOf(value: Value): bigint {
  return BigInt(value.immediate as number | bigint);
}

/** Folds two constants, a right operand that changes nothing, and AND with zero. */
function fold(builder: FunctionBuilder, op: string, a: Value, b: Value): Value | undefined {
  if (b.op !== "const" || !isInteger(a)) return undefined;
  const right = integerOf(b);
  if (op in NEUTRAL && NEUTRAL[op] === right) return a;
  if (op === "and" && right === 0n) return b;
  if (a.op !== "const" || !(op in FOLDS)) return undefined;
  return builder.constant(a.type, FOLDS[op](integerOf(a), right, a.type === "i64" ? 64 : 32));
}

/** Whether two constants are equal or not; other comparisons of constants do not occur. */
function foldComparison(op: string, a: Value, b: Value): boolean | undefined {
  if (a.op !== "const" || b.op !== "const" || !isInteger(a)) return undefined;
  if (op === "eq") return integerOf(a) === integerOf(b);
  return op === "ne" ? integerOf(a) !== integerOf(b) : undefined;
}
