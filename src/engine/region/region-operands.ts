/**
 * Operands that are known when code is generated: immediates are constants, addresses are sums of variables, and an
 * access that the TLB does not answer leaves the region.
 */
import { RSP } from "../../spec/x86-encoding.js";
import type { Statement, Value } from "../ir/ir.js";
import * as layout from "../x86/layout.js";
import type { Operand } from "../x86/operands.js";
import * as rec from "../x86/record.js";
import type { Access, StringOperand } from "../x86/semantics/instruction-builder.js";
import { NotCompiled, RegionState } from "./region-state.js";
import { NO_PAGE } from "./registers.js";

const WORD_MASK = 0xffffn;

export abstract class RegionOperands extends RegionState {
  /** Leaves the instruction to the interpreter, if `condition` holds when it is given. */
  protected abstract interpret(condition?: Value): void;

  /** The node is part of a loop: what is found once is kept. */
  protected repeats = false;
  /** Where known pages are forgotten. */
  private readonly forgetting: Statement[][] = [];

  // ── integer operands ──────────────────────────────────────────────────────────────────────────────────

  override read(operand: Operand): Value {
    switch (operand.kind) {
      case "register": {
        const op = { 1: "i32.load8_u", 2: "i32.load16_u", 4: "i32.load", 8: "i64.load" }[operand.size]!;
        return this.state(op, this.slotOffset(this.fieldOf(operand)));
      }
      case "memory":
        return this.loadLinear(this.linearAddress(operand.size, "read"), operand.size);
      case "immediate": {
        const { immediate } = this.record;
        if (operand.size === 8) return this.i64(immediate);
        return this.i32(Number(BigInt.asUintN(operand.size * 8, immediate)));
      }
      case "cl":
        return this.gpr(1, 1);
      default:
        throw new Error(`${this.name}: cannot read ${operand.kind} as an integer`);
    }
  }

  override write(operand: Operand, value: Value): void {
    if (operand.kind === "register") return this.writeRegister(operand, value);
    if (operand.kind !== "memory") throw new Error(`${this.name}: cannot write ${operand.kind}`);
    this.storeLinear(this.linearAddress(operand.size, "write"), value, operand.size);
  }

  private writeRegister(operand: Extract<Operand, { kind: "register" }>, value: Value): void {
    const offset = this.slotOffset(this.fieldOf(operand));
    if (operand.size === 4) return this.setState("i64.store", offset, this.extendU(value));
    const op = { 1: "i32.store8", 2: "i32.store16", 8: "i64.store" }[operand.size]!;
    this.setState(op, offset, value);
  }

  override modify(operand: Operand, compute: (old: Value) => Value): void {
    if (operand.kind === "register") return this.writeRegister(operand, compute(this.read(operand)));
    if (operand.kind !== "memory") throw new Error(`${this.name}: cannot modify ${operand.kind}`);
    const host = this.translate(this.linearAddress(operand.size, "modify"), operand.size, "modify");
    const value = compute(this.loadHost(host, operand.size));
    this.storeHost(host, value, operand.size);
  }

  /** `if`, for what seldom happens and leaves the flags alone. */
  private seldom(condition: Value, then: () => void): void {
    condition.uses++;
    const body = this.within(then);
    this.statements.push({ kind: "if", condition, then: body, else: [], seldom: true });
  }

  // ── addresses ─────────────────────────────────────────────────────────────────────────────────────────

  private sumOfParts(): Value {
    const { b, x, scale, displacement } = this.record;
    const base = this.state("i64.load", b);
    const index = this.shl(this.state("i64.load", x), this.i64(scale));
    return this.add(this.add(base, index), this.i64(displacement));
  }

  override effectiveOffset(): Value {
    const { addressSize } = this.record;
    const sum = this.sumOfParts();
    return addressSize === 8 ? sum : this.and(sum, this.i64(addressSize === 4 ? 0xffffffffn : WORD_MASK));
  }

  override linearAddress(_size?: number, _access?: Access, addend?: Value): Value {
    const { addressKind, segment } = this.record;
    if (addressKind === rec.EA_CHECKED) throw new NotCompiled("checked address");
    let linear = addend ? this.add(this.sumOfParts(), addend) : this.sumOfParts();
    if (addressKind === rec.EA_FULL && segment !== layout.SEGMENT_NONE * 8) {
      linear = this.add(linear, this.state("i64.load", layout.SEGMENT_BASE + segment));
    }
    return this.and(linear, this.state("i64.load", layout.LINEAR_MASK));
  }

