/**
 * Encodes a decoded instruction as the record that handlers read (x86/record.ts). Decides how the effective
 * address is formed and whether the mode allows the instruction at all. Knows no memory but the record's.
 */
import { RBP, RSP } from "../../spec/x86-encoding.js";
import { FPU_REGISTER_STRIDE } from "../x86/x87/state.js";
import { NO_REGISTER, REGISTER_RIP, type Instruction } from "../x86/instruction.js";
import { INFO_MEMORY } from "../x86/call-info.js";
import * as layout from "../x86/layout.js";
import {
  MODE_CODE64,
  MODE_CODE_SIZE,
  MODE_CODE16,
  MODE_MMX_UD,
  MODE_NOT_FLAT_SHIFT,
  MODE_REAL,
  MODE_SSE_UD,
  MODE_TS,
  MODE_X87_NM,
} from "../x86/mode.js";
import { OPERATIONS } from "../x86/operands.js";
import * as rec from "../x86/record.js";
import { VEX_MAP, type OperandSpec } from "../x86/table/form.js";
import { UNDEFINED_FORM } from "../x86/table/forms.js";
import { PSEUDO } from "../x86/pseudo-operations.js";
import { unimplementedJson } from "./interpreter-binary.js";

const MAX_DISPLACEMENT = 0x7fffffff;
/** Shift of the constant one that gives 2^32. */
const CARRY_SCALE = 32;

/** Numbers of operations that nothing executes. */
const UNIMPLEMENTED = new Set(JSON.parse(unimplementedJson()) as number[]);

/** Slot of a general register; without REX, byte registers 4–7 are the high bytes of 0–3. */
function registerSlot(number: number, size: number, rex: number): number {
  if (size === 1 && rex === 0 && number >= 4 && number < 8) return layout.GPR + (number - 4) * 8 + 1;
  return layout.GPR + number * 8;
}

/** Whether a segment's accesses need checks in this mode. */
function notFlat(mode: number, segment: number): boolean {
  return ((mode >> (MODE_NOT_FLAT_SHIFT + segment)) & 1) !== 0;
}

function narrowBranch(i: Instruction): number {
  return i.operandSize === 2 && i.form.operands.some((o) => o.kind === "J") ? rec.MISC_NARROW_BRANCH : 0;
}

/** String instructions whose operands generated code reads. */
const STRING_MNEMONICS = new Set(["movs", "stos", "lods", "scas", "cmps"]);
/** Instructions that write at DS:rDI, without ModRM saying so. */
const MASKED_STORES = new Set(["maskmovq", "maskmovdqu"]);

export class RecordEncoder {
  constructor(private readonly view: DataView) {}

  /**
   * Writes the record of `i`, which starts at `offset` in its page, at `at`. `mode` is the mode key.
   */
  encode(at: number, i: Instruction, offset: number, mode: number): void {
    const view = this.view;
    this.clear(at);
    view.setUint16(at + rec.REC_OP, this.operation(i, mode), true);
    view.setUint8(at + rec.REC_LENGTH, i.length);
    view.setUint16(at + rec.REC_OFFSET, offset, true);
    view.setUint8(at + rec.REC_REP, i.repeat);
    view.setUint8(at + rec.REC_MISC, i.addressSize | (i.lock ? 16 : 0) | narrowBranch(i));
    this.registers(at, i);
    this.memory(at, i, offset, mode);
    this.immediate(at, i, offset);
  }

  /** Writes a record that stands for no instruction; `target` is its immediate. */
  pseudo(at: number, operation: number, offset: number, target: number, link: number): void {
    this.clear(at);
    this.view.setUint16(at + rec.REC_OP, operation, true);
    this.view.setUint16(at + rec.REC_OFFSET, offset, true);
    this.setImmediate(at, target);
    this.view.setUint32(at + rec.REC_LINK, link, true);
  }

  private clear(at: number): void {
    for (let word = 0; word < rec.RECORD_BYTES; word += 4) this.view.setUint32(at + word, 0, true);
    this.view.setUint16(at + rec.REC_A, layout.ZERO_SLOT, true);
    this.view.setUint16(at + rec.REC_B, layout.ZERO_SLOT, true);
    this.view.setUint16(at + rec.REC_X, layout.ZERO_SLOT, true);
  }

