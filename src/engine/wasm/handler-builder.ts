/**
 * The interpreter's side of `InstructionBuilder`: operands come from the decoded record, registers live in the CPU
 * area. A handler is either a function of its own, `(cpu, record) → next record`, or an arm inlined into the run
 * loop; the `Continuation` says which. A next record of 0 means "resolve RIP".
 */
import type { Label, Signature, Value, Variable } from "../ir/ir.js";
import * as layout from "../x86/layout.js";
import type { Operand, Operation } from "../x86/operands.js";
import * as rec from "../x86/record.js";
import { SSE_FAULTED, sseFloatOperation } from "../x86/sse-float.js";
import { FPU_SIGN_EXPONENT, FPU_STATUS, FPU_TAGS } from "../x86/x87/state.js";
import { accessInfo, InstructionBuilder, type Access } from "../x86/semantics/instruction-builder.js";

/** Signature of a handler. */
export const HANDLER_SIGNATURE: Signature = { parameters: ["i32", "i32"], results: ["i32"] };

const TLB_ENTRY_SHIFT = 5;
const VECTOR_UD = 6;
const VECTOR_MF = 16;
const VECTOR_XM = 19;
const CR4_OSXMMEXCPT = 1 << 10;
const X87_STATUS_SUMMARY = 0x80;
const X87_STATUS_TOP = 0x3800;
/** Sign and exponent that an MMX write leaves in the x87 register. */
const MMX_SIGN_EXPONENT = 0xffff;

/** How an inlined arm goes on. */
export interface InlineContinuation {
  /** Holds the current record. */
  record: Variable;
  /** Instructions left, kept in a local while no slow path runs. */
  left: Variable;
  /** Top of the run loop. */
  again: Label;
}

/** Where generated code finds the number of a helper. */
export type HelperIndex = (mnemonic: string) => number;

export class HandlerBuilder extends InstructionBuilder {
  private readonly cpu: Value;
  private record: Value;
  private current: Operation | undefined;
  private continuation: InlineContinuation | undefined;

  constructor(
    name: string,
    signature: Signature,
    private readonly helperIndex: HelperIndex,
  ) {
    super(name, signature);
    this.cpu = this.parameter(0);
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

  private leave(next: Value): void {
    if (!this.continuation) return this.return(next);
    this.set(this.continuation.record, next);
    this.branch(this.continuation.again);
  }

  /** Runs code that may call TypeScript: the instruction budget is in memory meanwhile. */
  private outside<T>(build: () => T): T {
    if (!this.continuation) return build();
    this.setState("i32.store", layout.LEFT, this.get(this.continuation.left));
    const result = build();
    this.set(this.continuation.left, this.state("i32.load", layout.LEFT));
    return result;
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

  // ── record fields ─────────────────────────────────────────────────────────────────────────────────────

  /** Host address of the register that record field `a`, `b` or `x` names. */
  private slot(field: number): Value {
    return this.add(this.cpu, this.load("i32.load16_u", this.record, field));
  }

  private fieldOf(operand: { field: "a" | "b" }): number {
    return operand.field === "a" ? rec.REC_A : rec.REC_B;
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

  override linearAddress(size: number, access: Access): Value {
    const simple = this.add(this.load("i64.load", this.slot(rec.REC_B)), this.displacement());
    const linear = this.variable(this.and(simple, this.state("i64.load", layout.LINEAR_MASK)));
    this.if(this.load("i32.load8_u", this.record, rec.REC_EA), () => {
      this.outside(() => {
        const info = this.i32(accessInfo(size, access, false));
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
        this.set(host, this.call("slowTranslate", "i32", [this.cpu, this.record, info]));
      });
      this.if(this.eqz(this.get(host)), () => this.leave(this.i32(0)));
    });
    return this.get(host);
  }

  private tlbEntry(linear: Value): Value {
    const scaled = this.wrap(this.shrU(linear, this.i64(layout.PAGE_SHIFT - TLB_ENTRY_SHIFT)));
    const index = this.and(scaled, this.i32(layout.TLB_SIZE - layout.TLB_ENTRY_SIZE));
    return this.add(this.state("i32.load", layout.TLB_CURRENT), index);
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
      this.store("i32.store16", slot, this.i32(MMX_SIGN_EXPONENT), FPU_SIGN_EXPONENT);
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

  override enterMmx(): void {
    const pending = this.and(
      this.state("i32.load16_u", layout.FPU + FPU_STATUS),
      this.i32(X87_STATUS_SUMMARY),
    );
    this.if(pending, () => this.raise(VECTOR_MF));
    const status = this.and(this.state("i32.load16_u", layout.FPU + FPU_STATUS), this.i32(~X87_STATUS_TOP));
    this.setState("i32.store16", layout.FPU + FPU_STATUS, status);
    this.setState("i32.store8", layout.FPU + FPU_TAGS, this.i32(0xff));
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
    const info = this.i32((operation?.size ?? 0) | (operation?.isMemory ? 0x100 : 0));
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