  override segmentBase(): Value {
    return this.state("i64.load", layout.SEGMENT_BASE + this.record.segment);
  }

  override translate(linear: Value, size: number, access: Access, stack = false): Value {
    const low = this.wrap(linear);
    if (!this.repeats) return this.add(low, this.probe(linear, size, access));
    const { page, addend } = this.locals.page(this.pageKey(access, stack));
    // An access that is not aligned is looked up each time: it may reach into the next page.
    const place = this.and(linear, this.i64(-layout.PAGE_SIZE | (size - 1)));
    this.seldom(this.ne(place, this.get(page)), () => {
      this.set(addend, this.probe(linear, size, access));
      this.set(page, this.and(linear, this.i64(-layout.PAGE_SIZE)));
    });
    return this.add(low, this.get(addend));
  }

  /** Which accesses probably go to the same page as this one: those by the same register. */
  private pageKey(access: Access, stack: boolean): number {
    const { b, x } = this.record;
    const base = b < layout.ZERO_SLOT ? b : x;
    return (stack ? RSP * 8 : base) * 2 + (access === "read" ? 0 : 1);
  }

  /** What the TLB adds to a linear address. */
  private probe(linear: Value, size: number, access: Access): Value {
    const entry = this.add(this.get(this.locals.tlb), this.tlbOffset(linear));
    const last = size === 1 ? linear : this.add(linear, this.i64(size - 1));
    const page = this.and(last, this.i64(-layout.PAGE_SIZE));
    const field = access === "read" ? layout.TLB_READ_TAG : layout.TLB_WRITE_TAG;
    this.interpret(this.ne(this.load("i64.load", entry, field), page));
    return this.load("i32.load", entry, layout.TLB_ADDEND);
  }

  protected override setField(op: string, offset: number, value: Value): void {
    const toTlb = offset === layout.TLB_CURRENT;
    const field = toTlb ? this.locals.tlb : this.locals.field(offset);
    if (field) this.set(field, value);
    if (toTlb) this.forgetPages();
    this.store(op, this.cpu, value, offset);
  }

  private forgetPages(): void {
    const body: Statement[] = [];
    this.forgetting.push(body);
    this.statements.push({ kind: "block", label: { name: "forget" }, body });
  }

  /** Has every page that is known be looked up again; once all code of nodes is there. */
  forgetAllPages(): void {
    for (const body of [...this.forgetting]) body.push(...this.within(() => this.noPages()));
  }

  /** No page is known. */
  noPages(): void {
    for (const { page, addend } of this.locals.pages.values()) {
      this.set(page, this.i64(NO_PAGE));
      this.set(addend, this.i32(0));
    }
  }

  /** What `translate` gave is always RAM. */
  override commit(): void {
    return;
  }

  override isFast(): Value {
    return this.i32(1);
  }

  override isScratch(): Value {
    return this.i32(0);
  }

  override requireAligned(linear: Value, alignment: number): void {
    this.interpret(this.wrap(this.and(linear, this.i64(alignment - 1))));
  }

  protected override stackLinear(offset: Value): Value {
    const masked = this.and(offset, this.state("i64.load", layout.STACK_MASK));
    const checked = this.state("i32.load", layout.STACK_CHECKED);
    if (checked.op !== "const") this.interpret(checked);
    const sum = this.add(masked, this.state("i64.load", layout.STACK_BASE));
    return this.and(sum, this.state("i64.load", layout.LINEAR_MASK));
  }

  override setStackPointer(value: Value): void {
    if (this.long) this.setGpr(RSP, 8, value);
    else super.setStackPointer(value);
  }

  override repeatPrefix(): Value {
    return this.i32(this.record.repeat);
  }

  override addressSize(): Value {
    return this.i32(this.record.addressSize);
  }

  override stringRoom(_operand: StringOperand): Value {
    if (this.record.addressKind !== rec.EA_SIMPLE) throw new NotCompiled("checked string");
    return this.i64(-1);
  }
}
