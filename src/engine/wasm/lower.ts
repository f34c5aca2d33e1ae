/**
 * Lowers one IR function to a WebAssembly function body. Values that are used once and have no effect are emitted
 * where they are used; all others get a local until their last use. V8's time for a function grows with its locals
 * times its branches, so there are few.
 * Specification: WebAssembly core 2.0 §5.4.
 */
import {
  NO_LOCAL,
  type IrFunction,
  type Label,
  type Statement,
  type Type,
  type Value,
  type Variable,
} from "../ir/ir.js";
import { BinaryWriter } from "./binary-writer.js";
import { ENCODINGS, PREFIX_MISC, PREFIX_SIMD, TYPE_CODES } from "./opcodes.js";

const OP_BLOCK = 0x02;
const OP_LOOP = 0x03;
const OP_IF = 0x04;
const OP_ELSE = 0x05;
const OP_END = 0x0b;
const OP_BR = 0x0c;
const OP_BR_IF = 0x0d;
const OP_BR_TABLE = 0x0e;
const OP_RETURN = 0x0f;
const OP_CALL = 0x10;
const OP_CALL_INDIRECT = 0x11;
const OP_DROP = 0x1a;
const OP_LOCAL_GET = 0x20;
const OP_LOCAL_SET = 0x21;
const OP_LOCAL_TEE = 0x22;
const OP_UNREACHABLE = 0x00;
const EMPTY_BLOCK = 0x40;
const OP_I32_CONST = 0x41;
const OP_I64_CONST = 0x42;
const OP_F32_CONST = 0x43;
const OP_F64_CONST = 0x44;
const OP_V128_CONST = 12;
const OP_MEMORY_COPY = 10;
const OP_MEMORY_FILL = 11;

/** Resolves names that only the module knows. */
export interface ModuleNames {
  functionIndex(name: string): number;
  typeIndex(name: string): number;
}

/** Callees of this form go through table 0: "indirect:TYPE"; the last argument is the table index. */
export const INDIRECT = "indirect:";

/** More uses than any value has; a small integer, as V8 keeps them in place. */
const FOR_EVER = 0x3fffffff;

class Lowering {
  private readonly locals: Type[] = [];
  private readonly free: Record<Type, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  private readonly labels: (Label | undefined)[] = [];
  /** Values that have a local of their own, those of inner blocks behind those of outer ones; some are used up. */
  private readonly values: Value[] = [];
  private readonly variables: Variable[] = [];
  /** Reads of variables that have not changed since: they are read where they are used. */
  private readonly reads: Value[] = [];
  /** The last `local.set`: its local, and where it begins and ends in what is written. */
  private setLocal = NO_LOCAL;
  private setStart = 0;
  private setEnd = 0;
  private readonly parameters: number;
  private readonly seldom: number[] = [];

  constructor(
    private readonly f: IrFunction,
    private readonly names: ModuleNames,
    private readonly out: BinaryWriter,
  ) {
    this.parameters = f.signature.parameters.length;
  }

  run(): LoweredFunction {
    const { out } = this;
    out.clear();
    this.statements(this.f.body);
    if (this.f.signature.results.length > 0) out.byte(OP_UNREACHABLE);
    out.byte(OP_END);
    const head = this.localGroups();
    const body = new Uint8Array(head.length + out.length);
    body.set(head.bytes());
    body.set(out.bytes(), head.length);
    return { bytes: body, seldom: this.seldom.map((at) => head.length + at) };
  }

  private localGroups(): BinaryWriter {
    const groups: { type: Type; count: number }[] = [];
    for (const type of this.locals) {
      const last = groups[groups.length - 1] as (typeof groups)[number] | undefined;
      if (last?.type === type) last.count++;
      else groups.push({ type, count: 1 });
    }
    const head = new BinaryWriter(groups.length * 2 + 1);
    head.unsigned(groups.length);
    for (const group of groups) {
      head.unsigned(group.count);
      head.byte(TYPE_CODES[group.type]);
    }
    return head;
  }

  private allocate(type: Type): number {
    const reused = this.free[type].pop();
    if (reused !== undefined) return reused;
    this.locals.push(type);
    return this.parameters + this.locals.length - 1;
  }

