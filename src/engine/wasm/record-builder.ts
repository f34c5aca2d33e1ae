/**
 * What handlers share: the decoded record's fields, integer operands, addresses and translation, and how a handler
 * goes on. A handler is either a function of its own, `(cpu, record) → next record`, or an arm inlined into the run
 * loop; the continuation says which. A next record of 0 means "resolve RIP".
 */
import type { Label, Signature, Value, Variable } from "../ir/ir.js";
import * as layout from "../x86/layout.js";
import { INFO_ADDEND, INFO_ALIGNED } from "../x86/call-info.js";
import type { Operand, Operation } from "../x86/operands.js";
import * as rec from "../x86/record.js";
import { accessInfo, type Access } from "../x86/semantics/instruction-builder.js";
import { OperandBuilder } from "./operand-builder.js";

/** How an inlined arm goes on. */
export interface InlineContinuation {
  /** Holds the current record. */
  record: Variable;
  /** Instructions left, kept in a local while no slow path runs. */
  left: Variable;
  /** Top of the run loop. */
  again: Label;
}

export abstract class RecordBuilder extends OperandBuilder {
  protected record: Value;
  protected current: Operation | undefined;
  protected continuation: InlineContinuation | undefined;

  constructor(name: string, signature: Signature) {
    super(name, signature);
    this.record = signature.parameters.length > 1 ? this.parameter(1) : this.i32(0);
  }

  /** Starts the body of one operation; falling off its end continues with the next record. */
  begin(operation: Operation, continuation?: InlineContinuation): void {
    this.current = operation;
    this.continuation = continuation;
    if (continuation) this.record = this.get(continuation.record);
  }

  /** Ends the body: on to the next record. */
  end(): void {
    this.leave(this.add(this.record, this.i32(rec.RECORD_BYTES)));
  }

  protected leave(next: Value): void {
    if (!this.continuation) return this.return(next);
    this.set(this.continuation.record, next);
    this.branch(this.continuation.again);
  }

  /** Runs code that may call TypeScript: the instruction budget is in memory meanwhile. */
  protected outside<T>(build: () => T): T {
    if (!this.continuation) return build();
    this.setState("i32.store", layout.LEFT, this.get(this.continuation.left));
    const result = build();
    this.set(this.continuation.left, this.state("i32.load", layout.LEFT));
    return result;
  }

  // ── record fields ─────────────────────────────────────────────────────────────────────────────────────

  protected override slot(field: number): Value {
    return this.add(this.cpu, this.load("i32.load16_u", this.record, field));
  }

  override state(op: string, offset: number): Value {
    return this.load(op, this.cpu, offset);
  }

  override setState(op: string, offset: number, value: Value): void {
    this.store(op, this.cpu, value, offset);
  }

  override repeatPrefix(): Value {
    return this.load("i32.load8_u", this.record, rec.REC_REP);
  }

  override addressSize(): Value {
    return this.and(this.load("i32.load8_u", this.record, rec.REC_MISC), this.i32(15));
  }

  override segmentBase(): Value {
    const segment = this.add(this.cpu, this.load("i32.load8_u", this.record, rec.REC_SEGMENT));
    return this.load("i64.load", segment, layout.SEGMENT_BASE);
  }

  // ── integer operands ──────────────────────────────────────────────────────────────────────────────────

  override read(operand: Operand): Value {
    switch (operand.kind) {
      case "register":
        return this.loadHost(this.slot(this.fieldOf(operand)), operand.size);
      case "memory":
        return this.loadLinear(this.linearAddress(operand.size, "read"), operand.size);
      case "immediate": {
        if (operand.size === 8) return this.load("i64.load", this.record, rec.REC_IMMEDIATE);
        const op = { 1: "i32.load8_u", 2: "i32.load16_u", 4: "i32.load" }[operand.size]!;
        return this.load(op, this.record, rec.REC_IMMEDIATE);
      }
      case "cl":
        return this.gpr(1, 1);
      default:
        throw new Error(`${this.name}: cannot read ${operand.kind} as an integer`);
    }
  }

  override write(operand: Operand, value: Value): void {
    if (operand.kind === "register")
      return this.writeRegister(this.slot(this.fieldOf(operand)), operand.size, value);
    if (operand.kind !== "memory") throw new Error(`${this.name}: cannot write ${operand.kind}`);
    this.storeLinear(this.linearAddress(operand.size, "write"), value, operand.size);
  }

  private writeRegister(slot: Value, size: number, value: Value): void {
    if (size === 4) this.store("i64.store", slot, this.extendU(value));
    else this.storeHost(slot, value, size);
  }

