/**
 * Our side of the comparison: bytes through decoder, operations and record encoder, read back from the record as a
 * handler would. Knows no reference.
 */
import { Decoder } from "../../../src/engine/x86/decode.js";
import type { Instruction } from "../../../src/engine/x86/instruction.js";
import * as layout from "../../../src/engine/x86/layout.js";
import { MODE_CODE16, MODE_CODE32, MODE_CODE64 } from "../../../src/engine/x86/mode.js";
import { OPERATIONS, type Operand, type Operation } from "../../../src/engine/x86/operands.js";
import * as rec from "../../../src/engine/x86/record.js";
import type { OperandSpec } from "../../../src/engine/x86/table/form.js";
import { FPU_REGISTER_STRIDE } from "../../../src/engine/x86/x87/state.js";
import { lookupX87 } from "../../../src/engine/x86/x87/table.js";
import { PSEUDO } from "../../../src/engine/x86/pseudo-operations.js";
import { RecordEncoder } from "../../../src/engine/wasm/record-encoder.js";
import { immediateText, INVALID_VIEW, memoryText, registerName, type DecodedView } from "./view.js";

export type Bits = 16 | 32 | 64;

const MODES: Record<Bits, number> = { 16: MODE_CODE16, 32: MODE_CODE32, 64: MODE_CODE64 };
/** Where the instruction lies in its page: not 0, so that a forgotten or doubled offset shows. */
export const PAGE_OFFSET = 0x120;

/** String instructions and others whose memory operands are implied: whether a segment override counts. */
const IMPLIED_MEMORY: Record<string, boolean> = {
  movs: true,
  cmps: true,
  lods: true,
  outs: true,
  stos: false,
  scas: false,
  ins: false,
  xlat: true,
  maskmovq: true,
  maskmovdqu: true,
};
const REPEATED = new Set(["movs", "cmps", "lods", "outs", "stos", "scas", "ins"]);

/** Kinds of operand that `OPERATIONS` resolves; the others are read by their helpers from the record. */
const RESOLVED = new Set([
  "E",
  "B",
  "Z",
  "R",
  "G",
  "AL",
  "rAX",
  "M",
  "O",
  "V",
  "W",
  "P",
  "Q",
  "I",
  "1",
  "CL",
  "J",
]);

export class OwnDecoder {
  private readonly decoder = new Decoder();
  private readonly record = new DataView(new ArrayBuffer(rec.RECORD_BYTES));
  private readonly encoder = new RecordEncoder(this.record);

  constructor(private readonly bits: Bits) {}

  /** The instruction last decoded; reused. */
  get instruction(): Instruction {
    return this.decoder.instruction;
  }

  /** Length as the decoder says it, or 0 when the instruction does not end before `limit`. */
  length(bytes: Uint8Array, offset: number, limit: number): number {
    return this.decoder.decode(bytes, offset, limit, this.bits / 8);
  }

  /** The operation that the encoding names, or the pseudo operation that stands for it. */
  operation(): Operation {
    this.encoder.encode(0, this.decoder.instruction, PAGE_OFFSET, MODES[this.bits]);
    const id = this.record.getUint16(rec.REC_OP, true);
    const replaced = id === PSEUDO.unimplemented || id === PSEUDO.movAbsolute;
    return OPERATIONS.list[replaced ? OPERATIONS.find(this.instruction) : id];
  }

  view(bytes: Uint8Array, offset: number): DecodedView {
    const length = this.length(bytes, offset, bytes.length);
    const { instruction } = this;
    const operation = this.operation();
    const { id } = operation;
    if (id === PSEUDO.undefined || id === PSEUDO.tooLong || operation.mnemonic === "ud") return INVALID_VIEW;
    if (operation.mnemonic === "x87") return this.x87(length);
    const operands = instruction.absolute ? this.absolute() : this.operands(operation);
    const memory = operation.operands.find((o) => o.kind === "memory");
    return {
      length,
      mnemonic: instruction.form.mnemonic,
      operands: [...operands, ...this.implied(), ...(instruction.lock ? ["lock"] : [])].join(","),
      memoryBytes: memory?.size ?? 0,
    };
  }

  private x87(length: number): DecodedView {
    const { form, modrm, isMemory } = this.decoder.instruction;
    const entry = lookupX87(form.opcode, modrm);
    if (!entry) return INVALID_VIEW;
    const encoded = form.opcode | (modrm << 8);
    if (this.record.getInt32(rec.REC_IMMEDIATE, true) !== encoded)
      throw new Error("x87 record without opcode");
    return { length, mnemonic: entry.mnemonic, operands: isMemory ? this.memory() : "", memoryBytes: 0 };
  }

  // ── operands ──────────────────────────────────────────────────────────────────────────────────────────

  private operands(operation: Operation): string[] {
    const resolved = [...operation.operands];
    return this.instruction.form.operands.flatMap((spec) => {
      const operand = RESOLVED.has(spec.kind) ? resolved.shift() : undefined;
      return operand ? this.operand(spec, operand) : this.unresolved(spec);
    });
  }

