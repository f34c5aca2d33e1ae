/**
 * The instruction decoder: bytes to an `Instruction`, driven by the table of forms and the set of them that the CPU
 * has. Knows no semantics, no memory and no state but the code size. Specification: SDM vol. 2, chapter 2 and appendix A.
 */
import { MAX_INSTRUCTION_LENGTH } from "../../spec/x86-encoding.js";
import { createInstruction, NO_REGISTER, REGISTER_RIP } from "./instruction.js";
import { ALL_INSTRUCTIONS, type InstructionSet } from "./table/instruction-set.js";
import { VEX_MAP, type Form, type MandatoryPrefix } from "./table/form.js";
import { formsOf, UNDEFINED_FORM } from "./table/forms.js";

/** Longest legal instruction, SDM vol. 2 §2.3.11. */

/** Thrown internally when the window ends inside the instruction. */
class NeedMore extends Error {}
const needMore = new NeedMore("instruction continues behind the window");

/** VEX prefixes (SDM vol. 2 §2.3.5): two bytes and three. Outside 64-bit code LDS and LES unless ModRM.mod is 3. */
const VEX2 = 0xc5;
const VEX3 = 0xc4;
const MOD_REGISTER = 0xc0;
const VEX_PREFIXES: readonly MandatoryPrefix[] = ["NP", "66", "F3", "F2"];
const VEX_MAP_MASK = 0x1f;
const LAST_VEX_MAP = 3;
const REX = 0x40;

/** 16-bit addressing: base and index by ModRM.rm, SDM vol. 2 table 2-1. */
const BASE16 = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEX16 = [6, 7, 6, 7, NO_REGISTER, NO_REGISTER, NO_REGISTER, NO_REGISTER];

export class Decoder {
  readonly instruction = createInstruction();
  /** What the CPU has; the rest of the table is undefined. */
  instructions: InstructionSet = ALL_INSTRUCTIONS;
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private end = 0;
  private start = 0;

  /**
   * Decodes one instruction at `offset` of `bytes`, reading below `limit` only. `codeSize` is 2, 4 or 8 (16-, 32-,
   * 64-bit code). Returns its length, or 0 when it does not end before `limit`. Undefined opcodes come back as the
   * UD form.
   */
  decode(bytes: Uint8Array, offset: number, limit: number, codeSize: number): number {
    this.bytes = bytes;
    this.at = this.start = offset;
    this.end = limit;
    const i = this.instruction;
    try {
      i.tooLong = false;
      this.prefixes(codeSize);
      this.opcode(codeSize);
    } catch (error) {
      if (error !== needMore) throw error;
      if (limit - offset < MAX_INSTRUCTION_LENGTH) return 0;
      i.tooLong = true;
    }
    i.length = this.at - offset;
    if (i.length > MAX_INSTRUCTION_LENGTH || i.tooLong) {
      i.tooLong = true;
      i.length = Math.min(i.length, MAX_INSTRUCTION_LENGTH);
      this.undefined();
    }
    return i.length;
  }

  /** Makes the instruction the undefined one; what was read of its operands does not count any more. */
  private undefined(): void {
    this.instruction.form = UNDEFINED_FORM;
    this.resetOperands();
  }

  private u8(): number {
    if (this.at >= this.end) throw needMore;
    return this.bytes[this.at++];
  }

  private peek(): number {
    if (this.at >= this.end) throw needMore;
    return this.bytes[this.at];
  }

  private s8(): number {
    return (this.u8() << 24) >> 24;
  }

  private u16(): number {
    return this.u8() | (this.u8() << 8);
  }

  private s32(): number {
    return this.u16() | (this.u16() << 16);
  }

  private prefixes(codeSize: number): void {
    const i = this.instruction;
    let operandPrefix = false;
    let addressPrefix = false;
    i.repeat = 0;
    i.lock = false;
    i.segmentOverride = -1;
    i.rex = i.vvvv = 0;
    for (;;) {
      const byte = this.u8();
      if (codeSize === 8 && (byte & 0xf0) === 0x40) {
        i.rex = byte;
        if (this.at - this.start > MAX_INSTRUCTION_LENGTH) throw needMore;
        continue;
      }
      if (byte === 0x66) operandPrefix = true;
      else if (byte === 0x67) addressPrefix = true;
      else if (byte === 0xf0) i.lock = true;
      else if (byte === 0xf2 || byte === 0xf3) i.repeat = byte;
      else if (byte === 0x64 || byte === 0x65) i.segmentOverride = byte - 0x60;
      else if ((byte & 0xe7) === 0x26) {
        if (codeSize !== 8) i.segmentOverride = (byte >> 3) & 3;
      } else break;
      i.rex = 0; // REX counts only directly before the opcode
      if (this.at - this.start > MAX_INSTRUCTION_LENGTH) throw needMore;
    }
    this.at--;
    i.operandPrefix = operandPrefix;
    i.addressSize = codeSize === 8 ? (addressPrefix ? 4 : 8) : addressPrefix ? 6 - codeSize : codeSize;
    i.operandSize =
      codeSize === 8 ? (i.rex & 8 ? 8 : operandPrefix ? 2 : 4) : operandPrefix ? 6 - codeSize : codeSize;
  }

