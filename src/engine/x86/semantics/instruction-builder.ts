/**
 * What instruction semantics are written against: typed operations plus the CPU's registers, flags, memory and
 * control flow. The interpreter's generator and the region compiler each provide one implementation; semantics
 * do not know which.
 *
 * Integers of 1, 2 and 4 bytes are i32 (zero-extended when read), of 8 bytes i64.
 *
 * Rule: an instruction's last access that can fault comes before its first write of a register or a flag.
 */
import { VECTOR_GP } from "../../../spec/x86-privileged.js";
import { FunctionBuilder } from "../../ir/function-builder.js";
import type { Type, Value } from "../../ir/ir.js";
import type { Operand, Operation } from "../operands.js";
import { INFO_ACCESS_SHIFT, INFO_STACK } from "../call-info.js";
import * as layout from "../layout.js";
import {
  addCarries,
  carryAndOverflow,
  carryWord,
  resultWord,
  rotatedOut,
  shiftedOut,
  subBorrows,
  type ShiftName,
} from "./flag-words.js";
import { productOverflows } from "./products.js";
import type { VectorOperationName } from "../vector-operations.js";

/** What an access does, as slow paths are told: see `accessInfo`. */
export type Access = "read" | "write" | "modify";

const ACCESS_CODE: Record<Access, number> = { read: 0, write: 1, modify: 2 };

/** The two operands of string instructions: DS:rSI (DS may be overridden) and ES:rDI; and DS:rDI of MASKMOVQ. */
export type StringOperand = "source" | "destination" | "masked";

/** Argument of slow paths: bits 0–7 size, 8–9 access, 10 stack. */
export function accessInfo(size: number, access: Access, stack: boolean): number {
  return size | (ACCESS_CODE[access] << INFO_ACCESS_SHIFT) | (stack ? INFO_STACK : 0);
}

/** Bits above the 48 of a linear address. */
const CANONICAL_SHIFT = 16;

/** The type that holds an integer of `size` bytes. */
export function typeOf(size: number): Type {
  return size === 8 ? "i64" : "i32";
}

/** Conditions in encoding order, SDM vol. 1 appendix B; each odd one negates the one before it. */
export const CONDITIONS = [
  "o",
  "no",
  "b",
  "ae",
  "e",
  "ne",
  "be",
  "a",
  "s",
  "ns",
  "p",
  "np",
  "l",
  "ge",
  "le",
  "g",
] as const;
export type Condition = (typeof CONDITIONS)[number];

export abstract class InstructionBuilder extends FunctionBuilder {
  // ── operands ──────────────────────────────────────────────────────────────────────────────────────────

  /** Reads an integer operand. */
  abstract read(operand: Operand): Value;
  /** Writes an integer operand; a 4-byte register write zeroes the upper half. */
  abstract write(operand: Operand, value: Value): void;
  /** Reads, computes, writes, with one access that can fault, before anything is written. */
  abstract modify(operand: Operand, compute: (old: Value) => Value): void;
  /** The offset a memory operand names, without segment, i64 (LEA). */
  abstract effectiveOffset(): Value;
  /** Linear address of the memory operand plus `addend`, i64, checked for `size` bytes; `aligned`: to them, before its segment. */
  abstract linearAddress(size: number, access: Access, addend?: Value, aligned?: boolean): Value;
  /** Reads a vector operand (XMM register, MMX register in the low half, or memory), zero-extended to 128 bits. */
  abstract readVector(operand: Operand): Value;
  /** Writes the low `operand.size` bytes of a vector; register bytes beyond them stay. */
  abstract writeVector(operand: Operand, value: Value): void;

  /** #MF when an x87 exception is pending: comes first in every MMX instruction. */
  abstract checkMmx(): void;
  /** What every MMX instruction leaves, in this order when it faults in between: TOP 0; all registers valid. */
  abstract resetTop(): void;
  abstract validateTags(): void;
  /** What a write of an MMX register, given by its address, leaves in its sign and exponent. */
  abstract markMmx(slot: Value): void;
  /** Host address (i32) of a vector operand's bytes: the register itself, or translated memory to read. */
  abstract vectorAddress(operand: Operand): Value;
  /** Host address of the general register that a register operand names. */
  abstract registerAddress(operand: Operand): Value;
  /** Stores a vector in the CPU's scratch area and returns its host address, for lanes chosen at run time. */
  abstract spill(value: Value): Value;
  /**
   * The exact floating-point unit: destination op= source by host addresses. #XM is raised when it faults; the
   * result is the EFLAGS of a comparison.
   */
  abstract floatOperation(mnemonic: string, destination: Value, source: Value, immediate: Value): Value;
  /** A rare vector operation: destination op= source, 16 bytes each by host addresses; its result, i32. */
  abstract vectorOperation(
    name: VectorOperationName,
    destination: Value,
    source: Value,
    immediate: Value,
  ): Value;

