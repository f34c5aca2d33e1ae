/**
 * The x87 FPU: the door to `x87/`. An engine decodes an encoding with `lookupX87`, brings the bytes of a memory
 * operand into a scratch area, calls `executeX87` and writes back what it says. Knows no guest memory, segment
 * or CPU mode.
 *
 * Specification: Intel SDM vol. 1 chapter 8; vol. 3A §6.15 (#MF, #NM are the engine's).
 */
import { X87_DONE, X87_FAULT, X87_STORE, type X87Call, type X87Instruction } from "./x87/instruction.js";
import type { FpuState } from "./x87/state.js";

export * from "./x87/state.js";
export {
  X87_DONE,
  X87_FAULT,
  X87_STORE,
  operandAlignment,
  operandBytes,
  type OperandKind,
  type X87Call,
  type X87Instruction,
} from "./x87/instruction.js";
export { X87_FIRST_OPCODE, X87_TABLE, lookupX87, x87Index } from "./x87/table.js";

/** Where an instruction and its memory operand lie, for the last-instruction pointers. */
export interface X87Location {
  /** Offset of the instruction (its first prefix) in its code segment; 64-bit ones as signed numbers. */
  instructionPointer: number;
  codeSelector: number;
  /** First opcode byte and ModRM. */
  opcode: number;
  modrm: number;
  /** Effective address of the memory operand and the segment used; 64-bit ones as signed numbers. */
  dataPointer: number;
  dataSelector: number;
}

/**
 * Executes one instruction. Returns X87_FAULT when #MF is to be raised instead (then nothing was changed), else
 * X87_DONE or X87_STORE. An exception that the instruction itself finds only becomes pending.
 */
export function executeX87(fpu: FpuState, instruction: X87Instruction, call: X87Call): number {
  if (instruction.waiting && fpu.pending) return X87_FAULT;
  return instruction.run(fpu, call) ? X87_STORE : X87_DONE;
}

/** Keeps the pointers of a non-control instruction; call it after `executeX87` unless that faulted. */
export function recordX87Location(fpu: FpuState, instruction: X87Instruction, location: X87Location): void {
  if (instruction.control) return;
  fpu.pointToInstruction(location.instructionPointer);
  fpu.codeSelector = location.codeSelector;
  fpu.opcode = ((location.opcode & 7) << 8) | location.modrm;
  if (instruction.operand === "none") return;
  fpu.pointToData(location.dataPointer);
  fpu.dataSelector = location.dataSelector;
}
