/**
 * Lowers one IR function to a WebAssembly function body. Values that are used once and have no effect are emitted
 * where they are used; all others get a local, which returns to a pool at the end of its block.
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
import { MISC_OPCODES, PLAIN_OPCODES, SIMD_OPCODES, TYPE_CODES } from "./opcodes.js";

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
const OP_UNREACHABLE = 0x00;
const EMPTY_BLOCK = 0x40;
const PREFIX_MISC = 0xfc;
const PREFIX_SIMD = 0xfd;
const OP_MEMORY_COPY = 10;
const OP_MEMORY_FILL = 11;

/** Resolves names that only the module knows. */
export interface ModuleNames {
  functionIndex(name: string): number;
  typeIndex(name: string): number;
}

/** Callees of this form go through table 0: "indirect:TYPE"; the last argument is the table index. */
export const INDIRECT = "indirect:";

/** A local of a block, and the value or variable it holds. */
interface Owned {
  type: Type;
  local: number;
  holds: Value | Variable;
}

class Lowering {
  readonly out = new BinaryWriter();
  private readonly locals: Type[] = [];
  private readonly free: Record<Type, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  private readonly labels: (Label | undefined)[] = [];

  constructor(
    private readonly f: IrFunction,
    private readonly names: ModuleNames,
  ) {}

  run(): Uint8Array {
    this.statements(this.f.body);
    if (this.f.signature.results.length > 0) this.out.byte(OP_UNREACHABLE);
    this.out.byte(OP_END);
    const body = new BinaryWriter();
    const groups: { type: Type; count: number }[] = [];
    for (const type of this.locals) {
      const last = groups[groups.length - 1];
      if (last && last.type === type) last.count++;
      else groups.push({ type, count: 1 });
    }
    body.unsigned(groups.length);
    for (const group of groups) {
      body.unsigned(group.count);
      body.byte(TYPE_CODES[group.type]);
    }
    body.raw(this.out.bytes());
    return body.bytes().slice();
  }

  private allocate(type: Type): number {
    const reused = this.free[type].pop();
    if (reused !== undefined) return reused;
    this.locals.push(type);
    return this.f.signature.parameters.length + this.locals.length - 1;
  }

  /** Lowers a block; locals of values and variables first seen in it are released, and forgotten, at its end. */
  private statements(list: readonly Statement[]): void {
    const owned: Owned[] = [];
    for (const s of list) this.statement(s, owned);
    for (const { type, local, holds } of owned) {
      this.free[type].push(local);
      holds.local = NO_LOCAL;
    }
  }

  /** A local for a value or variable until its block ends. */
  private hold(holds: Value | Variable, owned: Owned[]): number {
    const { type } = holds;
    const local = this.allocate(type);
    holds.local = local;
    owned.push({ type, local, holds });
    return local;
  }

  private statement(s: Statement, owned: Owned[]): void {
    switch (s.kind) {
      case "define":
        return this.define(s.value, owned);
      case "store":
        this.use(s.address);
        this.use(s.value);
        return this.memoryOperation(s.op, s.offset, s.lane);
      case "set":
        this.use(s.value);
        this.out.byte(OP_LOCAL_SET);
        return this.out.unsigned(this.variableLocal(s.variable, owned));
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

  private control(s: Extract<Statement, { kind: "if" | "loop" | "block" | "branch" | "branchTable" }>): void {
    switch (s.kind) {
      case "if":
        this.use(s.condition);
        this.open(OP_IF, undefined, s.then);
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
        this.out.byte(s.condition ? OP_BR_IF : OP_BR);
        return this.out.unsigned(this.depth(s.label));
      case "branchTable":
        this.use(s.index);
        this.out.byte(OP_BR_TABLE);
        this.out.unsigned(s.labels.length);
        for (const label of s.labels) this.out.unsigned(this.depth(label));
        return this.out.unsigned(this.depth(s.otherwise));
    }
  }

  private open(op: number, label: Label | undefined, body: readonly Statement[]): void {
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

  private variableLocal(variable: Variable, owned: Owned[]): number {
    return variable.local === NO_LOCAL ? this.hold(variable, owned) : variable.local;
  }

  private define(value: Value, owned: Owned[]): void {
    if (value.pure && value.uses <= 1) return;
    if (value.uses === 0 && value.op !== "call") return;
    this.emit(value);
    if (value.uses === 0) return this.out.byte(OP_DROP);
    this.out.byte(OP_LOCAL_SET);
    this.out.unsigned(this.hold(value, owned));
  }

  private use(value: Value): void {
    if (value.local !== NO_LOCAL) {
      this.out.byte(OP_LOCAL_GET);
      this.out.unsigned(value.local);
    } else if (value.pure) this.emit(value);
    else throw new Error(`${this.f.name}: ${value.op} is used outside the block that defines it`);
  }

  private emit(value: Value): void {
    if (value.op === "const") return this.constant(value);
    if (value.op === "parameter") {
      this.out.byte(OP_LOCAL_GET);
      return this.out.unsigned(value.target as number);
    }
    if (value.op === "get") {
      const { local } = value.target as Variable;
      if (local === NO_LOCAL)
        throw new Error(`${this.f.name}: variable is read before it is set, or outside its block`);
      this.out.byte(OP_LOCAL_GET);
      return this.out.unsigned(local);
    }
    if (value.op === "call") return this.call(value.target as string, value.args);
    for (const arg of value.args) this.use(arg);
    if (!value.pure) return this.memoryOperation(value.op, value.immediate as number);
    this.operation(value);
  }

  private constant(value: Value): void {
    const immediate = value.immediate;
    if (value.type === "i32") {
      this.out.byte(0x41);
      this.out.signed(immediate as number);
    } else if (value.type === "i64") {
      this.out.byte(0x42);
      this.out.signed64(immediate as bigint);
    } else if (value.type === "f32") {
      this.out.byte(0x43);
      this.out.float32(immediate as number);
    } else if (value.type === "f64") {
      this.out.byte(0x44);
      this.out.float64(immediate as number);
    } else {
      this.out.byte(PREFIX_SIMD);
      this.out.unsigned(12);
      this.out.raw(immediate as Uint8Array);
    }
  }

  private operation(value: Value): void {
    const plain = PLAIN_OPCODES[value.op];
    if (plain !== undefined) return this.out.byte(plain);
    const misc = MISC_OPCODES[value.op];
    if (misc !== undefined) {
      this.out.byte(PREFIX_MISC);
      return this.out.unsigned(misc);
    }
    const vector = SIMD_OPCODES[value.op];
    if (vector === undefined) throw new Error(`${this.f.name}: no such operation: ${value.op}`);
    this.out.byte(PREFIX_SIMD);
    this.out.unsigned(vector);
    if (value.immediate instanceof Uint8Array) this.out.raw(value.immediate);
    else if (value.immediate !== undefined) this.out.byte(Number(value.immediate));
  }

  private memoryOperation(op: string, offset: number, lane?: number): void {
    if (op.startsWith("v128.")) {
      this.out.byte(PREFIX_SIMD);
      this.out.unsigned(SIMD_OPCODES[op]);
    } else this.out.byte(PLAIN_OPCODES[op]);
    this.out.unsigned(0); // alignment hint: none, guest accesses may be anywhere
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
      this.out.byte(OP_CALL);
      this.out.unsigned(this.names.functionIndex(callee));
    }
  }
}

/** The function's body as the code section holds it: locals, then instructions. */
export function lowerFunction(f: IrFunction, names: ModuleNames): Uint8Array {
  return new Lowering(f, names).run();
}