  override modify(operand: Operand, compute: (old: Value) => Value): void {
    if (operand.kind === "register") {
      const slot = this.slot(this.fieldOf(operand));
      const value = compute(this.loadHost(slot, operand.size));
      return this.writeRegister(slot, operand.size, value);
    }
    if (operand.kind !== "memory") throw new Error(`${this.name}: cannot modify ${operand.kind}`);
    const host = this.translate(this.linearAddress(operand.size, "modify"), operand.size, "modify");
    const value = compute(this.loadHost(host, operand.size));
    this.storeHost(host, value, operand.size);
    this.commit(host, operand.size, "modify");
  }

  // ── addresses ─────────────────────────────────────────────────────────────────────────────────────────

  private displacement(): Value {
    return this.load("i64.load32_s", this.record, rec.REC_DISPLACEMENT);
  }

  override effectiveOffset(): Value {
    const base = this.load("i64.load", this.slot(rec.REC_B));
    const index = this.load("i64.load", this.slot(rec.REC_X));
    const scale = this.load("i64.load8_u", this.record, rec.REC_SCALE);
    const sum = this.variable(this.add(this.add(base, this.shl(index, scale)), this.displacement()));
    const size = this.addressSize();
    this.if(this.ne(size, this.i32(8)), () => {
      const mask = this.select(this.eq(size, this.i32(4)), this.i64(0xffffffffn), this.i64(0xffffn));
      this.set(sum, this.and(this.get(sum), mask));
    });
    return this.get(sum);
  }

  override linearAddress(size: number, access: Access, addend?: Value, aligned?: boolean): Value {
    const named = this.add(this.load("i64.load", this.slot(rec.REC_B)), this.displacement());
    const simple = addend ? this.add(named, addend) : named;
    const linear = this.variable(this.and(simple, this.state("i64.load", layout.LINEAR_MASK)));
    this.if(this.load("i32.load8_u", this.record, rec.REC_EA), () => {
      this.outside(() => {
        if (addend) this.setState("i64.store", layout.MAIL_ADDRESS, addend);
        const more = (addend ? INFO_ADDEND : 0) | (aligned ? INFO_ALIGNED : 0);
        const info = this.i32(accessInfo(size, access, false) | more);
        this.set(linear, this.call("address", "i64", [this.cpu, this.record, info]));
      });
      this.if(this.state("i32.load", layout.ADDRESS_FAULT), () => this.leave(this.i32(0)));
    });
    return this.get(linear);
  }

  override translate(linear: Value, size: number, access: Access, stack = false): Value {
    const low = this.wrap(linear);
    const entry = this.tlbEntry(linear);
    const last = size === 1 ? linear : this.add(linear, this.i64(size - 1));
    const page = this.and(last, this.i64(-layout.PAGE_SIZE));
    const tag = this.load("i64.load", entry, access === "read" ? layout.TLB_READ_TAG : layout.TLB_WRITE_TAG);
    const host = this.variable(this.add(low, this.load("i32.load", entry, layout.TLB_ADDEND)));
    this.if(this.ne(tag, page), () => {
      this.outside(() => {
        this.setState("i64.store", layout.MAIL_ADDRESS, linear);
        const info = this.i32(accessInfo(size, access, stack));
        this.set(host, this.call("translate", "i32", [this.cpu, this.record, info]));
      });
      this.if(this.eqz(this.get(host)), () => this.leave(this.i32(0)));
    });
    return this.get(host);
  }

  private tlbEntry(linear: Value): Value {
    return this.add(this.state("i32.load", layout.TLB_CURRENT), this.tlbOffset(linear));
  }

  override isFast(linear: Value, access: Access): Value {
    const tag = this.load(
      "i64.load",
      this.tlbEntry(linear),
      access === "read" ? layout.TLB_READ_TAG : layout.TLB_WRITE_TAG,
    );
    return this.eq(tag, this.and(linear, this.i64(-layout.PAGE_SIZE)));
  }

  override isScratch(host: Value): Value {
    return this.eq(host, this.add(this.cpu, this.i32(layout.SCRATCH)));
  }

  override commit(host: Value, size: number, access: Access): void {
    this.if(this.isScratch(host), () => {
      this.outside(() =>
        this.callVoid("commit", [this.cpu, this.record, this.i32(accessInfo(size, access, false))]),
      );
    });
  }

  override requireAligned(linear: Value, alignment: number): void {
    const misaligned = this.wrap(this.and(linear, this.i64(alignment - 1)));
    this.if(misaligned, () => this.raise(13, 0));
  }
}
