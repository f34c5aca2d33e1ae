/**
 * The compiler's view of CPU state: registers and flags in variables, what a node reads and changes, constants of the
 * mode. The rest of the CPU area is memory, as for the interpreter.
 */
import type { Label, Statement, Value } from "../ir/ir.js";
import * as layout from "../x86/layout.js";
import { MODE_CODE64, MODE_CODE_SIZE, MODE_NOT_FLAT_SHIFT } from "../x86/mode.js";
import type { Operand } from "../x86/operands.js";
import * as rec from "../x86/record.js";
import type { ShiftName } from "../x86/semantics/flag-words.js";
import { CONDITIONS, type Condition } from "../x86/semantics/instruction-builder.js";
import { OperandBuilder } from "../wasm/operand-builder.js";
import type { DecodedRecord } from "./decoded-record.js";
import type { CodePage } from "./code-source.js";
import { CHANGE_BITS, codeOf, MAKE_WORDS } from "./flag-code.js";
import {
  DYNAMIC,
  isCounting,
  PendingFlags,
  WORDS,
  type Change,
  type Known,
  type OperandName,
  type Pending,
  type Source,
} from "./flags.js";
import { FLAG_CARRY_BIT, FLAG_RESULT_BIT, FLAG_WORDS, type RegionVariables } from "./registers.js";

const [BYTE_MASK, WORD_MASK] = [0xffn, 0xffffn];

/** Thrown for what only the interpreter does. */
export class NotCompiled extends Error {
  override readonly name = "NotCompiled";
}

export abstract class RegionState extends OperandBuilder {
  protected record!: DecodedRecord;
  /** The page of the current node. */
  protected page!: CodePage;
  protected pending: Pending = WORDS;
  /** Control does not come to what is emitted next. */
  protected terminated = false;
  protected depth = 0;
  /** Registers that the node may have changed, those it has changed for certain, and those read before that. */
  protected changed = 0;
  protected defined = 0;
  protected used = 0;
  /** What the variables of cached registers hold, where it is known: values of the node's own straight line. */
  protected current: (Value | undefined)[] = [];
  /** Nobody can see the flags that the instruction leaves. */
  protected flagsAreDead = false;
  /** Registers whose home a semantic function may have written. */
  protected spilled = 0;
  /** 64-bit code; otherwise 32-bit. */
  protected readonly long: boolean;
  /** No branch can violate CS. */
  protected readonly flatCode: boolean;

  constructor(
    name: string,
    protected readonly locals: RegionVariables,
    mode: number,
  ) {
    super(name, { parameters: ["i32", "i32"], results: ["i32"] });
    this.long = (mode & MODE_CODE_SIZE) === MODE_CODE64;
    this.flatCode = this.long || !((mode >> (MODE_NOT_FLAT_SHIFT + layout.CS)) & 1);
  }

  // ── arms ─────────────────────────────────────────────────────────────────────────────────────────────

  protected override within(build: () => void, into: Statement[] = []): Statement[] {
    const outer = this.statements;
    this.depth++;
    try {
      return super.within(build, into);
    } finally {
      this.depth--;
      this.statements = outer;
    }
  }

  override if(condition: Value, then: () => void, otherwise?: () => void): void {
    if (condition.op === "const") {
      if (condition.immediate !== 0) then();
      else otherwise?.();
      return;
    }
    condition.uses++;
    const before = this.pending;
    const yes = this.arm(then);
    const no = this.arm(otherwise ?? ((): void => undefined), before);
    const differ = !yes.terminated && !no.terminated && yes.pending !== no.pending;
    if (differ) {
      yes.statements.push(...this.dynamic(yes.pending));
      no.statements.push(...this.dynamic(no.pending));
    }
    this.terminated = yes.terminated && no.terminated;
    if (differ) this.pending = DYNAMIC;
    else this.pending = yes.terminated ? no.pending : yes.pending;
    this.statements.push({ kind: "if", condition, then: yes.statements, else: no.statements, seldom: false });
  }

