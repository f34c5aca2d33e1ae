/**
 * Every instruction that generated code hands to TypeScript, by the mnemonic of the instruction table.
 */
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
import { XSAVE_INSTRUCTIONS } from "./xsave-instructions.js";

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
  ...XSAVE_INSTRUCTIONS,
};