  private opcode(codeSize: number): void {
    const i = this.instruction;
    let map = 0;
    let opcode = this.u8();
    if (opcode === 0x0f) {
      map = 1;
      opcode = this.u8();
      if (opcode === 0x38 || opcode === 0x3a) {
        map = opcode === 0x38 ? 2 : 3;
        opcode = this.u8();
      }
    } else if ((opcode === VEX2 || opcode === VEX3) && (codeSize === 8 || this.peek() >= MOD_REGISTER))
      return this.vex(opcode, codeSize);
    const prefix = i.repeat === 0xf3 ? "F3" : i.repeat === 0xf2 ? "F2" : i.operandPrefix ? "66" : "NP";
    const form = this.select(map, opcode, prefix, codeSize);
    this.operands(form, opcode, codeSize);
    const destination = form.operands[0]?.kind;
    if (i.lock && !(form.lock && i.isMemory && (destination === "E" || destination === "M")))
      this.undefined();
  }

  /** The rest of an instruction with a VEX prefix: no other prefix that would name a map, a size or a lock goes with it. */
  private vex(opcode: number, codeSize: number): void {
    const i = this.instruction;
    const conflicts = i.operandPrefix || i.repeat !== 0 || i.lock || i.rex !== 0;
    const first = this.u8();
    const last = opcode === VEX3 ? this.u8() : first & 0x7f;
    const map = opcode === VEX3 ? first & VEX_MAP_MASK : 1;
    if (conflicts || map === 0 || map > LAST_VEX_MAP) return this.undefined();
    const wide = codeSize === 8 && last >= 0x80;
    if (codeSize === 8) {
      const extensions = opcode === VEX3 ? (~first >> 5) & 7 : (~first >> 5) & 4;
      i.rex = REX | (wide ? 8 : 0) | extensions;
    }
    i.vvvv = (~last >> 3) & (codeSize === 8 ? 15 : 7);
    i.operandSize = wide ? 8 : 4;
    const code = this.u8();
    const form = this.select(VEX_MAP + map, code, VEX_PREFIXES[last & 3], codeSize);
    const usesV = form.operands.some((o) => o.kind === "B");
    if (form.vectorLength !== ((last >> 2) & 1) || (!usesV && i.vvvv !== 0)) return this.undefined();
    this.operands(form, code, codeSize);
  }

  /** Reads what follows the opcode. */
  private operands(form: Form, opcode: number, codeSize: number): void {
    const i = this.instruction;
    i.form = form;
    this.resetOperands();
    if (form.hasModrm) this.modrm(codeSize);
    else i.rm = (opcode & 7) | ((i.rex & 1) << 3);
    if (codeSize === 8 && (form.force64 || (form.default64 && !(i.operandPrefix && !(i.rex & 8)))))
      i.operandSize = 8;
    this.immediates(codeSize);
  }

  private resetOperands(): void {
    const i = this.instruction;
    i.modrm = 0xc0;
    i.isMemory = false;
    i.reg = i.rm = 0;
    i.base = i.index = NO_REGISTER;
    i.scale = i.displacement = 0;
    i.immediateLow = i.immediateHigh = i.immediate2 = 0;
    i.absolute = false;
  }

  /** Chooses among the forms of one opcode by mandatory prefix, ModRM and mode. */
  private select(map: number, opcode: number, prefix: MandatoryPrefix, codeSize: number): Form {
    const i = this.instruction;
    const next = this.at < this.end ? this.bytes[this.at] : -1;
    // 90 exchanges only with R8; with F3 it is PAUSE, REX.B or not, as on Intel (on AMD REX.B comes first).
    if (map === 0 && opcode === 0x90)
      return i.repeat === 0xf3 ? PAUSE_FORM : i.rex & 1 ? XCHG_FORM : NOP_FORM;
    for (const form of formsOf((map << 8) | opcode)) {
      if (form.prefix !== "" && form.prefix !== prefix) continue;
      if (codeSize === 8 ? form.invalidIn64 : form.only64) continue;
      if (form.hasModrm) {
        if (next < 0) throw needMore;
        if (form.modrmByte >= 0 && form.modrmByte !== next) continue;
        if (form.extension >= 0 && form.extension !== ((next >> 3) & 7)) continue;
        if (form.rm === "m" && next >= 0xc0) continue;
        if (form.rm === "r" && next < 0xc0) {
          // MOV CR/DR ignore the mod field.
          if (
            form.operands[0]?.kind !== "C" &&
            form.operands[0]?.kind !== "D" &&
            form.operands[0]?.kind !== "R"
          )
            continue;
          if (form.extension >= 0) continue;
        }
      }
      if (this.instructions.lacks(form, codeSize, (i.rex & 8) !== 0)) continue;
      return form;
    }
    return UNDEFINED_FORM;
  }