  private arm(
    build: () => void,
    pending = this.pending,
  ): { statements: Statement[]; pending: Pending; terminated: boolean } {
    this.pending = pending;
    this.terminated = false;
    const statements = this.within(build);
    return { statements, pending: this.pending, terminated: this.terminated };
  }

  private dynamic(pending: Pending): Statement[] {
    this.pending = pending;
    return this.within(() => this.makeDynamic());
  }

  // ── registers and state ───────────────────────────────────────────────────────────────────────────────

  private note(bit: number): void {
    this.changed |= 1 << bit;
    // Nodes are emitted at depth 1; deeper is conditional, where the old value may survive.
    if (this.depth === 1) this.defined |= 1 << bit;
    else if (!((this.defined >> bit) & 1)) this.used |= 1 << bit;
  }

  protected cached(bit: number): Value {
    const known = this.current[bit];
    if (known) return known;
    if (!((this.defined >> bit) & 1)) this.used |= 1 << bit;
    const value = this.get(this.locals.cached[bit]);
    if (this.depth === 1) this.current[bit] = value;
    return value;
  }

  protected setCached(bit: number, value: Value): void {
    this.note(bit);
    this.set(this.locals.cached[bit], value);
    this.current[bit] = this.depth === 1 ? value : undefined;
  }

  /** A loop may come back to a read with another value than before. */
  override loop(body: (again: Label) => void): void {
    this.current = [];
    super.loop(body);
    this.current = [];
  }

  /** The bit of the cached register whose home holds the byte at `offset`, or -1. */
  private cachedBit(offset: number): number {
    if (offset < layout.ZERO_SLOT) return offset >> 3;
    if (offset === layout.FLAG_RESULT) return FLAG_RESULT_BIT;
    return offset === layout.FLAG_CARRY ? FLAG_CARRY_BIT : -1;
  }

  override state(op: string, offset: number): Value {
    const constant = this.constantState(op, offset);
    if (constant) return constant;
    const bit = this.cachedBit(offset);
    if (bit < 0) return this.plainState(op, offset);
    if (bit >= FLAG_RESULT_BIT) this.makeWords();
    const value = this.cached(bit);
    const byte = offset & 7;
    switch (op) {
      case "i64.load":
        return value;
      case "i32.load":
        return this.wrap(value);
      case "i32.load16_u":
        return this.and(this.wrap(value), this.i32(0xffff));
      case "i32.load8_u":
        return this.and(this.wrap(this.shrU(value, this.i64(byte * 8))), this.i32(0xff));
      default:
        throw new NotCompiled(`${op} of a register`);
    }
  }

  private plainState(op: string, offset: number): Value {
    if (offset === layout.PAGE_RIP) return this.addressIn(this.page);
    if (offset === layout.TLB_CURRENT) return this.get(this.locals.tlb);
    if (offset === layout.LEFT) throw new NotCompiled("the budget");
    const field = this.locals.field(offset);
    if (field && op === `${field.type}.load`) return this.get(field);
    return this.load(op, this.cpu, offset);
  }

  /** The address of an offset in a page of the region, as RIP sees it. */
  protected addressIn(page: CodePage, offset = 0): Value {
    const sum = this.add(this.get(this.locals.pageRip), this.i64(page.distance + offset));
    return this.and(sum, this.state("i64.load", layout.LINEAR_MASK));
  }

  /** What the mode says of a field. */
  private constantState(op: string, offset: number): Value | undefined {
    switch (offset) {
      case layout.ZERO_SLOT:
      case layout.SEGMENT_BASE + layout.SEGMENT_NONE * 8:
        return this.i64(0);
      case layout.ONE_SLOT:
        return this.i64(1);
      case layout.LINEAR_MASK:
        return this.i64(this.long ? -1n : 0xffffffffn);
    }
    if (!this.long) return undefined;
    if (offset === layout.STACK_MASK) return this.i64(-1);
    if (offset === layout.STACK_BASE) return this.i64(0);
    return offset === layout.STACK_CHECKED && op === "i32.load" ? this.i32(0) : undefined;
  }

