/**
 * What one x87 instruction is to the rest of the engine: a name, the memory operand it takes, and a function over
 * the FPU's state. The instruction never touches guest memory, EFLAGS or AX: it gets and leaves them here.
 *
 * Specification: Intel SDM vol. 2, the F instructions.
 */
import {
  X87_ENVIRONMENT_16_BYTES,
  X87_ENVIRONMENT_32_BYTES,
  X87_STATE_16_BYTES,
  X87_STATE_32_BYTES,
} from "../../../spec/x87.js";
import type { FpuState } from "./state.js";

/** Kinds of memory operand. `env` and `state` depend on the operand size. */
export type OperandKind =
  "none" | "f32" | "f64" | "f80" | "i16" | "i32" | "i64" | "bcd" | "env" | "state" | "cw" | "sw";

/** What the engine passes to an instruction and takes back from it. One object can serve all calls. */
export interface X87Call {
  /** i of ST(i) in register forms: the low three bits of ModRM. */
  index: number;
  /** Where the memory operand's bytes lie (read) or are left (write). Not guest memory: a scratch area. */
  memory: DataView;
  offset: number;
  /** Operand size in bits, and whether in real or virtual-8086 mode: decides the form of env and state. */
  operandSize: 16 | 32;
  realMode: boolean;
  /** EFLAGS: read by FCMOVcc; FCOMI and its kin replace it. */
  eflags: number;
  /** FNSTSW AX leaves the status word here. */
  ax: number;
}

/** Bits of what `executeX87` returns. */
export const X87_DONE = 0;
/** The bytes at `memory` + `offset` are to be written to guest memory. */
export const X87_STORE = 1;
/** An earlier unmasked exception is pending: raise #MF, nothing else happened. */
export const X87_FAULT = 2;

export interface X87Instruction {
  mnemonic: string;
  operand: OperandKind;
  access: "none" | "read" | "write";
  /** Whether it first delivers a pending exception (#MF). */
  waiting: boolean;
  /** Whether it leaves the last-instruction pointers alone. */
  control: boolean;
  /** Whether it writes AX or EFLAGS, or reads EFLAGS. */
  effect: "none" | "ax" | "eflags" | "condition";
  /** Performs it; true when the memory operand is to be stored. */
  run(fpu: FpuState, call: X87Call): boolean;
}

/** Bytes of a memory operand; 0 for none. */
export function operandBytes(kind: OperandKind, operandSize: 16 | 32): number {
  switch (kind) {
    case "none":
      return 0;
    case "i16":
    case "cw":
    case "sw":
      return 2;
    case "f32":
    case "i32":
      return 4;
    case "f64":
    case "i64":
      return 8;
    case "f80":
    case "bcd":
      return 10;
    case "env":
      return operandSize === 16 ? X87_ENVIRONMENT_16_BYTES : X87_ENVIRONMENT_32_BYTES;
    case "state":
      return operandSize === 16 ? X87_STATE_16_BYTES : X87_STATE_32_BYTES;
  }
}

/** Alignment that a memory operand needs for #AC not to be raised, bytes (SDM vol. 3A table 6-7). */
export function operandAlignment(kind: OperandKind, operandSize: 16 | 32): number {
  switch (kind) {
    case "none":
      return 1;
    case "i16":
    case "cw":
    case "sw":
      return 2;
    case "f32":
    case "i32":
      return 4;
    case "f64":
    case "i64":
    case "f80":
    case "bcd":
      return 8;
    case "env":
    case "state":
      return operandSize / 8;
  }
}
