/**
 * The x87 FPU's state as bytes: the layout that the engine keeps in linear memory and snapshots hold, and a view
 * over it. Knows no instruction; the MMX registers are the significands seen here.
 *
 * ```
 * offset  0    8    10     16                  112           128  130  132 133  134  136  144  152  154  156
 *        ┌────┬────┬──────┬────┬─ … ─────────┬─────────────┬────┬────┬───┬───┬────┬────┬────┬────┬────┬─────┐
 *        │ R0 significand │ R1              │ R7          │FCW │FSW │FTW│ 0 │FOP │FIP │FDP │FCS │FDS │  0  │
 *        │    │ sign+exponent, 6 bytes of 0 │             │u16 │u16 │u8 │   │u16 │u64 │u64 │u16 │u16 │     │
 *        └────┴────┴──────┴────┴─ … ─────────┴─────────────┴────┴────┴───┴───┴────┴────┴────┴────┴────┴─────┘
 * ```
 * R0–R7 are the physical registers; ST(i) is R((TOP + i) mod 8), TOP being bits 13–11 of FSW. FTW is the abridged
 * tag of FXSAVE: bit n set when Rn is not empty.
 *
 * Specification: Intel SDM vol. 1 §8.1, §10.5.1.1 (abridged tag).
 */
import { TWO_32 } from "../../../bytes/words.js";
import {
  EXTENDED_EXPONENT_ONES,
  EXTENDED_INTEGER_BIT,
  X87_CONTROL_INIT,
  X87_CONTROL_MASKS,
  X87_CONTROL_RESERVED_ONES,
  X87_CONTROL_WRITABLE,
  X87_OPCODE_MASK,
  X87_REGISTERS,
  X87_STATUS_BUSY,
  X87_STATUS_EXCEPTIONS,
  X87_STATUS_SUMMARY,
  X87_STATUS_TOP,
  X87_STATUS_TOP_SHIFT,
  X87_TAG_EMPTY,
  X87_TAG_SPECIAL,
  X87_TAG_VALID,
  X87_TAG_ZERO,
} from "../../../spec/x87.js";
import type { Extended } from "../softfloat/value.js";

/** Byte offsets within the state. */
export const FPU_REGISTER_STRIDE = 16;
export const FPU_SIGN_EXPONENT = 8;
export const FPU_CONTROL = 128;
export const FPU_STATUS = 130;
export const FPU_TAGS = 132;
export const FPU_OPCODE = 134;
export const FPU_INSTRUCTION_POINTER = 136;
export const FPU_DATA_POINTER = 144;
export const FPU_CODE_SELECTOR = 152;
export const FPU_DATA_SELECTOR = 154;
/** Size of the whole state, bytes. */
export const FPU_STATE_BYTES = 160;

const REGISTER_INDEX = X87_REGISTERS - 1;

/** A view over one FPU's state. Setters keep the reserved bits and the summary bits (ES, B) right. */
export class FpuState {
  /**
   * @param view linear memory; replace it when the memory grows
   * @param base byte offset of the state in it
   */
  constructor(
    public view: DataView,
    readonly base: number,
  ) {}

  get control(): number {
    return this.view.getUint16(this.base + FPU_CONTROL, true);
  }

  /** Loading a control word can make a flag pending or not, as FLDCW does. */
  set control(value: number) {
    const word = (value & X87_CONTROL_WRITABLE) | X87_CONTROL_RESERVED_ONES;
    this.view.setUint16(this.base + FPU_CONTROL, word, true);
    const status = this.status;
    this.status = status;
  }

  get status(): number {
    return this.view.getUint16(this.base + FPU_STATUS, true);
  }

  /** ES and B follow from the flags and the masks, whatever is written. */
  set status(value: number) {
    const unmasked = value & X87_STATUS_EXCEPTIONS & ~(this.control & X87_CONTROL_MASKS);
    const summary = X87_STATUS_SUMMARY | X87_STATUS_BUSY;
    this.view.setUint16(this.base + FPU_STATUS, unmasked !== 0 ? value | summary : value & ~summary, true);
  }

  /** Whether the next waiting instruction raises #MF. */
  get pending(): boolean {
    return (this.status & X87_STATUS_SUMMARY) !== 0;
  }

  get top(): number {
    return (this.status & X87_STATUS_TOP) >> X87_STATUS_TOP_SHIFT;
  }

  set top(value: number) {
    const top = (value & REGISTER_INDEX) << X87_STATUS_TOP_SHIFT;
    this.status = (this.status & ~X87_STATUS_TOP) | top;
  }

  /** The abridged tag: bit n set when physical register n is in use. */
  get tags(): number {
    return this.view.getUint8(this.base + FPU_TAGS);
  }

  set tags(value: number) {
    this.view.setUint8(this.base + FPU_TAGS, value);
  }

  /** Low 11 bits of the last non-control instruction: opcode bits 2–0 above the ModRM byte. */
  get opcode(): number {
    return this.view.getUint16(this.base + FPU_OPCODE, true);
  }

  set opcode(value: number) {
    this.view.setUint16(this.base + FPU_OPCODE, value & X87_OPCODE_MASK, true);
  }

  get instructionPointer(): bigint {
    return this.view.getBigUint64(this.base + FPU_INSTRUCTION_POINTER, true);
  }

  set instructionPointer(value: bigint) {
    this.view.setBigUint64(this.base + FPU_INSTRUCTION_POINTER, value, true);
  }