  override setState(op: string, offset: number, value: Value): void {
    const bit = this.cachedBit(offset);
    if (bit < 0) return this.setField(op, offset, value);
    if (bit >= FLAG_RESULT_BIT && this.pending !== WORDS) this.makeWords();
    if (op === "i64.store") return this.setCached(bit, value);
    const byte = BigInt((offset & 7) * 8);
    const mask = op === "i32.store8" ? BYTE_MASK : WORD_MASK;
    if (op !== "i32.store8" && op !== "i32.store16") throw new NotCompiled(`${op} of a register`);
    const kept = this.and(this.cached(bit), this.i64(~(mask << byte)));
    const part = this.and(this.extendU(value), this.i64(mask));
    this.setCached(bit, this.or(kept, this.shl(part, this.i64(byte))));
  }

  /** Stores a field of the CPU area that is no register. */
  protected abstract setField(op: string, offset: number, value: Value): void;

  protected override slot(field: number): Value {
    return this.add(this.cpu, this.i32(this.slotOffset(field)));
  }

  protected slotOffset(field: number): number {
    if (field === rec.REC_A) return this.record.a;
    if (field === rec.REC_B) return this.record.b;
    return field === rec.REC_X ? this.record.x : this.record.v;
  }

  override registerAddress(operand: Operand): Value {
    if (operand.kind !== "register") throw new Error(`${this.name}: ${operand.kind} is no register`);
    const offset = this.slotOffset(this.fieldOf(operand));
    const register = offset >> 3;
    this.store("i64.store", this.cpu, this.cached(register), layout.GPR + register * 8);
    this.spilled |= 1 << register;
    return this.add(this.cpu, this.i32(offset));
  }

  // ── flags ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts operands into their variables; what they are as values counts in the node's own straight line. */
  private setOperands(values: Partial<Record<OperandName, Value>>): Pick<Pending, "values"> {
    for (const [name, value] of Object.entries(values) as [OperandName, Value][]) {
      this.set(this.locals.operands[name], name === "overflow" ? value : this.extendU(value));
    }
    return this.depth === 1 ? { values } : {};
  }

  private setFlags(
    source: Source,
    size: number,
    values: Partial<Record<OperandName, Value>>,
    plain = false,
  ): void {
    if (this.flagsAreDead) return;
    this.pending = { ...WORDS, source, size, plain, ...this.setOperands(values) };
  }

  /** Notes a change of some flags on top of what is pending. */
  private changeFlags(
    change: Change,
    changeSize: number,
    changes: Partial<Record<"changed" | "overflow", Value>>,
  ): void {
    if (this.pending === WORDS) {
      const left = this.cached(FLAG_CARRY_BIT);
      this.setFlags("words", 8, { left, result: this.cached(FLAG_RESULT_BIT) });
    }
    const { source, size, plain, values } = this.pending;
    const changed = this.setOperands(changes);
    const known = changed.values && { values: { ...values, ...changed.values } };
    this.pending = { source, size, plain, change, changeSize, ...known };
  }

  override flagsAdd(size: number, left: Value, right: Value, result: Value): void {
    const plain = result.op.endsWith(".add") && result.args[0] === left && result.args[1] === right;
    this.setFlags("add", size, { left, right, result }, plain);
  }

  override flagsSub(size: number, left: Value, right: Value, result: Value): void {
    const same = result === left && right.op === "const";
    const plain = same || (result.op.endsWith(".sub") && result.args[0] === left && result.args[1] === right);
    this.setFlags("sub", size, { left, right, result }, plain);
  }

  override flagsLogic(size: number, result: Value): void {
    this.setFlags("logic", size, { result });
  }

  override flagsShift(name: ShiftName, size: number, value: Value, count: Value, result: Value): void {
    this.setFlags(name, size, { left: value, right: count, result });
  }

  override flagsProduct(size: number, left: Value, right: Value, result: Value): void {
    this.setFlags("product", size, { left, right, result });
  }

  override flagsResult(size: number, result: Value, carry: Value, overflow: Value): void {
    this.setFlags("given", size, { left: carry, right: overflow, result });
  }

