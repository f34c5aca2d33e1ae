/**
 * The x87 instructions as helpers: brings memory operands to the FPU unit and back, keeps its pointers, hands AX and
 * EFLAGS over. What each instruction does is the unit's own (x87.ts).
 *
 * Specification: Intel SDM vol. 1 §8.1.8 (pointers), vol. 2 (FWAIT, EMMS).
 */
import {
  CR0_MP,
  CR0_TS,
  FLAGS_STATUS,
  FLAG_VM,
  VECTOR_GP,
  VECTOR_MF,
  VECTOR_NM,
  VECTOR_SS,
  VECTOR_UD,
} from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import { readStatusFlags, writeFlags } from "../flags.js";
import * as L from "../layout.js";
import { dataAccessMode } from "../mode.js";
import {
  executeX87,
  FPU_STATE_BYTES,
  type FpuState,
  lookupX87,
  operandAlignment,
  operandBytes,
  recordX87Location,
  X87_STORE,
  type X87Call,
  type X87Instruction,
  type X87Location,
} from "../x87.js";
import { isAligned, isCanonical, probe, READ, readBytes, WRITE, writeBytes } from "./access.js";
import { noteDataAccess } from "./breakpoints.js";
import { CONTINUE, type Helper } from "./calls.js";
import { GuestFault, throwRecorded, undefinedOpcode } from "./faults.js";
import { INFO_MEMORY } from "../call-info.js";
import { addressesStack, effectiveAddress } from "./operands.js";
import { taggedHost } from "./translate.js";
import * as R from "../record.js";

/** A memory operand is at most the 108 bytes of FSAVE. */
const LARGEST_OPERAND = 108;
/** Numbers have 10 bytes at most. */
const SMALL_OPERAND = 10;

const memory = new DataView(new ArrayBuffer(LARGEST_OPERAND));
const call: X87Call = {
  index: 0,
  memory,
  offset: 0,
  operandSize: 32,
  realMode: false,
  eflags: 0,
  ax: 0,
};
/** One of each, used again and again: every instruction passes here. */
const location: X87Location = {
  instructionPointer: 0,
  codeSelector: 0,
  opcode: 0,
  modrm: 0,
  dataPointer: 0,
  dataSelector: 0,
};

function prepare(cpu: CpuContext, instruction: X87Instruction, modrm: number, info: number): void {
  call.index = modrm & 7;
  call.operandSize = (info & 0xff) === 2 ? 16 : 32;
  call.realMode = !cpu.protectedMode || (cpu.get32(L.FLAG_SYSTEM) & FLAG_VM) !== 0;
  if (instruction.effect !== "none") call.eflags = readStatusFlags(cpu);
}

/** Checks or fetches the memory operand; returns its bytes. */
function fetchOperand(
  cpu: CpuContext,
  record: number,
  instruction: X87Instruction,
  linear: number,
): Uint8Array {
  const { operand } = instruction;
  const bytes = new Uint8Array(memory.buffer, 0, operandBytes(operand, call.operandSize));
  const mode = dataAccessMode(cpu, cpu.cpl);
  const vector = addressesStack(cpu, record) ? VECTOR_SS : VECTOR_GP;
  const access = instruction.access === "write" ? WRITE : READ;
  const alignment = operandAlignment(operand, call.operandSize);
  if (isCanonical(linear, bytes.length) && !isAligned(cpu, linear, mode, alignment)) throwRecorded(cpu);
  if (access === READ) readBytes(cpu, linear, bytes, mode, vector);
  else probe(cpu, linear, bytes.length, WRITE, mode, vector);
  if (cpu.breakpoints.data.length > 0) noteDataAccess(cpu, linear, bytes.length, access !== READ);
  return bytes;
}

function finish(cpu: CpuContext, instruction: X87Instruction): void {
  if (instruction.effect === "ax") cpu.writeSlot(L.GPR, 2, call.ax);
  else if (instruction.effect === "eflags") writeFlags(cpu, call.eflags, FLAGS_STATUS);
}

/**
 * Host address of a memory operand of a number where the TLB has it for this access and nothing else is to be
 * checked; 0 where it does not.
 */
function taggedOperand(cpu: CpuContext, instruction: X87Instruction, linear: number, size: number): number {
  if (size > SMALL_OPERAND || (linear & (L.PAGE_SIZE - 1)) + size > L.PAGE_SIZE) return 0;
  const page = Math.floor(linear / L.PAGE_SIZE);
  return taggedHost(cpu, linear, page, instruction.access === "write", dataAccessMode(cpu, cpu.cpl));
}

/** Copies 2, 4, 8 or 10 bytes. */
function copyOperand(from: DataView, source: number, to: DataView, target: number, size: number): void {
  let done = 0;
  for (; done + 4 <= size; done += 4) to.setUint32(target + done, from.getUint32(source + done, true), true);
  if (done < size) to.setUint16(target + done, from.getUint16(source + done, true), true);
}

