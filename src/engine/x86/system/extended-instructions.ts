/**
 * FXSAVE, FXRSTOR, LDMXCSR, STMXCSR. XSAVE and its kin: xsave-instructions.ts.
 *
 * Specification: Intel SDM vol. 2, those instructions; vol. 1 §10.5.
 */
import { CR0_EM, CR0_TS, CR4_OSFXSR, MXCSR_MASK, VECTOR_NM } from "../../../spec/x86-privileged.js";
import { INFO_SIZE } from "../call-info.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import * as X from "./extended-state.js";
import { generalProtection, GuestFault, undefinedOpcode } from "./faults.js";
import { readOperandMemory, writeOperandMemory } from "./operands.js";
import { CONTINUE, type Helper, requireTaskClean } from "./outcome.js";
import { loadRanges, Ranges, saveRanges, stateArea } from "./state-area.js";

const ALIGNMENT = 16;

const isWide = (info: number): boolean => (info & INFO_SIZE) === 8;

/** What FXSAVE writes and FXRSTOR reads; the rest of the 512 bytes is left alone. */
function usedBytes(cpu: CpuContext): Ranges {
  return new Ranges().add(0, X.XMM_START + X.vectorRegisters(cpu) * X.XMM_SIZE);
}

function requireFxsave(cpu: CpuContext): void {
  if (cpu.get32(L.CR0) & (CR0_EM | CR0_TS)) throw new GuestFault(VECTOR_NM);
}

function fxsave(cpu: CpuContext, record: number, info: number): number {
  requireFxsave(cpu);
  const area = stateArea(cpu, record, X.LEGACY_SIZE, ALIGNMENT, true);
  X.stageX87(cpu, isWide(info));
  X.stageMxcsr(cpu);
  X.stageXmm(cpu, X.vectorRegisters(cpu));
  saveRanges(cpu, area, usedBytes(cpu));
  return CONTINUE;
}

function fxrstor(cpu: CpuContext, record: number, info: number): number {
  requireFxsave(cpu);
  const area = stateArea(cpu, record, X.LEGACY_SIZE, ALIGNMENT, false);
  loadRanges(cpu, area, usedBytes(cpu));
  const mxcsr = X.stagedMxcsr();
  if (mxcsr & ~MXCSR_MASK) generalProtection();
  X.unstageX87(cpu, isWide(info));
  cpu.set32(L.MXCSR, mxcsr);
  X.unstageXmm(cpu, X.vectorRegisters(cpu));
  return CONTINUE;
}

function requireSse(cpu: CpuContext): void {
  if (cpu.get32(L.CR0) & CR0_EM || !(cpu.get32(L.CR4) & CR4_OSFXSR)) undefinedOpcode();
  requireTaskClean(cpu);
}

function ldmxcsr(cpu: CpuContext, record: number): number {
  requireSse(cpu);
  const value = readOperandMemory(cpu, record, 4);
  if (value & ~MXCSR_MASK) generalProtection();
  cpu.set32(L.MXCSR, value);
  return CONTINUE;
}

function stmxcsr(cpu: CpuContext, record: number): number {
  requireSse(cpu);
  writeOperandMemory(cpu, record, 4, cpu.get32(L.MXCSR));
  return CONTINUE;
}

export const EXTENDED_STATE: Record<string, Helper> = { fxsave, fxrstor, ldmxcsr, stmxcsr };
