/**
 * Control instructions and the FPU environment in memory (FNSTENV, FNSAVE and their loads) in its four forms.
 *
 * ```
 *  protected, 32-bit          protected, 16-bit     real and virtual-8086, 32-bit
 *   0  FCW                     0  FCW                0  FCW
 *   4  FSW                     2  FSW                4  FSW
 *   8  FTW                     4  FTW                8  FTW
 *  12  FIP                     6  FIP               12  FIP 15–0
 *  16  FCS, FOP in 26–16       8  FCS               16  FOP 10–0, FIP 31–16 in 27–12
 *  20  FDP                    10  FDP               20  FDP 15–0
 *  24  FDS                    12  FDS               24  FDP 31–16 in 27–12
 * ```
 * The 16-bit real form has FIP 15–0 at 6, FOP 10–0 with FIP 19–16 in 15–12 at 8, FDP 15–0 at 10 and FDP 19–16 in
 * 15–12 at 12.
 *
 * Specification: Intel SDM vol. 1 §8.1.10, figures 8-9 to 8-12; vol. 2 FNSTENV, FLDENV, FNSAVE, FRSTOR, FNCLEX.
 */
import {
  X87_CONTROL_MASKS,
  X87_ENVIRONMENT_16_BYTES,
  X87_ENVIRONMENT_32_BYTES,
  X87_OPCODE_MASK,
  X87_REGISTERS,
  X87_REGISTER_BYTES,
  X87_STATUS_EXCEPTIONS,
  X87_STATUS_STACK_FAULT,
} from "../../../spec/x87.js";
import { setC1 } from "./exceptions.js";
import type { X87Call } from "./instruction.js";
import { readExtended, writeExtended } from "./operand.js";
import type { FpuState } from "./state.js";

type Run = (fpu: FpuState, call: X87Call) => boolean;

/** What the seven words of an environment hold, before the real-mode forms fold them. */
interface Pointers {
  instruction: number;
  code: number;
  opcode: number;
  data: number;
  dataSelector: number;
}

const WORD = 0xffff;
/** High bits of a real-mode pointer start at bit 12 of their word. */
const REAL_HIGH_SHIFT = 12;

/** Bytes between the fields, and of the whole. */
function environmentBytes(operandSize: 16 | 32): number {
  return operandSize === 16 ? X87_ENVIRONMENT_16_BYTES : X87_ENVIRONMENT_32_BYTES;
}

function pointersOf(fpu: FpuState): Pointers {
  return {
    instruction: Number(BigInt.asUintN(32, fpu.instructionPointer)),
    code: fpu.codeSelector,
    opcode: fpu.opcode,
    data: Number(BigInt.asUintN(32, fpu.dataPointer)),
    dataSelector: fpu.dataSelector,
  };
}

/** The last four fields as their form has them. */
function foldPointers(p: Pointers, call: X87Call): [number, number, number, number] {
  if (!call.realMode) {
    const code = call.operandSize === 32 ? (p.opcode << 16) | p.code : p.code;
    return [p.instruction, code, p.data, p.dataSelector];
  }
  const instruction = p.instruction + p.code * 16;
  const data = p.data + p.dataSelector * 16;
  const high = (pointer: number): number => Math.floor(pointer / 0x10000) << REAL_HIGH_SHIFT;
  return [instruction & WORD, high(instruction) | p.opcode, data & WORD, high(data)];
}

function unfoldPointers(fields: readonly number[], call: X87Call): Pointers {
  const [instruction, code, data, selector] = fields;
  if (!call.realMode) {
    const opcode = call.operandSize === 32 ? (code >>> 16) & X87_OPCODE_MASK : 0;
    return { instruction, code: code & WORD, opcode, data, dataSelector: selector & WORD };
  }
  const low = (pointer: number): number => pointer & WORD;
  const high = (field: number): number => (field >>> REAL_HIGH_SHIFT) * 0x10000;
  return {
    instruction: low(instruction) + high(code),
    code: 0,
    opcode: code & X87_OPCODE_MASK,
    data: low(data) + high(selector),
    dataSelector: 0,
  };
}