  private operation(i: Instruction, mode: number): number {
    if (i.tooLong) return PSEUDO.tooLong;
    if (i.form === UNDEFINED_FORM) return PSEUDO.undefined;
    if (i.form.map >= VEX_MAP && mode & MODE_REAL) return PSEUDO.undefined;
    const { unit } = i.form;
    if (unit === "x87" && mode & MODE_X87_NM) return PSEUDO.deviceNotAvailable;
    if (unit === "sse" || unit === "mmx") {
      if (mode & (unit === "sse" ? MODE_SSE_UD : MODE_MMX_UD)) return PSEUDO.undefined;
      if (mode & MODE_TS) return PSEUDO.deviceNotAvailable;
    }
    if (i.absolute) return PSEUDO.movAbsolute;
    const id = OPERATIONS.find(i);
    if (id < 0) return PSEUDO.undefined;
    return UNIMPLEMENTED.has(id) ? PSEUDO.unimplemented : id;
  }

  // ── registers ─────────────────────────────────────────────────────────────────────────────────────────

  private registers(at: number, i: Instruction): void {
    const usesB = i.form.operands.some((o) => o.kind.length === 1 && "EZOWQR".includes(o.kind));
    for (const operand of i.form.operands) {
      const a = this.slotA(operand, i);
      if (a >= 0) this.view.setUint16(at + rec.REC_A, a, true);
      const b = this.slotB(operand, i);
      if (b >= 0) this.view.setUint16(at + rec.REC_B, b, true);
      if (operand.kind === "B") this.view.setUint16(at + rec.REC_V, layout.GPR + i.vvvv * 8, true);
      if (operand.kind === "AL" || operand.kind === "rAX") {
        this.view.setUint16(at + (usesB ? rec.REC_A : rec.REC_B), layout.GPR, true);
      }
    }
  }

  /** Slot that ModRM.reg (or a fixed segment) gives for an operand, or -1. */
  private slotA(operand: OperandSpec, i: Instruction): number {
    switch (operand.kind) {
      case "G":
        return registerSlot(i.reg, operand.size === "b" ? 1 : 4, i.rex);
      case "V":
        return layout.XMM + i.reg * layout.XMM_STRIDE;
      case "P":
        return layout.FPU + (i.reg & 7) * FPU_REGISTER_STRIDE;
      case "S":
        return layout.GPR + (operand.size === "w" ? i.reg & 7 : Number(operand.size)) * 8;
      case "C":
      case "D":
        return layout.GPR + i.reg * 8;
      default:
        return -1;
    }
  }

  /** Slot that ModRM.rm (a register) or the opcode gives for an operand, or -1. */
  private slotB(operand: OperandSpec, i: Instruction): number {
    switch (operand.kind) {
      case "E":
        if (i.isMemory) return -1;
        return registerSlot(i.rm, operand.size === "b" && !i.form.dwordRegister ? 1 : 4, i.rex);
      case "Z":
      case "R":
        return registerSlot(i.rm, operand.size === "b" ? 1 : 4, i.rex);
      case "W":
        return i.isMemory ? -1 : layout.XMM + i.rm * layout.XMM_STRIDE;
      case "Q":
        return i.isMemory ? -1 : layout.FPU + (i.rm & 7) * FPU_REGISTER_STRIDE;
      default:
        return -1;
    }
  }

  // ── memory ────────────────────────────────────────────────────────────────────────────────────────────