  // ── memory ────────────────────────────────────────────────────────────────────────────────────────────

  /** Host address (i32) for an access to linear memory, or leaves the instruction with the fault delivered. */
  abstract translate(linear: Value, size: number, access: Access, stack?: boolean): Value;
  /** Completes a write through an address that `translate` gave. */
  abstract commit(host: Value, size: number, access: Access): void;
  /** Whether the page of `linear` may be written or read without a slow path (i32). */
  abstract isFast(linear: Value, access: Access): Value;
  /** Whether a host address is the landing place of accesses that need `commit` (i32). */
  abstract isScratch(host: Value): Value;
  /** Checks that `linear` is aligned to `alignment` bytes; otherwise #GP(0). */
  abstract requireAligned(linear: Value, alignment: number): void;

  /** Byte offset (i32) in its TLB of the data entry for a linear address; `TlbBook.dataEntry` is its twin. */
  tlbOffset(linear: Value): Value {
    const low = this.wrap(linear);
    const near = this.shrU(low, this.i32(layout.PAGE_SHIFT - layout.TLB_ENTRY_SHIFT));
    const far = this.shrU(low, this.i32(layout.PAGE_SHIFT - layout.TLB_ENTRY_SHIFT + layout.TLB_INDEX_BITS));
    return this.and(this.xor(near, far), this.i32(layout.TLB_BYTES - layout.TLB_ENTRY_SIZE));
  }

  /** Loads an integer from linear memory. */
  loadLinear(linear: Value, size: number, stack = false): Value {
    return this.loadHost(this.translate(linear, size, "read", stack), size);
  }

  storeLinear(linear: Value, value: Value, size: number, stack = false): void {
    const host = this.translate(linear, size, "write", stack);
    this.storeHost(host, value, size);
    this.commit(host, size, "write");
  }

  loadHost(host: Value, size: number): Value {
    const op = { 1: "i32.load8_u", 2: "i32.load16_u", 4: "i32.load", 8: "i64.load" }[size];
    if (!op) throw new Error(`${this.name}: load of ${size} bytes`);
    return this.load(op, host);
  }

  storeHost(host: Value, value: Value, size: number): void {
    const op = { 1: "i32.store8", 2: "i32.store16", 4: "i32.store", 8: "i64.store" }[size];
    if (!op) throw new Error(`${this.name}: store of ${size} bytes`);
    this.store(op, host, value);
  }

  // ── CPU state ─────────────────────────────────────────────────────────────────────────────────────────

  /** A field of the CPU area by its layout offset. */
  abstract state(op: string, offset: number): Value;
  abstract setState(op: string, offset: number, value: Value): void;

  /** A general register by number. Byte registers: the low byte. */
  gpr(number: number, size: number): Value {
    const op = { 1: "i32.load8_u", 2: "i32.load16_u", 4: "i32.load", 8: "i64.load" }[size]!;
    return this.state(op, layout.GPR + number * 8);
  }

  setGpr(number: number, size: number, value: Value): void {
    if (size === 4) this.setState("i64.store", layout.GPR + number * 8, this.extendU(value));
    else
      this.setState(
        { 1: "i32.store8", 2: "i32.store16", 8: "i64.store" }[size]!,
        layout.GPR + number * 8,
        value,
      );
  }

  /** AH, needed by MUL, DIV and SAHF. */
  readonly ah = (): Value => this.state("i32.load8_u", layout.GPR + 1);
  readonly setAh = (value: Value): void => this.setState("i32.store8", layout.GPR + 1, value);

  // ── flags ─────────────────────────────────────────────────────────────────────────────────────────────

  private setLazyFlags(result: Value, carry: Value): void {
    this.setState("i64.store", layout.FLAG_RESULT, result);
    this.setState("i64.store", layout.FLAG_CARRY, carry);
  }

  /** Flags of `result = a + b (+ CF)`. Bits above the size do not matter. */
  flagsAdd(size: number, a: Value, b: Value, result: Value): void {
    this.setLazyFlags(resultWord(this, result, size), carryWord(this, addCarries(this, a, b, result), size));
  }

  /** Flags of `result = a - b (- CF)`. */
  flagsSub(size: number, a: Value, b: Value, result: Value): void {
    this.setLazyFlags(resultWord(this, result, size), carryWord(this, subBorrows(this, a, b, result), size));
  }

  /** Flags of AND, OR, XOR, TEST: CF, OF and AF clear. */
  flagsLogic(size: number, result: Value): void {
    this.setLazyFlags(resultWord(this, result, size), this.i64(0));
  }

