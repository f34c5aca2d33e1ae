/**
 * A decoded instruction as plain data: what the decoder fills in and records are made from. Knows no encoding.
 */
import type { Form } from "./table/form.js";
import { UNDEFINED_FORM } from "./table/forms.js";

export const NO_REGISTER = -1;
export const REGISTER_RIP = 16;

/** A decoded instruction. One object is reused for all decoding: copy what must last. */
export interface Instruction {
  form: Form;
  length: number;
  /** Effective operand size, bytes: 2, 4 or 8. */
  operandSize: number;
  /** Effective address size, bytes: 2, 4 or 8. */
  addressSize: number;
  /** 0, 0xf2 or 0xf3: the last repeat prefix. */
  repeat: number;
  /** 66 stands before it. */
  operandPrefix: boolean;
  lock: boolean;
  /** Segment override as an index (ES 0 … GS 5), or -1. */
  segmentOverride: number;
  /** The REX prefix, or what a VEX prefix says in its place. */
  rex: number;
  /** Register that VEX.vvvv names; 0 without VEX. */
  vvvv: number;
  modrm: number;
  /** ModRM names memory. */
  isMemory: boolean;
  /** ModRM.reg with REX.R. */
  reg: number;
  /** ModRM.rm, or the opcode's register, with REX.B. */
  rm: number;
  /** Base register, `NO_REGISTER` or `REGISTER_RIP`. */
  base: number;
  index: number;
  /** Shift of the index, 0–3. */
  scale: number;
  displacement: number;
  /** Immediate as two signed 32-bit halves. */
  immediateLow: number;
  immediateHigh: number;
  /** Second immediate: far-pointer selector, level of ENTER. */
  immediate2: number;
  /** Absolute address operand (moffs) as two 32-bit halves in `immediate*`; set when `base` etc. could not hold it. */
  absolute: boolean;
  /** The instruction is longer than 15 bytes: #GP(0). */
  tooLong: boolean;
}

/** An empty instruction for `decode` to fill, again and again. */
export function createInstruction(): Instruction {
  return {
    form: UNDEFINED_FORM,
    length: 0,
    operandSize: 4,
    addressSize: 4,
    repeat: 0,
    operandPrefix: false,
    lock: false,
    segmentOverride: -1,
    rex: 0,
    vvvv: 0,
    modrm: 0,
    isMemory: false,
    reg: 0,
    rm: 0,
    base: NO_REGISTER,
    index: NO_REGISTER,
    scale: 0,
    displacement: 0,
    immediateLow: 0,
    immediateHigh: 0,
    immediate2: 0,
    absolute: false,
    tooLong: false,
  };
}
