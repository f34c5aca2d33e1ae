/**
 * Every instruction that generated code hands to TypeScript, by the mnemonic of the instruction table, and the
 * numbers by which it calls them.
 */
import type { CpuContext } from "../cpu-context.js";
import { runHelper } from "./calls.js";
import { CONTROL_REGISTERS } from "./control-registers.js";
import { EXTENDED_STATE } from "./extended-instructions.js";
import { FAR_TRANSFERS } from "./far-transfers.js";
import { FAST_CALLS } from "./fast-calls.js";
import { INTERRUPT_INSTRUCTIONS } from "./interrupt-instructions.js";
import { MODEL_SPECIFIC } from "./msr.js";
import type { Helper } from "./outcome.js";
import { PORTS } from "./ports.js";
import { PROCESSOR_CONTROL } from "./processor-control.js";
import { SEGMENT_MOVES } from "./segment-moves.js";
import { STACK_INSTRUCTIONS } from "./stack-instructions.js";
import { TABLE_REGISTERS } from "./table-registers.js";
import { TIME } from "./time.js";

export const HELPERS: Readonly<Record<string, Helper>> = {
  ...CONTROL_REGISTERS,
  ...EXTENDED_STATE,
  ...FAR_TRANSFERS,
  ...FAST_CALLS,
  ...INTERRUPT_INSTRUCTIONS,
  ...MODEL_SPECIFIC,
  ...PORTS,
  ...PROCESSOR_CONTROL,
  ...SEGMENT_MOVES,
  ...STACK_INSTRUCTIONS,
  ...TABLE_REGISTERS,
  ...TIME,
};

/** Mnemonics in the order of their numbers. */
export const HELPER_NAMES: readonly string[] = Object.keys(HELPERS).sort();

const table: readonly Helper[] = HELPER_NAMES.map((name) => HELPERS[name]);

/** Number of a mnemonic's helper, or -1. */
export function helperIndex(mnemonic: string): number {
  return HELPER_NAMES.indexOf(mnemonic);
}

/**
 * Runs the helper `index` for the instruction in `record`: 1 to continue behind it, 0 when RIP was stored (a fault
 * was delivered, or the instruction went elsewhere).
 */
export function callHelper(cpu: CpuContext, record: number, index: number, info: number): number {
  return runHelper(cpu, table[index], record, info);
}
