/**
 * Loading and storing GDTR, IDTR, LDTR and TR, and the instructions that ask about descriptors: LAR, LSL, VERR, VERW,
 * ARPL.
 *
 * Specification: Intel SDM vol. 2, LGDT/LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR, LAR, LSL, VERR/VERW, ARPL.
 */
import { TWO_32 } from "../../../bytes/words.js";
import {
  ACCESS_CODE,
  ACCESS_DOWN_OR_CONFORMING,
  ACCESS_TYPE,
  ACCESS_WRITE_OR_READ,
  CR4_UMIP,
  FLAG_ZF,
  SELECTOR_RPL,
  TYPE_CALL_GATE,
  TYPE_CALL_GATE16,
  TYPE_LDT,
  TYPE_TASK_GATE,
  TYPE_TSS16_AVAILABLE,
  TYPE_TSS16_BUSY,
  TYPE_TSS_AVAILABLE,
  TYPE_TSS_BUSY,
  VECTOR_GP,
} from "../../../spec/x86-privileged.js";
import type { CpuContext, Descriptor } from "../cpu-context.js";
import { writeFlags } from "../flags.js";
import * as L from "../layout.js";
import { isCanonical } from "./access.js";
import { isCodeOrData, isNull, readDescriptor } from "./descriptors.js";
import { generalProtection, GuestFault, undefinedOpcode } from "./faults.js";
import { INFO_MEMORY, INFO_SIZE } from "../call-info.js";
import { probeOperandWrite, readOperandMemory, readRm16, writeOperandMemory } from "./operands.js";
import { CONTINUE, type Helper, requireSupervisor, resolveNext } from "./outcome.js";
import { dplOf, loadLdt, loadTaskRegister } from "./segments.js";

const LIMIT_SIZE = 2;
const BASE24 = 0xffffff;
/** What LAR shows of a descriptor's upper word. */
const LAR_MASK = 0x00f0ff00;

const LSL_TYPES = (1 << TYPE_LDT) | (1 << TYPE_TSS_AVAILABLE) | (1 << TYPE_TSS_BUSY);
const LSL_LEGACY = (1 << TYPE_TSS16_AVAILABLE) | (1 << TYPE_TSS16_BUSY);
const LAR_TYPES = LSL_TYPES | (1 << TYPE_CALL_GATE);
const LAR_LEGACY = LSL_LEGACY | (1 << TYPE_CALL_GATE16) | (1 << TYPE_TASK_GATE);

/** #GP(0) for instructions that CR4.UMIP takes from user code. */
function requireNotPrevented(cpu: CpuContext): void {
  if (cpu.get32(L.CR4) & CR4_UMIP && cpu.cpl > 0) generalProtection();
}

/** #UD in real and virtual-8086 mode. */
function requireProtectedMode(cpu: CpuContext): void {
  if (cpu.realSegments) undefinedOpcode();
}

function loadTable(
  cpu: CpuContext,
  record: number,
  info: number,
  baseOffset: number,
  limitOffset: number,
): number {
  requireSupervisor(cpu);
  const limit = readOperandMemory(cpu, record, LIMIT_SIZE);
  if (cpu.code64) {
    const low = readOperandMemory(cpu, record, 8, LIMIT_SIZE);
    const { high } = cpu;
    if (!isCanonical((high | 0) * TWO_32 + low)) generalProtection();
    cpu.setPair(baseOffset, low, high);
  } else {
    const base = readOperandMemory(cpu, record, 4, LIMIT_SIZE);
    cpu.setPair(baseOffset, (info & INFO_SIZE) === 2 ? base & BASE24 : base, 0);
  }
  cpu.set32(limitOffset, limit);
  return CONTINUE;
}

function storeTable(cpu: CpuContext, record: number, baseOffset: number, limitOffset: number): number {
  requireNotPrevented(cpu);
  const size = cpu.code64 ? 8 : 4;
  probeOperandWrite(cpu, record, size + LIMIT_SIZE);
  writeOperandMemory(cpu, record, LIMIT_SIZE, cpu.get32(limitOffset));
  writeOperandMemory(cpu, record, size, cpu.low(baseOffset), cpu.upper(baseOffset), LIMIT_SIZE);
  return CONTINUE;
}

/** Stores a selector: memory takes 16 bits, a register the operand size. */
export function storeSelector(cpu: CpuContext, record: number, info: number, selector: number): number {
  if (info & INFO_MEMORY) writeOperandMemory(cpu, record, 2, selector);
  else cpu.writeSlot(cpu.rmOffset(record), info & INFO_SIZE, selector);
  return CONTINUE;
}

function storeSystemSelector(cpu: CpuContext, record: number, info: number, segment: number): number {
  requireProtectedMode(cpu);
  requireNotPrevented(cpu);
  return storeSelector(cpu, record, info, cpu.selector(segment));
}

