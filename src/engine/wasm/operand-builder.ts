/**
 * Operands whose handling does not depend on where registers are kept: vectors, which live in the CPU area for every
 * builder, and the stack. Knows no record.
 */
import type { Signature, Value } from "../ir/ir.js";
import { X87_STATUS_SUMMARY, X87_STATUS_TOP } from "../../spec/x87.js";
import { CR4_OSXMMEXCPT, VECTOR_MF, VECTOR_UD, VECTOR_XM } from "../../spec/x86-privileged.js";
import * as layout from "../x86/layout.js";
import type { Operand } from "../x86/operands.js";
import * as rec from "../x86/record.js";
import { InstructionBuilder, type Access } from "../x86/semantics/instruction-builder.js";
import { SSE_FAULTED, sseFloatOperation } from "../x86/sse-float.js";
import { vectorOperationNumber, type VectorOperationName } from "../x86/vector-operations.js";
import { FPU_SIGN_EXPONENT, FPU_STATUS, FPU_TAGS } from "../x86/x87/state.js";

/** Sign and exponent that an MMX write leaves in the x87 register. */
const MMX_SIGN_EXPONENT = 0xffff;

export abstract class OperandBuilder extends InstructionBuilder {
  /** Host address of the CPU's area. */
  protected readonly cpu: Value;

  constructor(name: string, signature: Signature) {
    super(name, signature);
    this.cpu = this.parameter(0);
  }

  /** Host address of the register that record field `a`, `b`, `x` or `v` names. */
  protected abstract slot(field: number): Value;
  /** Linear address of a stack offset, checked against SS when it is not flat. */
  protected abstract stackLinear(offset: Value, size: number, access: Access): Value;

  protected fieldOf(operand: { field: "a" | "b" | "v" }): number {
    return { a: rec.REC_A, b: rec.REC_B, v: rec.REC_V }[operand.field];
  }

  // ── vectors ───────────────────────────────────────────────────────────────────────────────────────────

  override readVector(operand: Operand): Value {
    switch (operand.kind) {
      case "xmm":
        return this.loadVector(this.slot(this.fieldOf(operand)), 16);
      case "mmx":
        return this.loadVector(this.slot(this.fieldOf(operand)), 8);
      case "memory": {
        const linear = this.linearAddress(operand.size, "read", undefined, operand.aligned);
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
    const linear = this.linearAddress(operand.size, "write", undefined, operand.aligned);
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

  override resetTop(): void {
    const status = this.and(this.state("i32.load16_u", layout.FPU + FPU_STATUS), this.i32(~X87_STATUS_TOP));
    this.setState("i32.store16", layout.FPU + FPU_STATUS, status);
  }

  override validateTags(): void {
    this.setState("i32.store8", layout.FPU + FPU_TAGS, this.i32(0xff));
  }

  override markMmx(slot: Value): void {
    this.store("i32.store16", slot, this.i32(MMX_SIGN_EXPONENT), FPU_SIGN_EXPONENT);
  }

  override vectorAddress(operand: Operand): Value {
    if (operand.kind === "xmm" || operand.kind === "mmx") return this.slot(this.fieldOf(operand));
    if (operand.kind !== "memory") return this.registerAddress(operand);
    const linear = this.linearAddress(operand.size, "read", undefined, operand.aligned);
    if (operand.aligned) this.requireAligned(linear, operand.size);
    return this.translate(linear, operand.size, "read");
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

  override setStackPointer(value: Value): void {
    const mask = this.state("i64.load", layout.STACK_MASK);
    const kept = this.and(this.gpr(4, 8), this.not(mask));
    this.setGpr(4, 8, this.or(kept, this.and(value, mask)));
  }

  override storeBelowStack(value: Value, size: number): Value {
    const offset = this.sub(this.gpr(4, 8), this.i64(size));
    this.storeLinear(this.stackLinear(offset, size, "write"), value, size, true);
    return offset;
  }

  override push(value: Value, size: number): void {
    this.setStackPointer(this.storeBelowStack(value, size));
  }

  override loadStack(offset: Value, size: number): Value {
    return this.loadLinear(this.stackLinear(offset, size, "read"), size, true);
  }
}