  /** Flags of INC and DEC: as ADD or SUB of 1, CF kept. */
  flagsIncrement(size: number, a: Value, result: Value, decrement: boolean): void {
    const one = this.constant(a.type, 1);
    const vector = decrement ? subBorrows(this, a, one, result) : addCarries(this, a, one, result);
    const word = carryWord(this, vector, size);
    const overflow = this.and(this.xor(word, this.shl(word, this.i64(1))), this.i64(-(1n << 63n)));
    const carry = this.and(this.state("i64.load", layout.FLAG_CARRY), this.i64(-(1n << 63n)));
    const top = this.or(carry, this.shrU(this.xor(carry, overflow), this.i64(1)));
    this.setLazyFlags(resultWord(this, result, size), this.or(top, this.and(word, this.i64(8))));
  }

  /** Flags with ZF, SF, PF from `result` and CF, OF given as i32 0 or 1; AF clear. */
  flagsResult(size: number, result: Value, carry: Value, overflow: Value): void {
    this.setLazyFlags(resultWord(this, result, size), carryAndOverflow(this, carry, overflow));
  }

  /** Flags of SHL, SHR or SAR of `value` by a `count` that is not zero. Bits of the result above the size do not matter. */
  flagsShift(name: ShiftName, size: number, value: Value, count: Value, result: Value): void {
    const { carry, overflow } = shiftedOut(this, name, size, { value, count, result });
    this.flagsResult(size, result, carry, overflow);
  }

  /** Flags of the low `size` bytes of a signed product: CF and OF say whether they are all of it. */
  flagsProduct(size: number, x: Value, y: Value, low: Value): void {
    const overflow = productOverflows(this, size, x, y, low);
    this.flagsResult(size, low, overflow, overflow);
  }

  /** CF and OF of ROL or ROR by a count that is not zero; the others stay. */
  flagsRotate(toLeft: boolean, size: number, result: Value): void {
    const { carry, overflow } = rotatedOut(this, toLeft, size, result);
    this.setCarryOverflow(carry, overflow);
  }

  /** Replaces CF and OF (i32, 0 or 1); the others stay. */
  setCarryOverflow(carry: Value, overflow: Value): void {
    const rest = this.and(this.state("i64.load", layout.FLAG_CARRY), this.i64((1n << 62n) - 1n));
    this.setState("i64.store", layout.FLAG_CARRY, this.or(rest, carryAndOverflow(this, carry, overflow)));
  }

  /** Replaces CF (i32, 0 or 1); the others stay. */
  setCarry(carry: Value): void {
    this.setCarryOverflow(carry, this.condition("o"));
  }

  /** Sets all six from an i32 in RFLAGS layout. */
  setStatusFlags(flags: Value): void {
    const bit = (n: number): Value => this.and(this.shrU(flags, this.i32(n)), this.i32(1));
    const zero = bit(6);
    const result = this.extendU(this.xor(zero, this.i32(1)));
    // The result is 0 or 1: its sign is 0, its parity even only for 0. Deltas correct both.
    const parityDelta = this.xor(bit(2), zero);
    const deltas = this.or(bit(7), this.shl(parityDelta, this.i32(8)));
    const carry = bit(0);
    const auxiliary = this.shl(bit(4), this.i32(3));
    const low = this.extendU(this.or(deltas, auxiliary));
    this.setLazyFlags(result, this.or(low, carryAndOverflow(this, carry, bit(11))));
  }

  /** The six status flags as an i32 in RFLAGS layout. */
  statusFlags(): Value {
    const at = (value: Value, bit: number): Value => this.shl(value, this.i32(bit));
    const af = this.and(
      this.shrU(this.wrap(this.state("i64.load", layout.FLAG_CARRY)), this.i32(3)),
      this.i32(1),
    );
    const parts = [
      this.condition("b"),
      at(this.condition("p"), 2),
      at(af, 4),
      at(this.condition("e"), 6),
      at(this.condition("s"), 7),
      at(this.condition("o"), 11),
    ];
    return parts.reduce((a, b) => this.or(a, b));
  }