  private modrm(codeSize: number): void {
    const i = this.instruction;
    const byte = this.u8();
    i.modrm = byte;
    i.reg = ((byte >> 3) & 7) | ((i.rex & 4) << 1);
    const mod = byte >> 6;
    if (mod === 3 || (i.form.rm === "r" && i.form.extension < 0 && i.form.mnemonic.startsWith("mov_"))) {
      i.rm = (byte & 7) | ((i.rex & 1) << 3);
      return;
    }
    i.isMemory = true;
    i.rm = byte & 7;
    if (i.addressSize === 2) this.memory16(mod, byte & 7);
    else this.memory32(mod, byte & 7, codeSize);
  }

  private memory16(mod: number, rm: number): void {
    const i = this.instruction;
    if (mod === 0 && rm === 6) {
      i.displacement = (this.u16() << 16) >> 16;
      return;
    }
    i.base = BASE16[rm];
    i.index = INDEX16[rm];
    if (rm === 4 || rm === 5) i.index = NO_REGISTER;
    if (mod === 1) i.displacement = this.s8();
    else if (mod === 2) i.displacement = (this.u16() << 16) >> 16;
  }

  private memory32(mod: number, rm: number, codeSize: number): void {
    const i = this.instruction;
    const rexB = (i.rex & 1) << 3;
    if (rm === 4) {
      const sib = this.u8();
      const index = ((sib >> 3) & 7) | ((i.rex & 2) << 2);
      if (index !== 4) {
        i.index = index;
        i.scale = sib >> 6;
      }
      if ((sib & 7) === 5 && mod === 0) i.displacement = this.s32();
      else i.base = (sib & 7) | rexB;
    } else if (rm === 5 && mod === 0) {
      i.displacement = this.s32();
      if (codeSize === 8) i.base = REGISTER_RIP;
    } else {
      i.base = rm | rexB;
    }
    if (mod === 1) i.displacement = this.s8();
    else if (mod === 2) i.displacement = this.s32();
  }

  private setImmediate(low: number): void {
    this.instruction.immediateLow = low;
    this.instruction.immediateHigh = low >> 31;
  }

  private immediates(codeSize: number): void {
    const i = this.instruction;
    for (const operand of i.form.operands) {
      const size = operand.size;
      if (operand.kind === "I") this.immediate(size);
      else if (operand.kind === "J") {
        if (size === "b") this.setImmediate(this.s8());
        else this.setImmediate(codeSize !== 8 && i.operandSize === 2 ? (this.u16() << 16) >> 16 : this.s32());
      } else if (operand.kind === "O") this.absolute();
      else if (operand.kind === "A") {
        if (i.operandSize === 2) this.setImmediateUnsigned(this.u16());
        else this.setImmediateUnsigned(this.s32());
        i.immediate2 = this.u16();
      } else if (operand.kind === "1") this.setImmediate(1);
    }
  }

  private setImmediateUnsigned(low: number): void {
    this.instruction.immediateLow = low | 0;
    this.instruction.immediateHigh = 0;
  }

  private immediate(size: string): void {
    const i = this.instruction;
    if (size === "b") this.setImmediate(this.s8());
    else if (size === "u") this.setImmediateUnsigned(this.u8());
    else if (size === "2") i.immediate2 = this.u8();
    else if (size === "w") this.setImmediateUnsigned(this.u16());
    else if (i.operandSize === 2) this.setImmediate((this.u16() << 16) >> 16);
    else if (size === "v" && i.operandSize === 8) {
      i.immediateLow = this.s32();
      i.immediateHigh = this.s32();
    } else this.setImmediate(this.s32());
  }

  /** The address of MOV AL/rAX,moffs: a displacement where it fits, otherwise kept as a 64-bit immediate. */
  private absolute(): void {
    const i = this.instruction;
    i.isMemory = true;
    if (i.addressSize === 2) i.displacement = (this.u16() << 16) >> 16;
    else if (i.addressSize === 4) i.displacement = this.s32();
    else {
      const low = this.s32();
      const high = this.s32();
      if (high === low >> 31) i.displacement = low;
      else {
        i.absolute = true;
        i.immediateLow = low;
        i.immediateHigh = high;
      }
    }
  }
}

const XCHG_FORM: Form = formsOf(0x90).find((f) => f.mnemonic === "xchg")!;
const NOP_FORM: Form = formsOf(0x90).find((f) => f.mnemonic === "nop")!;
const PAUSE_FORM: Form = formsOf(0x90).find((f) => f.mnemonic === "pause")!;
