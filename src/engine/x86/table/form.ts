/** What the table of instructions says of one form of an instruction. */
import type { FormFeatures } from "./features.js";

/** Added to the map of VEX-encoded forms. */
export const VEX_MAP = 4;

export type MandatoryPrefix = "" | "NP" | "66" | "F2" | "F3";

/** What the operating system may have switched off. */
export type Unit = "integer" | "x87" | "mmx" | "sse";

export interface OperandSpec {
  /** Addressing letter, or "AL", "rAX", "CL", "1". */
  kind: string;
  /** Size letter, "" where there is none. */
  size: string;
}

export interface Form {
  readonly id: number;
  /** 0: one byte; 1: 0F; 2: 0F 38; 3: 0F 3A; `VEX_MAP` more with a VEX prefix. */
  readonly map: number;
  readonly opcode: number;
  readonly prefix: MandatoryPrefix;
  /** Required VEX.L, or -1 without VEX. */
  readonly vectorLength: number;
  /** Required ModRM.reg, or -1. */
  readonly extension: number;
  /** Required kind of ModRM.rm: "m", "r", or "" for either. */
  readonly rm: "" | "m" | "r";
  /** Required ModRM byte, or -1. */
  readonly modrmByte: number;
  readonly hasModrm: boolean;
  readonly mnemonic: string;
  readonly operands: readonly OperandSpec[];
  /** What the operand size depends on: "v" prefixes and mode, "y" REX.W only, "" nothing. */
  readonly sizing: "" | "v" | "y";
  readonly lock: boolean;
  readonly invalidIn64: boolean;
  readonly only64: boolean;
  readonly default64: boolean;
  readonly force64: boolean;
  readonly ends: boolean;
  readonly rep: boolean;
  readonly dwordRegister: boolean;
  /** Which unit it needs, by its operands. */
  readonly unit: Unit;
  /** The CPUID features that announce it. */
  readonly features: FormFeatures;
}
