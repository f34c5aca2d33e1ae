/**
 * The interpreter's side of `InstructionBuilder`: operands come from the decoded record, registers live in the CPU
 * area. Here: stack addresses, control flow; the rest is `RecordBuilder` and `OperandBuilder`.
 */
import type { Signature, Value } from "../ir/ir.js";
import { INFO_MASKED_STORE, INFO_MEMORY, INFO_STRING_DESTINATION } from "../x86/call-info.js";
import { INDIRECT_TRANSFERS } from "../x86/control-flow.js";
import * as layout from "../x86/layout.js";
import type { Operand } from "../x86/operands.js";
import * as rec from "../x86/record.js";
import { accessInfo, type Access, type StringOperand } from "../x86/semantics/instruction-builder.js";
import { RecordBuilder } from "./record-builder.js";

/** Signature of a handler, and its name in a module. */
export const HANDLER_TYPE = "handler";
export const HANDLER_SIGNATURE: Signature = { parameters: ["i32", "i32"], results: ["i32"] };

/** Where generated code finds the number of a helper. */
export type HelperIndex = (mnemonic: string) => number;

const STRING_SIDES: Record<StringOperand, number> = {
  source: 0,
  destination: INFO_STRING_DESTINATION,
  masked: INFO_MASKED_STORE,
};

export class HandlerBuilder extends RecordBuilder {
  constructor(
    name: string,
    signature: Signature,
    private readonly helperIndex: HelperIndex,
  ) {
    super(name, signature);
  }

  /** Gives back the count of a record that is no instruction. */
  uncount(): void {
    if (this.continuation)
      this.set(this.continuation.left, this.add(this.get(this.continuation.left), this.i32(1)));
    else this.consume(this.i32(-1));
  }

  /** RIP of this record, i64. */
  currentRip(): Value {
    const offset = this.load("i64.load16_u", this.record, rec.REC_OFFSET);
    const rip = this.add(this.state("i64.load", layout.PAGE_RIP), offset);
    return this.and(rip, this.state("i64.load", layout.LINEAR_MASK));
  }

  /** Goes on only if the next page is still the one that the instruction behind this record was decoded from. */
  checkCrossing(): void {
    const good = this.outside(() => this.call("crossing", "i32", [this.cpu, this.record]));
    this.if(this.eqz(good), () => this.leave(this.i32(0)));
  }

  // ── operands ──────────────────────────────────────────────────────────────────────────────────────────

  override registerAddress(operand: Operand): Value {
    if (operand.kind !== "register") throw new Error(`${this.name}: ${operand.kind} is no register`);
    return this.slot(this.fieldOf(operand));
  }

  // ── stack ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Linear address of a stack offset, checked against SS when it is not flat. */
  protected override stackLinear(offset: Value, size: number, access: Access): Value {
    const masked = this.and(offset, this.state("i64.load", layout.STACK_MASK));
    const sum = this.add(masked, this.state("i64.load", layout.STACK_BASE));
    this.if(this.state("i32.load", layout.STACK_CHECKED), () => {
      this.setState("i64.store", layout.MAIL_ADDRESS, masked);
      const info = this.i32(accessInfo(size, access, true));
      const good = this.outside(() => this.call("checkedStack", "i32", [this.cpu, this.record, info]));
      this.if(this.eqz(good), () => this.leave(this.i32(0)));
    });
    return this.and(sum, this.state("i64.load", layout.LINEAR_MASK));
  }

  override stringRoom(operand: StringOperand, size: number, access: Access): Value {
    const room = this.variable(this.i64(-1));
    this.if(this.load("i32.load8_u", this.record, rec.REC_EA), () => {
      const side = STRING_SIDES[operand];
      const info = this.i32(accessInfo(size, access, false) | side);
      const elements = this.outside(() => this.call("checkedString", "i32", [this.cpu, this.record, info]));
      this.if(this.eqz(elements), () => this.leave(this.i32(0)));
      this.set(room, this.extendU(elements));
    });
    return this.get(room);
  }

  // ── control flow ──────────────────────────────────────────────────────────────────────────────────────

  override nextRip(): Value {
    const offset = this.load("i64.load16_u", this.record, rec.REC_OFFSET);
    const length = this.load("i64.load8_u", this.record, rec.REC_LENGTH);
    return this.add(this.add(this.state("i64.load", layout.PAGE_RIP), offset), length);
  }

  override jump(target: Value, size: number): void {
    const rip = this.extendU(this.truncate(target, Math.min(size, 8)));
    this.setState("i64.store", layout.RIP, rip);
    // The compiler guesses that control goes there again.
    if (INDIRECT_TRANSFERS.has(this.current?.mnemonic ?? ""))
      this.store("i64.store", this.record, rip, rec.REC_IMMEDIATE);
    this.leave(this.i32(0));
  }

  override jumpRelative(): void {
    const link = this.load("i32.load", this.record, rec.REC_LINK);
    this.if(link, () => this.leave(link));
    this.leave(this.outside(() => this.call("branch", "i32", [this.cpu, this.record])));
  }

  override requireRelativeTarget(size: number): void {
    if (size === 8) return;
    // A link is only ever made to a target that was checked.
    this.if(this.eqz(this.load("i32.load", this.record, rec.REC_LINK)), () => {
      const allowed = this.outside(() => this.call("branchAllowed", "i32", [this.cpu, this.record]));
      this.if(this.eqz(allowed), () => this.leave(this.i32(0)));
    });
  }

  override again(): void {
    this.leave(this.record);
  }

  override raise(vector: number, errorCode?: number): void {
    this.outside(() => {
      this.callVoid("raise", [this.cpu, this.record, this.i32(vector), this.i32(errorCode ?? -1)]);
    });
    this.leave(this.i32(0));
  }

  override helper(mnemonic: string): void {
    const operation = this.current;
    const info = this.i32((operation?.size ?? 0) | (operation?.isMemory ? INFO_MEMORY : 0));
    const index = this.i32(this.helperIndex(mnemonic));
    const sequential = this.outside(() => this.call("helper", "i32", [this.cpu, this.record, index, info]));
    const next = this.add(this.record, this.i32(rec.RECORD_BYTES));
    this.leave(this.select(sequential, next, this.i32(0)));
  }

  override interruptWindow(): void {
    this.if(this.state("i32.load", layout.INTERRUPT_PENDING), () => {
      this.outside(() => this.callVoid("requestExit", [this.cpu]));
    });
  }

  override remaining(): Value {
    this.refuseInline("remaining");
    return this.state("i32.load", layout.LEFT);
  }

  override consume(count: Value): void {
    this.refuseInline("consume");
    this.setState("i32.store", layout.LEFT, this.sub(this.state("i32.load", layout.LEFT), count));
  }

  private refuseInline(what: string): void {
    if (this.continuation) throw new Error(`${this.current?.key}: ${what} needs a handler function`);
  }
}