/** Offset of the memory operand in its segment, modulo 2^64 as a signed number, or modulo 2^32. */
function dataOffset(cpu: CpuContext, record: number, linear: number): number {
  const segment = cpu.u8[record + R.REC_SEGMENT] >>> 3;
  if (segment === L.SEGMENT_NONE) return linear;
  const offset = linear - cpu.segmentBase(segment);
  return cpu.code64 ? offset : offset >>> 0;
}

/** The pointers that a non-control instruction leaves. */
function recordLocation(
  cpu: CpuContext,
  record: number,
  fpu: FpuState,
  instruction: X87Instruction,
  encoding: number,
  linear: number,
): void {
  location.instructionPointer = cpu.instructionRip(record);
  location.codeSelector = cpu.selector(L.CS);
  location.opcode = encoding & 0xff;
  location.modrm = (encoding >>> 8) & 0xff;
  location.dataPointer = dataOffset(cpu, record, linear);
  location.dataSelector = cpu.selector(Math.min(cpu.u8[record + R.REC_SEGMENT] >>> 3, L.GS));
  recordX87Location(fpu, instruction, location);
}

/**
 * A store whose operand faults: as on Intel's CPUs it does without the operand, and without its fault, where an unmasked
 * exception keeps it from storing. Otherwise throws `fault`, with nothing changed.
 */
function executeWithout(cpu: CpuContext, fpu: FpuState, instruction: X87Instruction, fault: unknown): void {
  if (instruction.control || instruction.access !== "write") throw fault;
  const state = cpu.u8.subarray(fpu.base, fpu.base + FPU_STATE_BYTES);
  const before = state.slice();
  if (!(executeX87(fpu, instruction, call) & X87_STORE)) return;
  state.set(before);
  throw fault;
}

/** Executes with a memory operand that is not in the TLB, crosses pages, is large or watched. */
function executeSlowly(
  cpu: CpuContext,
  record: number,
  fpu: FpuState,
  instruction: X87Instruction,
  linear: number,
): void {
  let operand: Uint8Array;
  try {
    operand = fetchOperand(cpu, record, instruction, linear);
  } catch (fault) {
    return executeWithout(cpu, fpu, instruction, fault);
  }
  const result = executeX87(fpu, instruction, call);
  if (result & X87_STORE) writeBytes(cpu, linear, operand, dataAccessMode(cpu, cpu.cpl));
}

/** Executes with a memory operand at a host address. */
function executeAt(
  fpu: FpuState,
  instruction: X87Instruction,
  view: DataView,
  host: number,
  size: number,
): void {
  if (instruction.access === "read") copyOperand(view, host, memory, 0, size);
  const result = executeX87(fpu, instruction, call);
  if (result & X87_STORE) copyOperand(memory, 0, view, host, size);
}

const x87: Helper = (cpu, record, info) => {
  const encoding = cpu.immediate(record);
  const modrm = (encoding >>> 8) & 0xff;
  const instruction = lookupX87(encoding & 0xff, modrm);
  if (!instruction) return undefinedOpcode();
  const fpu = cpu.fpu;
  // Before anything is asked of the memory operand.
  if (instruction.waiting && fpu.pending) throw new GuestFault(VECTOR_MF);
  prepare(cpu, instruction, modrm, info);
  let linear = 0;
  if (info & INFO_MEMORY) {
    const size = operandBytes(instruction.operand, call.operandSize);
    linear = effectiveAddress(cpu, record, size, instruction.access === "write");
    const host = taggedOperand(cpu, instruction, linear, size);
    if (host !== 0) executeAt(fpu, instruction, cpu.view, host, size);
    else executeSlowly(cpu, record, fpu, instruction, linear);
  } else executeX87(fpu, instruction, call);
  finish(cpu, instruction);
  if (!instruction.control) recordLocation(cpu, record, fpu, instruction, encoding, linear);
  return CONTINUE;
};

/** FWAIT: #NM when CR0.MP and TS are set, #MF when an exception is pending. */
const fwait: Helper = (cpu) => {
  const cr0 = cpu.get32(L.CR0);
  if (cr0 & CR0_MP && cr0 & CR0_TS) throw new GuestFault(VECTOR_NM);
  if (cpu.fpu.pending) throw new GuestFault(VECTOR_MF);
  return CONTINUE;
};

/** EMMS: all registers empty, and TOP 0 as after any MMX instruction (SDM vol. 3A table 12-2). */
const emms: Helper = (cpu) => {
  const fpu = cpu.fpu;
  if (fpu.pending) throw new GuestFault(VECTOR_MF);
  fpu.tags = 0;
  fpu.top = 0;
  return CONTINUE;
};

/** Reports an instruction that is decoded but has no semantics, then raises #UD. */
const unimplemented: Helper = (cpu, record) => {
  cpu.setAddress(L.RIP, cpu.instructionRip(record));
  cpu.services.unimplemented(cpu, "instruction");
  throw new GuestFault(VECTOR_UD);
};

export const X87_HELPERS: Record<string, Helper> = { x87, fwait, emms, unimplemented };