  get dataPointer(): bigint {
    return this.view.getBigUint64(this.base + FPU_DATA_POINTER, true);
  }

  set dataPointer(value: bigint) {
    this.view.setBigUint64(this.base + FPU_DATA_POINTER, value, true);
  }

  /** The same from signed safe integers, without big ones. */
  pointToInstruction(address: number): void {
    this.setSigned(FPU_INSTRUCTION_POINTER, address);
  }

  pointToData(address: number): void {
    this.setSigned(FPU_DATA_POINTER, address);
  }

  private setSigned(field: number, value: number): void {
    this.view.setUint32(this.base + field, value, true);
    this.view.setInt32(this.base + field + 4, Math.floor(value / TWO_32), true);
  }

  get codeSelector(): number {
    return this.view.getUint16(this.base + FPU_CODE_SELECTOR, true);
  }

  set codeSelector(value: number) {
    this.view.setUint16(this.base + FPU_CODE_SELECTOR, value, true);
  }

  get dataSelector(): number {
    return this.view.getUint16(this.base + FPU_DATA_SELECTOR, true);
  }

  set dataSelector(value: number) {
    this.view.setUint16(this.base + FPU_DATA_SELECTOR, value, true);
  }

  private physical(index: number): number {
    return (this.top + index) & REGISTER_INDEX;
  }

  /** Byte offset of ST(index)'s contents. */
  address(index: number): number {
    return this.base + this.physical(index) * FPU_REGISTER_STRIDE;
  }

  /** Whether ST(index) is empty. `index` may be negative: −1 is the register that a push takes. */
  isEmpty(index: number): boolean {
    return (this.tags & (1 << this.physical(index))) === 0;
  }

  /** Marks ST(index) empty. */
  free(index: number): void {
    this.tags &= ~(1 << this.physical(index));
  }

  /** The contents of ST(index), empty or not. */
  read(index: number): Extended {
    return this.readPhysical(this.physical(index));
  }

  /** Writes ST(index), which is then not empty. */
  write(index: number, value: Extended): void {
    const register = this.physical(index);
    this.writePhysical(register, value);
    this.tags |= 1 << register;
  }

  /** Marks ST(index) not empty. */
  occupy(index: number): void {
    this.tags |= 1 << this.physical(index);
  }

  /** Copies ST(from) to ST(to), which is then not empty. */
  copy(from: number, to: number): void {
    const source = this.address(from);
    const target = this.address(to);
    this.view.setUint32(target, this.view.getUint32(source, true), true);
    this.view.setUint32(target + 4, this.view.getUint32(source + 4, true), true);
    this.view.setUint16(
      target + FPU_SIGN_EXPONENT,
      this.view.getUint16(source + FPU_SIGN_EXPONENT, true),
      true,
    );
    this.occupy(to);
  }

  /** Decrements TOP and writes the new ST(0). Checks nothing. */
  push(value: Extended): void {
    this.top = this.top - 1;
    this.write(0, value);
  }

  /** Marks ST(0) empty and increments TOP. */
  pop(): void {
    this.free(0);
    this.top = this.top + 1;
  }

  /** The contents of physical register `register`. */
  readPhysical(register: number): Extended {
    const at = this.base + register * FPU_REGISTER_STRIDE;
    return {
      significand: this.view.getBigUint64(at, true),
      signExponent: this.view.getUint16(at + FPU_SIGN_EXPONENT, true),
    };
  }

  /** Writes a physical register and leaves its tag alone. */
  writePhysical(register: number, value: Extended): void {
    const at = this.base + register * FPU_REGISTER_STRIDE;
    this.view.setBigUint64(at, value.significand, true);
    this.view.setUint16(at + FPU_SIGN_EXPONENT, value.signExponent, true);
  }

  /** FNINIT: registers keep their contents. */
  initialise(): void {
    this.control = X87_CONTROL_INIT;
    this.status = 0;
    this.tags = 0;
    this.clearPointers();
  }

  /** Forgets the last instruction and its operand. */
  clearPointers(): void {
    this.opcode = 0;
    this.instructionPointer = 0n;
    this.dataPointer = 0n;
    this.codeSelector = 0;
    this.dataSelector = 0;
  }

  /** The two-bit tag of a physical register, which follows from its contents. */
  private fullTag(register: number): number {
    if ((this.tags & (1 << register)) === 0) return X87_TAG_EMPTY;
    const { signExponent, significand } = this.readPhysical(register);
    const exponent = signExponent & EXTENDED_EXPONENT_ONES;
    if (exponent === 0) return significand === 0n ? X87_TAG_ZERO : X87_TAG_SPECIAL;
    if (exponent === EXTENDED_EXPONENT_ONES) return X87_TAG_SPECIAL;
    return (significand & EXTENDED_INTEGER_BIT) !== 0n ? X87_TAG_VALID : X87_TAG_SPECIAL;
  }

  /** The 16-bit tag word of FNSTENV, two bits per physical register. */
  get tagWord(): number {
    let word = 0;
    for (let register = 0; register < X87_REGISTERS; register++)
      word |= this.fullTag(register) << (2 * register);
    return word;
  }

  /** Loads a tag word: only empty or not empty is kept, the rest follows from the contents. */
  set tagWord(word: number) {
    let tags = 0;
    for (let register = 0; register < X87_REGISTERS; register++) {
      if (((word >> (2 * register)) & X87_TAG_EMPTY) !== X87_TAG_EMPTY) tags |= 1 << register;
    }
    this.tags = tags;
  }
}