function loadSystem(load: (cpu: CpuContext, selector: number) => void): Helper {
  return (cpu, record, info) => {
    requireProtectedMode(cpu);
    requireSupervisor(cpu);
    load(cpu, readRm16(cpu, record, info));
    return resolveNext(cpu, record);
  };
}

/** The descriptor that a query names, or undefined when there is none within its table's limit. */
function queriedDescriptor(cpu: CpuContext, selector: number): Descriptor | undefined {
  if (isNull(selector)) return undefined;
  try {
    return readDescriptor(cpu, selector);
  } catch (error) {
    if (error instanceof GuestFault && error.vector === VECTOR_GP) return undefined;
    throw error;
  }
}

/** Whether the current level may ask about the descriptor. */
function mayQuery(cpu: CpuContext, selector: number, descriptor: Descriptor): boolean {
  const { access } = descriptor;
  const conforming =
    isCodeOrData(descriptor) && (access & ACCESS_CODE) !== 0 && (access & ACCESS_DOWN_OR_CONFORMING) !== 0;
  const dpl = dplOf(access);
  return conforming || (dpl >= cpu.cpl && dpl >= (selector & SELECTOR_RPL));
}

function setZero(cpu: CpuContext, zero: boolean): number {
  writeFlags(cpu, zero ? FLAG_ZF : 0, FLAG_ZF);
  return CONTINUE;
}

/** LAR and LSL: writes `result` of a descriptor of one of the system types in `types` (or code or data). */
function query(types: number, legacyTypes: number, result: (descriptor: Descriptor) => number): Helper {
  return (cpu, record, info) => {
    requireProtectedMode(cpu);
    const selector = readRm16(cpu, record, info);
    const descriptor = queriedDescriptor(cpu, selector);
    if (!descriptor || !mayQuery(cpu, selector, descriptor)) return setZero(cpu, false);
    const system = 1 << (descriptor.access & ACCESS_TYPE);
    const valid = cpu.longMode ? types : types | legacyTypes;
    if (!isCodeOrData(descriptor) && !(system & valid)) return setZero(cpu, false);
    cpu.writeSlot(L.GPR + cpu.regField(record) * 8, info & INFO_SIZE, result(descriptor));
    return setZero(cpu, true);
  };
}

function verify(cpu: CpuContext, record: number, info: number, write: boolean): number {
  requireProtectedMode(cpu);
  const selector = readRm16(cpu, record, info);
  const descriptor = queriedDescriptor(cpu, selector);
  if (!descriptor || !isCodeOrData(descriptor) || !mayQuery(cpu, selector, descriptor)) {
    return setZero(cpu, false);
  }
  const code = (descriptor.access & ACCESS_CODE) !== 0;
  const permitted = (descriptor.access & ACCESS_WRITE_OR_READ) !== 0;
  return setZero(cpu, write ? !code && permitted : !code || permitted);
}

function arpl(cpu: CpuContext, record: number, info: number): number {
  requireProtectedMode(cpu);
  const destination = readRm16(cpu, record, info);
  const source = cpu.get32(L.GPR + cpu.regField(record) * 8);
  const raised = (destination & SELECTOR_RPL) < (source & SELECTOR_RPL);
  if (!raised) return setZero(cpu, false);
  const value = (destination & ~SELECTOR_RPL) | (source & SELECTOR_RPL);
  if (info & INFO_MEMORY) writeOperandMemory(cpu, record, 2, value);
  else cpu.writeSlot(cpu.rmOffset(record), 2, value);
  return setZero(cpu, true);
}

export const TABLE_REGISTERS: Record<string, Helper> = {
  lgdt: (cpu, record, info) => loadTable(cpu, record, info, L.GDTR_BASE, L.GDTR_LIMIT),
  lidt: (cpu, record, info) => loadTable(cpu, record, info, L.IDTR_BASE, L.IDTR_LIMIT),
  sgdt: (cpu, record) => storeTable(cpu, record, L.GDTR_BASE, L.GDTR_LIMIT),
  sidt: (cpu, record) => storeTable(cpu, record, L.IDTR_BASE, L.IDTR_LIMIT),
  lldt: loadSystem(loadLdt),
  ltr: loadSystem(loadTaskRegister),
  sldt: (cpu, record, info) => storeSystemSelector(cpu, record, info, L.LDTR),
  str: (cpu, record, info) => storeSystemSelector(cpu, record, info, L.TR),
  lar: query(LAR_TYPES, LAR_LEGACY, (descriptor) => descriptor.high & LAR_MASK),
  lsl: query(LSL_TYPES, LSL_LEGACY, (descriptor) => descriptor.limit),
  verr: (cpu, record, info) => verify(cpu, record, info, false),
  verw: (cpu, record, info) => verify(cpu, record, info, true),
  arpl,
};