  /** Lowers a block; locals of values and variables first seen in it are released, and forgotten, at its end. */
  private statements(list: readonly Statement[]): void {
    const outerValues = this.values.length;
    const outerVariables = this.variables.length;
    for (let i = 0; i < list.length; i++) this.statement(list[i]);
    this.release(this.values, outerValues);
    this.release(this.variables, outerVariables);
    for (const read of this.reads) read.local = NO_LOCAL;
    this.reads.length = 0;
  }

  private release(held: (Value | Variable)[], from: number): void {
    for (let i = from; i < held.length; i++) {
      const { local, type } = held[i];
      if (local !== NO_LOCAL) this.free[type].push(local);
      held[i].local = NO_LOCAL;
    }
    held.length = from;
  }

  private set(local: number): void {
    this.setLocal = local;
    this.setStart = this.out.length;
    this.indexed(OP_LOCAL_SET, local);
    this.setEnd = this.out.length;
  }

  /** What is on top of the stack becomes a value until its last use. */
  private hold(value: Value): void {
    value.local = this.allocate(value.type);
    this.values.push(value);
    this.set(value.local);
  }

  private setVariable(variable: Variable): void {
    if (this.reads.length > 0) this.keepReads(variable);
    if (variable.local === NO_LOCAL) {
      variable.local = this.allocate(variable.type);
      this.variables.push(variable);
    }
    this.set(variable.local);
  }

  /** Copies what was read of a variable, or of all, and is still used. */
  private keepReads(variable?: Variable): void {
    const { reads } = this;
    let kept = 0;
    for (let i = 0; i < reads.length; i++) {
      const read = reads[i];
      if (read.remaining === 0) read.local = NO_LOCAL;
      else if (variable === undefined || read.target === variable) {
        this.indexed(OP_LOCAL_GET, read.local);
        this.hold(read);
      } else reads[kept++] = read;
    }
    reads.length = kept;
  }

  private statement(s: Statement): void {
    switch (s.kind) {
      case "define":
        return this.define(s);
      case "store":
        this.use(s.address);
        this.use(s.value);
        return this.memoryOperation(s.op, s.offset, s.lane);
      case "set":
        this.use(s.value);
        return this.setVariable(s.variable);
      case "call":
        return this.call(s.callee, s.args);
      case "bulk":
        for (const arg of s.args) this.use(arg);
        this.out.byte(PREFIX_MISC);
        this.out.unsigned(s.op === "memory.copy" ? OP_MEMORY_COPY : OP_MEMORY_FILL);
        this.out.byte(0);
        if (s.op === "memory.copy") this.out.byte(0);
        return;
      case "return":
        if (s.value) this.use(s.value);
        return this.out.byte(OP_RETURN);
      default:
        return this.control(s);
    }
  }

  private indexed(operation: number, index: number): void {
    this.out.byte(operation);
    this.out.unsigned(index);
  }

  private control(s: Extract<Statement, { kind: "if" | "loop" | "block" | "branch" | "branchTable" }>): void {
    switch (s.kind) {
      case "if":
        this.use(s.condition);
        this.open(OP_IF, undefined, s.then, s.seldom);
        if (s.else.length > 0) {
          this.out.byte(OP_ELSE);
          this.statements(s.else);
        }
        return this.close();
      case "loop":
      case "block":
        this.open(s.kind === "loop" ? OP_LOOP : OP_BLOCK, s.label, s.body);
        return this.close();
      case "branch":
        if (s.condition) this.use(s.condition);
        if (s.seldom) this.seldom.push(this.out.length);
        return this.indexed(s.condition ? OP_BR_IF : OP_BR, this.depth(s.label));
      case "branchTable":
        this.use(s.index);
        this.out.byte(OP_BR_TABLE);
        this.out.unsigned(s.labels.length);
        for (const label of s.labels) this.out.unsigned(this.depth(label));
        return this.out.unsigned(this.depth(s.otherwise));
    }
  }

  private open(op: number, label: Label | undefined, body: readonly Statement[], seldom = false): void {
    if (this.reads.length > 0) this.keepReads();
    // What a loop uses of what was there before, it uses again.
    if (op === OP_LOOP) for (const value of this.values) value.remaining = FOR_EVER;
    if (seldom) this.seldom.push(this.out.length);
    this.out.byte(op);
    this.out.byte(EMPTY_BLOCK);
    this.labels.push(label);
    this.statements(body);
  }

  private close(): void {
    this.labels.pop();
    this.out.byte(OP_END);
  }

  private depth(label: Label): number {
    const at = this.labels.lastIndexOf(label);
    if (at < 0) throw new Error(`${this.f.name}: label ${label.name} is not open here`);
    return this.labels.length - 1 - at;
  }

