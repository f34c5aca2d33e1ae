/**
 * Builds the body of one IR function. Operations are chosen by operand type; constants fold. Knows no x86 and no
 * encoding.
 */
import { constantValue, integer, makeValue, makeVariable, NO_ARGUMENTS, readVariable } from "./ir.js";
import type { IrFunction, Label, Signature, Statement, Type, Value, Variable } from "./ir.js";
import * as op from "./operators.js";

type Immediate = number | bigint | Uint8Array;

const ALL_ONES = -1;

/** "i64.load8_u" gives an i64. */
function typeOfLoad(name: string): Type {
  if (name.startsWith("i32.")) return "i32";
  if (name.startsWith("i64.")) return "i64";
  return name.slice(0, name.indexOf(".")) as Type;
}

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
    name: string,
    args: readonly Value[],
    pure: boolean,
    immediate?: Immediate,
    target?: Variable | string | number,
  ): Value {
    for (let i = 0; i < args.length; i++) args[i].uses++;
    const value = makeValue(type, name, args, immediate, target, pure);
    this.statements.push(value);
    return value;
  }

  parameter(index: number): Value {
    return makeValue(this.signature.parameters[index], "parameter", NO_ARGUMENTS, undefined, index, true);
  }

  i32(value: number): Value {
    return constantValue("i32", value | 0);
  }

  i64(value: bigint | number): Value {
    return constantValue("i64", integer(value));
  }

  f32(value: number): Value {
    return constantValue("f32", value);
  }

  f64(value: number): Value {
    return constantValue("f64", value);
  }

  v128(bytes: Uint8Array): Value {
    return constantValue("v128", bytes);
  }

  /** A constant of an integer type. */
  constant(type: Type, value: number | bigint): Value {
    if (type === "i64") return this.i64(value);
    return this.i32(typeof value === "number" ? value : Number(BigInt.asIntN(32, value)));
  }

  /** Any operation without effect by its WebAssembly name. The result type must be given. */
  operation(type: Type, name: string, args: readonly Value[], immediate?: Immediate): Value {
    return this.define(type, name, args, true, immediate);
  }

  private binary(operator: op.Operator, a: Value, b: Value): Value {
    if (a.type !== b.type) throw new TypeError(`${this.name}: ${operator.i32} of ${a.type} and ${b.type}`);
    if (b.op === "const") {
      const known = op.fold(operator, a, b);
      if (known === undefined) return this.define(a.type, operator[a.type], [a, b], true);
      return typeof known === "object" ? known : this.constant(a.type, known);
    }
    return this.define(a.type, operator[a.type], [a, b], true);
  }

  private compare(operator: op.Operator, a: Value, b: Value): Value {
    if (a.type !== b.type) throw new TypeError(`${this.name}: ${operator.i32} of ${a.type} and ${b.type}`);
    const known = a.op === "const" && b.op === "const" ? op.foldComparison(operator, a, b) : undefined;
    if (known !== undefined) return this.i32(known ? 1 : 0);
    return this.define("i32", operator[a.type], [a, b], true);
  }

  private unary(operator: op.Operator, a: Value): Value {
    return this.define(a.type, operator[a.type], [a], true);
  }

  add(a: Value, b: Value): Value {
    return this.binary(op.ADD, a, b);
  }

  sub(a: Value, b: Value): Value {
    return this.binary(op.SUB, a, b);
  }

  mul(a: Value, b: Value): Value {
    return this.binary(op.MUL, a, b);
  }

  and(a: Value, b: Value): Value {
    return this.binary(op.AND, a, b);
  }

  or(a: Value, b: Value): Value {
    return this.binary(op.OR, a, b);
  }

  xor(a: Value, b: Value): Value {
    return this.binary(op.XOR, a, b);
  }

  shl(a: Value, b: Value): Value {
    return this.binary(op.SHL, a, b);
  }

  shrU(a: Value, b: Value): Value {
    return this.binary(op.SHR_U, a, b);
  }

  shrS(a: Value, b: Value): Value {
    return this.binary(op.SHR_S, a, b);
  }

  rotl(a: Value, b: Value): Value {
    return this.binary(op.ROTL, a, b);
  }

  rotr(a: Value, b: Value): Value {
    return this.binary(op.ROTR, a, b);
  }

  divU(a: Value, b: Value): Value {
    return this.binary(op.DIV_U, a, b);
  }

  divS(a: Value, b: Value): Value {
    return this.binary(op.DIV_S, a, b);
  }

  remU(a: Value, b: Value): Value {
    return this.binary(op.REM_U, a, b);
  }

  remS(a: Value, b: Value): Value {
    return this.binary(op.REM_S, a, b);
  }

  eq(a: Value, b: Value): Value {
    return this.compare(op.EQ, a, b);
  }

  ne(a: Value, b: Value): Value {
    return this.compare(op.NE, a, b);
  }

  ltU(a: Value, b: Value): Value {
    return this.compare(op.LT_U, a, b);
  }

  ltS(a: Value, b: Value): Value {
    return this.compare(op.LT_S, a, b);
  }

  gtU(a: Value, b: Value): Value {
    return this.compare(op.GT_U, a, b);
  }

  gtS(a: Value, b: Value): Value {
    return this.compare(op.GT_S, a, b);
  }

  leU(a: Value, b: Value): Value {
    return this.compare(op.LE_U, a, b);
  }

  leS(a: Value, b: Value): Value {
    return this.compare(op.LE_S, a, b);
  }

  geU(a: Value, b: Value): Value {
    return this.compare(op.GE_U, a, b);
  }

  geS(a: Value, b: Value): Value {
    return this.compare(op.GE_S, a, b);
  }

  clz(a: Value): Value {
    return this.unary(op.CLZ, a);
  }

  ctz(a: Value): Value {
    return this.unary(op.CTZ, a);
  }

  popcnt(a: Value): Value {
    return this.unary(op.POPCNT, a);
  }

  not(a: Value): Value {
    return this.xor(a, this.constant(a.type, ALL_ONES));
  }

  eqz(a: Value): Value {
    if (a.op === "const") return this.i32(a.immediate === 0 ? 1 : 0);
    return this.define("i32", a.type === "i64" ? "i64.eqz" : "i32.eqz", [a], true);
  }

  select(condition: Value, yes: Value, no: Value): Value {
    if (condition.op === "const") return condition.immediate === 0 ? no : yes;
    return this.define(yes.type, "select", [yes, no, condition], true);
  }

  /** Low 32 bits of an i64; an i32 as it is. */
  wrap(a: Value): Value {
    if (a.type === "i32") return a;
    if (a.op === "const") return this.constant("i32", op.lowWord(a));
    if (a.op === "i64.extend_i32_u" || a.op === "i64.extend_i32_s") return a.args[0];
    return this.define("i32", "i32.wrap_i64", [a], true);
  }

  /** Zero-extends an i32 to i64; an i64 as it is. */
  extendU(a: Value): Value {
    if (a.type === "i64") return a;
    if (a.op === "const") return this.i64((a.immediate as number) >>> 0);
    return this.define("i64", "i64.extend_i32_u", [a], true);
  }

  /** Sign-extends an i32 to i64; an i64 as it is. */
  extendS(a: Value): Value {
    if (a.type === "i64") return a;
    if (a.op === "const") return this.i64(a.immediate as number);
    return this.define("i64", "i64.extend_i32_s", [a], true);
  }

  /** Sign-extends the low `bytes` bytes within the value's own type. */
  signExtend(a: Value, bytes: number): Value {
    if (bytes === (a.type === "i64" ? 8 : 4)) return a;
    return this.define(a.type, op.signExtension(a.type, bytes), [a], true);
  }

  /** Keeps the low `bytes` bytes of a value. */
  truncate(a: Value, bytes: number): Value {
    if (bytes === (a.type === "i64" ? 8 : 4)) return a;
    return this.and(a, this.constant(a.type, 2 ** (bytes * 8) - 1));
  }

  // ── memory ────────────────────────────────────────────────────────────────────────────────────────────

  /** A load by WebAssembly name, e.g. "i32.load8_u". `address` is an i32. */
  load(name: string, address: Value, offset = 0): Value {
    return this.define(typeOfLoad(name), name, [address], false, offset);
  }

  store(name: string, address: Value, value: Value, offset = 0, lane?: number): void {
    address.uses++;
    value.uses++;
    this.statements.push({ kind: "store", op: name, address, offset, value, lane });
  }

  copyMemory(destination: Value, source: Value, length: Value): void {
    this.bulk("memory.copy", [destination, source, length]);
  }

  fillMemory(destination: Value, byte: Value, length: Value): void {
    this.bulk("memory.fill", [destination, byte, length]);
  }

  private bulk(name: "memory.copy" | "memory.fill", args: readonly Value[]): void {
    for (const arg of args) arg.uses++;
    this.statements.push({ kind: "bulk", op: name, args });
  }

  // ── variables, calls, control flow ────────────────────────────────────────────────────────────────────

  variable(initial: Value, name = `t${this.variables}`): Variable {
    this.variables++;
    const variable = makeVariable(name, initial.type);
    this.set(variable, initial);
    return variable;
  }

  get(variable: Variable): Value {
    const value = readVariable(variable);
    this.statements.push(value);
    return value;
  }

  set(variable: Variable, value: Value): void {
    if (variable.type !== value.type)
      throw new TypeError(`${this.name}: ${value.type} into ${variable.name}: ${variable.type}`);
    value.uses++;
    this.statements.push({ kind: "set", variable, value });
  }

  /** Calls a function of the module by name and returns its one result. */
  call(callee: string, result: Type, args: readonly Value[]): Value {
    return this.define(result, "call", args, false, undefined, callee);
  }

  callVoid(callee: string, args: readonly Value[]): void {
    for (const arg of args) arg.uses++;
    this.statements.push({ kind: "call", callee, args });
  }

  /** Collects what `build` emits, behind what `into` holds already, instead of appending it. */
  protected within(build: () => void, into: Statement[] = []): Statement[] {
    const outer = this.statements;
    this.statements = into;
    build();
    this.statements = outer;
    return into;
  }

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    condition.uses++;
    const yes = this.within(then);
    const no = otherwise ? this.within(otherwise) : [];
    this.statements.push({ kind: "if", condition, then: yes, else: no, seldom: false });
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
    this.statements.push({ kind: "branch", label, condition: undefined, seldom: false });
  }

  branchIf(condition: Value, label: Label, seldom = false): void {
    condition.uses++;
    this.statements.push({ kind: "branch", label, condition, seldom });
  }

  branchTable(index: Value, labels: readonly Label[], otherwise: Label): void {
    index.uses++;
    this.statements.push({ kind: "branchTable", index, labels, otherwise });
  }

  return(value?: Value): void {
    if (value) value.uses++;
    this.statements.push({ kind: "return", value });
  }
}