/** Writes the environment; reserved halves of 32-bit fields are all ones, as hardware leaves them. */
function writeEnvironment(fpu: FpuState, call: X87Call): void {
  const { memory, offset, operandSize } = call;
  const words = [fpu.control, fpu.status, fpu.tagWord];
  const pointers = foldPointers(pointersOf(fpu), call);
  const put = (field: number, value: number): void => {
    if (operandSize === 16) memory.setUint16(offset + 2 * field, value, true);
    else memory.setUint32(offset + 4 * field, value, true);
  };
  const reserved = 0xffff0000;
  words.forEach((word, field) => put(field, (reserved | word) >>> 0));
  const [instruction, code, data, selector] = pointers;
  const half = call.realMode ? 0 : reserved;
  put(3, call.realMode ? (reserved | instruction) >>> 0 : instruction);
  put(4, code);
  put(5, call.realMode ? (reserved | data) >>> 0 : data);
  put(6, (half | selector) >>> 0);
}

function readEnvironment(fpu: FpuState, call: X87Call): void {
  const { memory, offset, operandSize } = call;
  const get = (field: number): number =>
    operandSize === 16
      ? memory.getUint16(offset + 2 * field, true)
      : memory.getUint32(offset + 4 * field, true);
  const pointers = unfoldPointers([get(3), get(4), get(5), get(6)], call);
  fpu.control = get(0) & WORD;
  fpu.status = get(1) & WORD;
  fpu.tagWord = get(2) & WORD;
  fpu.instructionPointer = BigInt(pointers.instruction);
  fpu.codeSelector = pointers.code;
  fpu.opcode = pointers.opcode;
  fpu.dataPointer = BigInt(pointers.data);
  fpu.dataSelector = pointers.dataSelector;
}

/** FNSTENV: afterwards all exceptions are masked. */
export const storeEnvironment: Run = (fpu, call) => {
  writeEnvironment(fpu, call);
  fpu.control |= X87_CONTROL_MASKS;
  return true;
};

/** FLDENV. */
export const loadEnvironment: Run = (fpu, call) => {
  readEnvironment(fpu, call);
  return false;
};

/** FNSAVE: environment, then ST(0)–ST(7) in stack order; afterwards as FNINIT. */
export const saveState: Run = (fpu, call) => {
  writeEnvironment(fpu, call);
  const start = call.offset + environmentBytes(call.operandSize);
  for (let index = 0; index < X87_REGISTERS; index++) {
    writeExtended(call.memory, start + index * X87_REGISTER_BYTES, fpu.read(index));
  }
  fpu.initialise();
  return true;
};

/** FRSTOR. */
export const restoreState: Run = (fpu, call) => {
  readEnvironment(fpu, call);
  const start = call.offset + environmentBytes(call.operandSize);
  for (let index = 0; index < X87_REGISTERS; index++) {
    const register = (fpu.top + index) % X87_REGISTERS;
    fpu.writePhysical(register, readExtended(call.memory, start + index * X87_REGISTER_BYTES));
  }
  return false;
};

/** FLDCW. */
export const loadControl: Run = (fpu, { memory, offset }) => {
  fpu.control = memory.getUint16(offset, true);
  return false;
};

/** FNSTCW. */
export const storeControl: Run = (fpu, { memory, offset }) => {
  memory.setUint16(offset, fpu.control, true);
  return true;
};

/** FNSTSW m16. */
export const storeStatus: Run = (fpu, { memory, offset }) => {
  memory.setUint16(offset, fpu.status, true);
  return true;
};

/** FNSTSW AX. */
export const statusToAx: Run = (fpu, call) => {
  call.ax = fpu.status;
  return false;
};

/** FNCLEX. */
export const clearExceptions: Run = (fpu) => {
  fpu.status &= ~(X87_STATUS_EXCEPTIONS | X87_STATUS_STACK_FAULT);
  return false;
};

/** FNINIT. */
export const initialise: Run = (fpu) => {
  fpu.initialise();
  return false;
};

/** FDECSTP and FINCSTP: no tag changes. */
export function moveTop(step: 1 | -1): Run {
  return (fpu) => {
    fpu.top = fpu.top + step;
    setC1(fpu, false);
    return false;
  };
}

/** FFREE and the undocumented FFREEP. */
export function freeRegister(pop: boolean): Run {
  return (fpu, { index }) => {
    fpu.free(index);
    setC1(fpu, false);
    if (pop) fpu.pop();
    return false;
  };
}

/** FNOP, and FNENI, FNDISI, FNSETPM, which mean nothing since the 387. */
export const nothing: Run = () => false;