  private define(value: Value): void {
    if (value.pure && value.uses <= 1) return;
    if (value.uses === 0 && value.op !== "call") return;
    value.remaining = value.uses;
    if (value.op === "get") return this.read(value, value.target as Variable);
    this.emit(value);
    if (value.uses === 0) return this.out.byte(OP_DROP);
    this.hold(value);
  }

  private read(value: Value, { local }: Variable): void {
    if (local === NO_LOCAL)
      throw new Error(`${this.f.name}: variable is read before it is set, or outside its block`);
    value.local = local;
    this.reads.push(value);
  }

  private use(value: Value): void {
    const { local } = value;
    if (local === NO_LOCAL) {
      if (value.pure) return this.emit(value);
      throw new Error(`${this.f.name}: ${value.op} is used outside the block that defines it`);
    }
    const last =
      --value.remaining === 0 && (value.op !== "get" || local !== (value.target as Variable).local);
    if (this.setLocal !== local || this.setEnd !== this.out.length) this.indexed(OP_LOCAL_GET, local);
    else if (last) this.out.length = this.setStart;
    else this.out.replace(this.setStart, OP_LOCAL_TEE);
    this.setLocal = NO_LOCAL;
    if (!last) return;
    value.local = NO_LOCAL;
    this.free[value.type].push(local);
  }

  private emit(value: Value): void {
    switch (value.op) {
      case "const":
        return this.constant(value);
      case "parameter":
        return this.indexed(OP_LOCAL_GET, value.target as number);
      case "call":
        return this.call(value.target as string, value.args);
    }
    const { args } = value;
    for (let i = 0; i < args.length; i++) this.use(args[i]);
    if (!value.pure) return this.memoryOperation(value.op, value.immediate as number, undefined);
    this.operation(value.op);
    const { immediate } = value;
    if (immediate instanceof Uint8Array) this.out.raw(immediate);
    else if (immediate !== undefined) this.out.byte(Number(immediate));
  }

  private constant({ type, immediate }: Value): void {
    const { out } = this;
    if (type === "i32") {
      out.byte(OP_I32_CONST);
      out.signed(immediate as number);
    } else if (type === "i64") {
      out.byte(OP_I64_CONST);
      out.signed64(immediate as number | bigint);
    } else if (type === "f32") {
      out.byte(OP_F32_CONST);
      out.float32(immediate as number);
    } else if (type === "f64") {
      out.byte(OP_F64_CONST);
      out.float64(immediate as number);
    } else {
      out.byte(PREFIX_SIMD);
      out.unsigned(OP_V128_CONST);
      out.raw(immediate as Uint8Array);
    }
  }

  /** An operation's encoding, with its prefix where it has one. */
  private operation(name: string): void {
    const encoding = ENCODINGS.get(name);
    if (encoding === undefined) throw new Error(`${this.f.name}: no such operation: ${name}`);
    if (encoding <= 0xff) return this.out.byte(encoding);
    this.out.byte(encoding >>> 8);
    this.out.unsigned(encoding & 0xff);
  }

  private memoryOperation(name: string, offset: number, lane: number | undefined): void {
    this.operation(name);
    this.out.byte(0); // alignment hint: none, guest accesses may be anywhere
    this.out.unsigned(offset);
    if (lane !== undefined) this.out.byte(lane);
  }

  private call(callee: string, args: readonly Value[]): void {
    for (const arg of args) this.use(arg);
    if (callee.startsWith(INDIRECT)) {
      this.out.byte(OP_CALL_INDIRECT);
      this.out.unsigned(this.names.typeIndex(callee.slice(INDIRECT.length)));
      this.out.byte(0);
    } else {
      this.indexed(OP_CALL, this.names.functionIndex(callee));
    }
  }
}

/** Where instructions are written until their function ends; one for all, because it grows with the longest. */
const INSTRUCTIONS = new BinaryWriter();

export interface LoweredFunction {
  /** As the code section holds it: locals, then instructions. */
  readonly bytes: Uint8Array;
  /** Where in them the branches begin that are seldom taken, ascending. */
  readonly seldom: readonly number[];
}

/** Lowers a function; `names` gives the numbers of what it calls. */
export function lowerFunction(f: IrFunction, names: ModuleNames): LoweredFunction {
  return new Lowering(f, names, INSTRUCTIONS).run();
}
