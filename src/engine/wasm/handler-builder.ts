/**
 * The interpreter's side of `InstructionBuilder`: operands come from the decoded record, registers live in the CPU
 * area. Here: vectors, stack, control flow; the rest is `RecordBuilder`.
 */
import { X87_STATUS_SUMMARY, X87_STATUS_TOP } from "../../spec/x87.js";
import { VECTOR_UD, VECTOR_MF, VECTOR_XM, CR4_OSXMMEXCPT } from "../../spec/x86-privileged.js";
import type { Signature, Value } from "../ir/ir.js";
import { INFO_MEMORY, INFO_STRING_DESTINATION } from "../x86/call-info.js";
import * as layout from "../x86/layout.js";
import type { Operand } from "../x86/operands.js";
import * as rec from "../x86/record.js";
import { SSE_FAULTED, sseFloatOperation } from "../x86/sse-float.js";
import { vectorOperationNumber, type VectorOperationName } from "../x86/vector-operations.js";
import { FPU_SIGN_EXPONENT, FPU_STATUS, FPU_TAGS } from "../x86/x87/state.js";
import { accessInfo, type Access, type StringOperand } from "../x86/semantics/instruction-builder.js";
import { RecordBuilder } from "./record-builder.js";

/** Signature of a handler. */
export const HANDLER_SIGNATURE: Signature = { parameters: ["i32", "i32"], results: ["i32"] };

/** Sign and exponent that an MMX write leaves in the x87 register. */
const MMX_SIGN_EXPONENT = 0xffff;

/** Where generated code finds the number of a helper. */
export type HelperIndex = (mnemonic: string) => number;

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

  // ── vectors ───────────────────────────────────────────────────────────────────────────────────────────

  override readVector(operand: Operand): Value {
    switch (operand.kind) {
      case "xmm":
        return this.loadVector(this.slot(this.fieldOf(operand)), 16);
      case "mmx":
        return this.loadVector(this.slot(this.fieldOf(operand)), 8);
      case "memory": {
        const linear = this.linearAddress(operand.size, "read");
        if (operand.aligned) this.requireAligned(linear, operand.size);
        return this.loadVector(this.translate(linear, operand.size, "read"), operand.size);
      }
      default:
        throw new Error(`${this.name}: cannot read ${operand.kind} as a vector`);
    }
  }

  private loadVector(host: Value, size: number): Value {
    if (size === 16) return this.load("v128.load", host);
    if (size === 8) return this.load("v128.load64_zero", host);
    if (size === 4) return this.load("v128.load32_zero", host);
    const scalar = this.loadHost(host, size);
    return this.operation("v128", "i32x4.replace_lane", [this.v128(new Uint8Array(16)), scalar], 0);
  }

  override writeVector(operand: Operand, value: Value): void {
    if (operand.kind === "xmm")
      return this.storeVector(this.slot(this.fieldOf(operand)), value, operand.size);
    if (operand.kind === "mmx") {
      const slot = this.slot(this.fieldOf(operand));
      this.markMmx(slot);
      return this.storeVector(slot, value, 8);
    }
    if (operand.kind !== "memory") throw new Error(`${this.name}: cannot write ${operand.kind} as a vector`);
    const linear = this.linearAddress(operand.size, "write");
    if (operand.aligned) this.requireAligned(linear, operand.size);
    const host = this.translate(linear, operand.size, "write");
    this.storeVector(host, value, operand.size);
    this.commit(host, operand.size, "write");
  }

  private storeVector(host: Value, value: Value, size: number): void {
    if (size === 16) return this.store("v128.store", host, value);
    const lane = { 8: ["i64", "i64x2"], 4: ["i32", "i32x4"] }[size];
    if (!lane) throw new Error(`${this.name}: vector store of ${size} bytes`);
    const scalar = this.operation(lane[0] as "i32" | "i64", `${lane[1]}.extract_lane`, [value], 0);
    this.storeHost(host, scalar, size);
  }

  override checkMmx(): void {
    const status = this.state("i32.load16_u", layout.FPU + FPU_STATUS);
    this.if(this.and(status, this.i32(X87_STATUS_SUMMARY)), () => this.raise(VECTOR_MF));
  }

  override enterMmx(): void {
    const status = this.and(this.state("i32.load16_u", layout.FPU + FPU_STATUS), this.i32(~X87_STATUS_TOP));
    this.setState("i32.store16", layout.FPU + FPU_STATUS, status);
    this.setState("i32.store8", layout.FPU + FPU_TAGS, this.i32(0xff));
  }

  override markMmx(slot: Value): void {
    this.store("i32.store16", slot, this.i32(MMX_SIGN_EXPONENT), FPU_SIGN_EXPONENT);
  }

  override vectorAddress(operand: Operand): Value {
    if (operand.kind === "xmm" || operand.kind === "mmx") return this.slot(this.fieldOf(operand));
    if (operand.kind !== "memory") return this.registerAddress(operand);
    const linear = this.linearAddress(operand.size, "read");
    if (operand.aligned) this.requireAligned(linear, operand.size);
    return this.translate(linear, operand.size, "read");
  }

  override registerAddress(operand: Operand): Value {
    if (operand.kind !== "register") throw new Error(`${this.name}: ${operand.kind} is no register`);
    return this.slot(this.fieldOf(operand));
  }

  override spill(value: Value): Value {
    const address = this.add(this.cpu, this.i32(layout.SCRATCH_B));
    this.store("v128.store", address, value);
    return address;
  }

  override floatOperation(mnemonic: string, destination: Value, source: Value, immediate: Value): Value {
    const operation = this.i32(sseFloatOperation(mnemonic));
    const result = this.call("sseFloat", "i32", [this.cpu, operation, destination, source, immediate]);
    this.if(this.eq(result, this.i32(SSE_FAULTED)), () => {
      const supported = this.and(this.state("i32.load", layout.CR4), this.i32(CR4_OSXMMEXCPT));
      this.if(supported, () => this.raise(VECTOR_XM));
      this.raise(VECTOR_UD);
    });
    return result;
  }

  override vectorOperation(
    name: VectorOperationName,
    destination: Value,
    source: Value,
    immediate: Value,
  ): Value {
    const operation = this.i32(vectorOperationNumber(name));
    return this.call("vectorOperation", "i32", [operation, destination, source, immediate]);
  }

  // ── stack ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Linear address of a stack offset, checked against SS when it is not flat. */
  private stackLinear(offset: Value, size: number, access: Access): Value {
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

  override setStackPointer(value: Value): void {
    const mask = this.state("i64.load", layout.STACK_MASK);
    const kept = this.and(this.gpr(4, 8), this.not(mask));
    this.setGpr(4, 8, this.or(kept, this.and(value, mask)));
  }

  override push(value: Value, size: number): void {
    const offset = this.sub(this.gpr(4, 8), this.i64(size));
    this.storeLinear(this.stackLinear(offset, size, "write"), value, size, true);
    this.setStackPointer(offset);
  }

  override loadStack(offset: Value, size: number): Value {
    return this.loadLinear(this.stackLinear(offset, size, "read"), size, true);
  }

  override stringRoom(operand: StringOperand, size: number, access: Access): Value {
    const room = this.variable(this.i64(-1));
    this.if(this.load("i32.load8_u", this.record, rec.REC_EA), () => {
      const side = operand === "destination" ? INFO_STRING_DESTINATION : 0;
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
    this.setState("i64.store", layout.RIP, this.extendU(this.truncate(target, Math.min(size, 8))));
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