  override flagsIncrement(size: number, _old: Value, result: Value, decrement: boolean): void {
    if (this.flagsAreDead) return;
    const { change } = this.pending;
    if (change !== "none" && !isCounting(change)) this.makeWords();
    this.changeFlags(decrement ? "decrement" : "increment", size, { changed: result });
  }

  override flagsRotate(toLeft: boolean, size: number, result: Value): void {
    if (this.flagsAreDead) return;
    if (this.pending.source === "dynamic" || isCounting(this.pending.change)) this.makeWords();
    this.changeFlags(toLeft ? "rol" : "ror", size, { changed: result });
  }

  override setCarryOverflow(carry: Value, overflow: Value): void {
    if (this.pending.source === "dynamic" || isCounting(this.pending.change)) this.makeWords();
    this.changeFlags("both", 4, { changed: carry, overflow });
  }

  override setCarry(carry: Value): void {
    if (this.pending.source === "dynamic" || isCounting(this.pending.change)) this.makeWords();
    const { change } = this.pending;
    if (change !== "none" && change !== "carry") return super.setCarry(carry);
    this.changeFlags("carry", 4, { changed: carry });
  }

  override condition(name: Condition): Value {
    const code = CONDITIONS.indexOf(name);
    if (code & 1) return this.eqz(this.condition(CONDITIONS[code - 1]));
    if (this.pending.source === "dynamic" && !this.isOfChange(name)) this.makeWords();
    if (this.pending === WORDS) return super.condition(name);
    return new PendingFlags(this, this.locals.operands, this.pending as Known).condition(name);
  }

  /** Whether an increment or decrement on top of dynamic flags decides a condition. */
  private isOfChange(name: Condition): boolean {
    return isCounting(this.pending.change) && name !== "b" && name !== "be";
  }

  /** The code of the pending flags and their operands, as MAKE_WORDS takes them. */
  protected codeAndOperands(): Value[] {
    const { left, right, result, changed, overflow } = this.locals.operands;
    return [this.code(), ...[left, right, result, changed, overflow].map((variable) => this.get(variable))];
  }

  private code(): Value {
    const code = this.i32(codeOf(this.pending));
    if (this.pending.source !== "dynamic") return code;
    const dynamic = this.get(this.locals.flagCode);
    if (this.pending.change === "none") return dynamic;
    return this.or(this.and(dynamic, this.i32(~CHANGE_BITS)), code);
  }

  /** Brings the flags into their two words. */
  protected makeWords(): void {
    const { pending } = this;
    if (pending === WORDS) return;
    if (pending.source === "dynamic") {
      this.callVoid(MAKE_WORDS, [this.cpu, ...this.codeAndOperands()]);
      this.setWords(
        this.load("i64.load", this.cpu, layout.FLAG_RESULT),
        this.load("i64.load", this.cpu, layout.FLAG_CARRY),
      );
    } else {
      const flags = new PendingFlags(this, this.locals.operands, pending as Known);
      this.setWords(flags.resultWord(), flags.carryWord());
    }
    this.pending = WORDS;
  }

  private setWords(result: Value, carry: Value): void {
    this.set(this.locals.cached[FLAG_RESULT_BIT], result);
    this.set(this.locals.cached[FLAG_CARRY_BIT], carry);
    this.defineWords();
  }

  /** Brings the flags into the form that code tells at run time, for code that control comes to by several ways. */
  protected makeDynamic(): void {
    const { change } = this.pending;
    if (change !== "none" && !isCounting(change)) this.makeWords();
    if (this.pending === WORDS) {
      this.set(this.locals.operands.left, this.cached(FLAG_CARRY_BIT));
      this.set(this.locals.operands.result, this.cached(FLAG_RESULT_BIT));
    }
    if (this.pending !== DYNAMIC) this.set(this.locals.flagCode, this.code());
    this.pending = DYNAMIC;
  }

  private defineWords(): void {
    this.current[FLAG_RESULT_BIT] = this.current[FLAG_CARRY_BIT] = undefined;
    this.changed |= FLAG_WORDS;
    if (this.depth === 1) this.defined |= FLAG_WORDS;
  }
}