  private memory(at: number, i: Instruction, offset: number, mode: number): void {
    const long = (mode & MODE_CODE_SIZE) === MODE_CODE64;
    const segment = this.segment(i, long);
    this.view.setUint8(at + rec.REC_SEGMENT, segment * 8);
    if (!long && STRING_MNEMONICS.has(i.form.mnemonic)) {
      const flat = i.addressSize === 4 && !notFlat(mode, segment) && !notFlat(mode, layout.ES);
      this.view.setUint8(at + rec.REC_EA, flat ? rec.EA_SIMPLE : rec.EA_CHECKED);
    }
    if (!long && MASKED_STORES.has(i.form.mnemonic)) {
      const flat = i.addressSize === 4 && !notFlat(mode, segment) && segment !== layout.CS;
      this.view.setUint8(at + rec.REC_EA, flat ? rec.EA_SIMPLE : rec.EA_CHECKED);
    }
    if (!i.isMemory) return;
    let displacement = i.displacement;
    let kind = this.addressKind(i, segment, mode);
    if (i.base === REGISTER_RIP) {
      displacement += offset + i.length;
      this.view.setUint16(at + rec.REC_B, layout.PAGE_RIP, true);
    } else if (i.base !== NO_REGISTER) this.view.setUint16(at + rec.REC_B, layout.GPR + i.base * 8, true);
    if (i.index !== NO_REGISTER) this.view.setUint16(at + rec.REC_X, layout.GPR + i.index * 8, true);
    // POP to memory addressed by RSP uses RSP after the increment.
    if (i.form.mnemonic === "pop" && i.base === RSP) displacement += i.operandSize;
    this.view.setUint8(at + rec.REC_SCALE, i.scale);
    this.view.setInt32(at + rec.REC_DISPLACEMENT, displacement | 0, true);
    if (displacement > MAX_DISPLACEMENT) kind = this.carryOut(at, i, kind);
    this.view.setUint8(at + rec.REC_EA, kind);
  }

  /**
   * Adds the 2^32 that the displacement lost when the offset in the page, or the size that POP adds, made it too large
   * for 32 bits. Returns the address kind for it: with an index register a helper adds it.
   */
  private carryOut(at: number, i: Instruction, kind: number): number {
    if (i.index !== NO_REGISTER) {
      const misc = this.view.getUint8(at + rec.REC_MISC);
      this.view.setUint8(at + rec.REC_MISC, misc | rec.MISC_DISPLACEMENT_CARRY);
      return rec.EA_CHECKED;
    }
    this.view.setUint16(at + rec.REC_X, layout.ONE_SLOT, true);
    this.view.setUint8(at + rec.REC_SCALE, CARRY_SCALE);
    return Math.max(kind, rec.EA_FULL);
  }

  private segment(i: Instruction, long: boolean): number {
    if (long) return i.segmentOverride >= layout.FS ? i.segmentOverride : layout.SEGMENT_NONE;
    if (i.segmentOverride >= 0) return i.segmentOverride;
    return i.isMemory && (i.base === RSP || i.base === RBP) ? layout.SS : layout.DS;
  }

  private addressKind(i: Instruction, segment: number, mode: number): number {
    const size = mode & MODE_CODE_SIZE;
    if (size === MODE_CODE64) {
      if (i.addressSize !== 8) return rec.EA_CHECKED;
      return segment === layout.SEGMENT_NONE && i.index === NO_REGISTER ? rec.EA_SIMPLE : rec.EA_FULL;
    }
    if (size === MODE_CODE16 || i.addressSize === 2) return rec.EA_CHECKED;
    // Flat code can be read like flat data, but never written.
    if (segment === layout.CS) return rec.EA_CHECKED;
    return notFlat(mode, segment) ? rec.EA_CHECKED : rec.EA_FULL;
  }

  // ── immediates ────────────────────────────────────────────────────────────────────────────────────────

  private immediate(at: number, i: Instruction, offset: number): void {
    if (i.form.mnemonic === "x87") return this.setImmediate(at, i.form.opcode | (i.modrm << 8));
    if (i.form.operands.some((o) => o.kind === "J"))
      return this.setImmediate(at, offset + i.length + i.immediateLow);
    this.view.setInt32(at + rec.REC_IMMEDIATE, i.immediateLow, true);
    this.view.setInt32(at + rec.REC_IMMEDIATE + 4, i.immediateHigh, true);
    if (i.absolute) {
      const stores = i.form.operands[0].kind === "O";
      const size = i.form.operands.some((o) => o.size === "b") ? 1 : i.operandSize;
      this.view.setUint32(at + rec.REC_LINK, size | (stores ? INFO_MEMORY : 0), true);
    } else if (i.immediate2 !== 0) this.view.setUint32(at + rec.REC_LINK, i.immediate2, true);
  }

  private setImmediate(at: number, value: number): void {
    this.view.setInt32(at + rec.REC_IMMEDIATE, value | 0, true);
    this.view.setInt32(at + rec.REC_IMMEDIATE + 4, value < 0 ? -1 : 0, true);
  }
}