  private operand(spec: OperandSpec, operand: Operand): string[] {
    switch (operand.kind) {
      case "register":
        return [this.generalRegister(this.slot(operand.field), operand.size)];
      case "xmm":
        return [`x${(this.slot(operand.field) - layout.XMM) / layout.XMM_STRIDE}`];
      case "mmx":
        return [`m${(this.slot(operand.field) - layout.FPU) / FPU_REGISTER_STRIDE}`];
      case "memory":
        return [this.memory()];
      case "cl":
        return [registerName(1, 1)];
      case "relative":
        return [immediateText(this.immediate(), operand.size)];
      case "immediate":
        return this.immediateOperand(spec, operand.size);
    }
  }

  /** An immediate by the size letter of its form. The record's value must be extended as the form says. */
  private immediateOperand(spec: OperandSpec, size: number): string[] {
    if (spec.size === "2") return [immediateText(BigInt(this.record.getUint32(rec.REC_LINK, true)), 1)];
    const value = this.immediate();
    const unsigned = { u: 8, w: 16 }[spec.size];
    if (unsigned !== undefined && BigInt.asUintN(unsigned, value) !== value)
      throw new Error("immediate not zero-extended");
    const [first] = this.instruction.form.operands;
    return [immediateText(value, first !== spec && first.size === "b" ? 1 : size)];
  }

  private unresolved(spec: OperandSpec): string[] {
    switch (spec.kind) {
      case "S":
        return spec.size === "w" ? [`s${(this.slot("a") - layout.GPR) / 8}`] : [];
      case "C":
        return [
          `${this.instruction.form.mnemonic.endsWith("_cr") ? "c" : "t"}${(this.slot("a") - layout.GPR) / 8}`,
        ];
      case "A": {
        const selector = this.record.getUint32(rec.REC_LINK, true);
        return [`${immediateText(BigInt(selector), 2)}:${immediateText(this.immediate(), 4)}`];
      }
      default:
        throw new Error(`operand ${spec.kind}${spec.size} is not read by this test`);
    }
  }

  private generalRegister(slot: number, size: number): string {
    const number = (slot - layout.GPR) >> 3;
    return (slot - layout.GPR) & 7 ? `h${number}` : registerName(number, size);
  }

  /** MOV between the accumulator and a 64-bit address: the record of `mov_absolute`. */
  private absolute(): string[] {
    const info = this.record.getUint32(rec.REC_LINK, true);
    const size = info & 0xff;
    const override = this.instruction.segmentOverride;
    const segment = override >= layout.FS ? override : -1;
    const parts = { base: "", index: "", scale: 1, addressBytes: 8, bytes: size };
    const address = memoryText({ ...parts, segment, displacement: this.immediate() });
    const accumulator = registerName(0, size);
    return info & 0x100 ? [address, accumulator] : [accumulator, address];
  }

  // ── the record ────────────────────────────────────────────────────────────────────────────────────────

  private slot(field: "a" | "b" | "v"): number {
    return this.record.getUint16({ a: rec.REC_A, b: rec.REC_B, v: rec.REC_V }[field], true);
  }

  private immediate(): bigint {
    return this.record.getBigInt64(rec.REC_IMMEDIATE, true);
  }

  private addressBytes(): number {
    return this.record.getUint8(rec.REC_MISC) & 15;
  }

  private segment(): number {
    const segment = this.record.getUint8(rec.REC_SEGMENT) / 8;
    return segment === layout.SEGMENT_NONE ? -1 : segment;
  }

  private memory(): string {
    const base = this.slot("b");
    const index = this.record.getUint16(rec.REC_X, true);
    const addressBytes = this.addressBytes();
    const relative = base === layout.PAGE_RIP;
    const name = (slot: number): string =>
      slot === layout.ZERO_SLOT ? "" : registerName((slot - layout.GPR) / 8, addressBytes);
    const scale = BigInt(this.record.getUint8(rec.REC_SCALE));
    const carried = index === layout.ONE_SLOT;
    let displacement =
      BigInt(this.record.getInt32(rec.REC_DISPLACEMENT, true)) + (carried ? 1n << scale : 0n);
    if (relative) displacement -= BigInt(PAGE_OFFSET);
    if (this.instruction.form.mnemonic === "pop" && this.instruction.base === 4)
      displacement -= BigInt(this.instruction.operandSize);
    return memoryText({
      segment: this.segment(),
      base: relative ? "rip" : name(base),
      index: carried ? "" : name(index),
      scale: carried ? 1 : 1 << Number(scale),
      displacement,
      addressBytes,
      bytes: 0,
    });
  }

  private implied(): string[] {
    const { form, repeat } = this.instruction;
    if (!(form.mnemonic in IMPLIED_MEMORY)) return [];
    const segment = IMPLIED_MEMORY[form.mnemonic] ? this.segment() : -1;
    const written = this.record.getUint8(rec.REC_REP);
    if (written !== repeat) throw new Error("record without the repeat prefix");
    return [
      `implied a${this.addressBytes()} s${segment}`,
      ...(REPEATED.has(form.mnemonic) ? [`rep ${repeat.toString(16)}`] : []),
    ];
  }
}