  /** A condition as i32 0 or 1, SDM vol. 1 appendix B. */
  condition(name: Condition): Value {
    const code = CONDITIONS.indexOf(name);
    if (code & 1) return this.xor(this.condition(CONDITIONS[code - 1]), this.i32(1));
    const result = (): Value => this.state("i64.load", layout.FLAG_RESULT);
    const carry = (): Value => this.state("i64.load", layout.FLAG_CARRY);
    const zero = (): Value => this.eqz(result());
    switch (name) {
      case "o": {
        const word = carry();
        return this.wrap(this.shrU(this.xor(word, this.shl(word, this.i64(1))), this.i64(63)));
      }
      case "b":
        return this.wrap(this.shrU(carry(), this.i64(63)));
      case "e":
        return zero();
      case "be":
        return this.or(this.wrap(this.shrU(carry(), this.i64(63))), zero());
      case "s":
        return this.wrap(this.and(this.xor(this.shrU(result(), this.i64(63)), carry()), this.i64(1)));
      case "p": {
        const byte = this.and(this.wrap(this.xor(result(), this.shrU(carry(), this.i64(8)))), this.i32(0xff));
        return this.xor(this.and(this.popcnt(byte), this.i32(1)), this.i32(1));
      }
      case "l":
        return this.signDiffersFromOverflow(result(), carry());
      default:
        return this.or(this.signDiffersFromOverflow(result(), carry()), zero());
    }
  }

  private signDiffersFromOverflow(result: Value, carry: Value): Value {
    const overflow = this.xor(this.shrU(carry, this.i64(63)), this.shrU(carry, this.i64(62)));
    const sign = this.xor(this.shrU(result, this.i64(63)), carry);
    return this.wrap(this.and(this.xor(sign, overflow), this.i64(1)));
  }

  // ── stack ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Pushes: writes memory, then RSP. `size` is 2, 4 or 8. Or only the former: the result is what RSP is to be. */
  abstract push(value: Value, size: number): void;
  abstract storeBelowStack(value: Value, size: number): Value;
  /** Reads stack memory at an offset (i64) in the stack segment. */
  abstract loadStack(offset: Value, size: number): Value;
  /** Replaces RSP by the width of the stack. */
  abstract setStackPointer(value: Value): void;

  /** Reads the top of the stack without moving RSP. */
  peek(size: number): Value {
    return this.loadStack(this.gpr(4, 8), size);
  }

  /** Adds `bytes` to RSP. */
  adjustStack(bytes: Value): void {
    this.setStackPointer(this.add(this.gpr(4, 8), bytes));
  }

  pop(size: number): Value {
    const value = this.peek(size);
    this.adjustStack(this.i64(size));
    return value;
  }

  // ── control flow ──────────────────────────────────────────────────────────────────────────────────────

  /** RIP of the next instruction, i64. */
  abstract nextRip(): Value;
  /**
   * #GP(0) unless a branch target is canonical (64 bits) or within CS (16 and 32 bits); comes before the branch
   * changes anything.
   */
  requireTarget(target: Value, size: number): void {
    if (size !== 8) {
      const limit = this.state("i32.load", layout.SEGMENT_LIMIT + layout.CS * 4);
      this.if(this.gtU(target, limit), () => this.raise(VECTOR_GP, 0));
      return;
    }
    this.if(this.ne(this.signExtended(target), target), () => this.raise(VECTOR_GP, 0));
  }
  /** A linear address (i64) with its bit 47 in all bits above: itself if it is canonical. */
  signExtended(linear: Value): Value {
    return this.shrS(this.shl(linear, this.i64(CANONICAL_SHIFT)), this.i64(CANONICAL_SHIFT));
  }
  /** Continues at a RIP (i64), truncated to the operand size. */
  abstract jump(target: Value, size: number): void;
  /** The same for the relative target of an instruction that changes something before it branches. */
  abstract requireRelativeTarget(size: number): void;
  /** Continues at the relative target of this instruction; #GP(0) when CS does not hold it. */
  abstract jumpRelative(size: number): void;
  /** Continues with the same instruction (an interrupted repeat). */
  abstract again(): void;
  /** Raises an exception with RIP of this instruction. `errorCode` undefined: none. */
  abstract raise(vector: number, errorCode?: number): void;
  /** Hands the instruction to its TypeScript implementation. */
  abstract helper(mnemonic: string): void;
  /** Leaves the run loop after this instruction when an interrupt may be taken now. Comes before its first write. */
  abstract interruptWindow(): void;
  /** A byte of the record: repeat prefix, address size. */
  abstract repeatPrefix(): Value;
  abstract addressSize(): Value;
  /** The segment base of the memory operand (DS unless overridden), i64. */
  abstract segmentBase(): Value;
  /**
   * How many elements of a string operand, upwards from its index, keep to its segment and do not wrap (i64): without
   * bound where segments are flat. Leaves with the fault delivered when the first one does not.
   */
  abstract stringRoom(operand: StringOperand, size: number, access: Access): Value;
  /** Instructions that may still run, and using `count` of them up beyond the one that is counted anyway (i32). */
  abstract remaining(): Value;
  abstract consume(count: Value): void;
}

/** A semantic function: emits what one operation does. */
export type Semantics = (b: InstructionBuilder, operation: Operation) => void;

/** Semantics by mnemonic. */
export type SemanticsTable = Record<string, Semantics>;
