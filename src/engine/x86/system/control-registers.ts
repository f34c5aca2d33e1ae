/**
 * MOV to and from control and debug registers, LMSW, SMSW, CLTS: the checks, and what follows for paging, mode and
 * TLB.
 *
 * Specification: Intel SDM vol. 2B, MOV (control and debug registers), LMSW, SMSW, CLTS; vol. 3A §2.5, §4.1, §9.8.5.
 */
import type { FeatureName } from "../../../spec/cpuid.js";
import {
  ACCESS_L,
  CR0_CD,
  CR0_DEFINED,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR3_PCID,
  CR4_DE,
  CR4_FSGSBASE,
  CR4_MCE,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_OSXSAVE,
  CR4_PAE,
  CR4_PCE,
  CR4_PCIDE,
  CR4_PGE,
  CR4_PSE,
  CR4_SMAP,
  CR4_SMEP,
  CR4_TSD,
  CR4_UMIP,
  DR6_BD,
  DR6_ONES,
  DR6_WRITABLE,
  DR7_GD,
  DR7_ONES,
  DR7_ZEROS,
  EFER_LMA,
  EFER_LME,
  VECTOR_DB,
} from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { refreshMode } from "../mode.js";
import { refreshBreakpoints } from "./breakpoints.js";
import { generalProtection, GuestFault, undefinedOpcode } from "./faults.js";
import { INFO_MEMORY, INFO_SIZE } from "../call-info.js";
import { readRm16, writeOperandMemory } from "./operands.js";
import { CONTINUE, type Helper, openInterruptWindow, requireSupervisor, resolveNext } from "./outcome.js";
import { loadPdptes, usesPdptes } from "./pdptes.js";

const CR8 = 8;
const TASK_PRIORITY_MASK = 0xf;
const CR0_FLUSHING = CR0_PG | CR0_PE | CR0_WP;
const CR4_FLUSHING = CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP;
/** LMSW writes MP, EM and TS, and can set PE. */
const LMSW_BITS = CR0_MP | CR0_EM | CR0_TS;
const NO_FLUSH_HIGH = 0x80000000;

/** What each feature adds to CR4. */
const CR4_OF_FEATURES: readonly (readonly [FeatureName, number])[] = [
  ["tsc", CR4_TSD],
  ["de", CR4_DE],
  ["pse", CR4_PSE],
  ["pae", CR4_PAE],
  ["mce", CR4_MCE],
  ["pge", CR4_PGE],
  ["fxsr", CR4_OSFXSR],
  ["sse", CR4_OSXMMEXCPT],
  ["pcid", CR4_PCIDE],
  ["xsave", CR4_OSXSAVE],
  ["fsgsbase", CR4_FSGSBASE],
  ["smep", CR4_SMEP],
  ["smap", CR4_SMAP],
  ["umip", CR4_UMIP],
];

/** Bits that CR4 may have: those of features that CPUID shows, and PCE, which RDPMC has everywhere. */
export function allowedCr4({ cpuid }: Pick<CpuContext, "cpuid">): number {
  let bits = CR4_PCE;
  for (const [feature, bit] of CR4_OF_FEATURES) if (cpuid.has(feature)) bits |= bit;
  return bits;
}

/** #GP(0) when a page-directory-pointer entry that PAE paging loads has reserved bits set. */
function requirePdptes(cpu: CpuContext, cr3: number): void {
  if (!loadPdptes(cpu, cr3)) generalProtection();
}

/** Checks a change of CR0.PG and returns the EFER that goes with it. */
function pagingEfer(cpu: CpuContext, cr0: number): number {
  const efer = cpu.get32(L.EFER);
  const cr4 = cpu.get32(L.CR4);
  if (cr0 & CR0_PG) {
    if (!(efer & EFER_LME)) return efer;
    if (!(cr4 & CR4_PAE) || cpu.access(L.CS) & ACCESS_L) generalProtection();
    return efer | EFER_LMA;
  }
  if (cr4 & CR4_PCIDE || cpu.code64) generalProtection();
  return efer & ~EFER_LMA;
}

/** Loads CR0, lower half, after all checks. */
function writeCr0(cpu: CpuContext, value: number): void {
  const old = cpu.get32(L.CR0);
  const next = (value & CR0_DEFINED) | CR0_ET;
  if (next & CR0_PG && !(next & CR0_PE)) generalProtection();
  if (next & CR0_NW && !(next & CR0_CD)) generalProtection();
  if ((old ^ next) & CR0_PG) {
    const efer = pagingEfer(cpu, next);
    if (usesPdptes(cpu, next, cpu.get32(L.CR4))) requirePdptes(cpu, cpu.get32(L.CR3));
    cpu.set32(L.EFER, efer);
  }
  cpu.setPair(L.CR0, next, 0);
  if (!(next & CR0_PE)) cpu.set32(L.CPL, 0);
  if ((old ^ next) & CR0_FLUSHING) cpu.tlb.flushAll();
  refreshMode(cpu);
}

/** Loads CR3, after all checks. */
export function loadCr3(cpu: CpuContext, low: number, high: number): void {
  const pcide = (cpu.get32(L.CR4) & CR4_PCIDE) !== 0;
  const kept = pcide ? high & ~NO_FLUSH_HIGH : high;
  if (kept & (cpu.reservedPhysicalHigh | 0xfff00000)) generalProtection();
  if (usesPdptes(cpu, cpu.get32(L.CR0), cpu.get32(L.CR4))) requirePdptes(cpu, low);
  cpu.setPair(L.CR3, low, kept >>> 0);
  // Entries carry no PCID, so that those of the old one must go even when the guest asks to keep the new one's.
  cpu.tlb.flushNonGlobal();
}

function writeCr4(cpu: CpuContext, value: number): void {
  const old = cpu.get32(L.CR4);
  if (value & ~allowedCr4(cpu)) generalProtection();
  const changed = old ^ value;
  if (cpu.longMode && !(value & CR4_PAE)) generalProtection();
  if (changed & value & CR4_PCIDE && (!cpu.longMode || cpu.get32(L.CR3) & CR3_PCID)) generalProtection();
  const paeBits = CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP;
  if (changed & paeBits && usesPdptes(cpu, cpu.get32(L.CR0), value)) requirePdptes(cpu, cpu.get32(L.CR3));
  cpu.setPair(L.CR4, value, 0);
  if (changed & CR4_FLUSHING) cpu.tlb.flushAll();
  if (changed & CR4_DE) refreshBreakpoints(cpu);
  refreshMode(cpu);
}

const CONTROL_OFFSETS: Readonly<Record<number, number>> = { 0: L.CR0, 2: L.CR2, 3: L.CR3, 4: L.CR4 };

function movToControl(cpu: CpuContext, record: number): number {
  const register = cpu.regField(record);
  if (CONTROL_OFFSETS[register] === undefined && register !== CR8) undefinedOpcode();
  requireSupervisor(cpu);
  const source = cpu.rmOffset(record);
  const low = cpu.low(source);
  const high = cpu.code64 ? cpu.upper(source) : 0;
  if (high !== 0 && register !== 2 && register !== 3) generalProtection();
  if (register === 0) writeCr0(cpu, low);
  else if (register === 2) cpu.setPair(L.CR2, low, high);
  else if (register === 3) loadCr3(cpu, low, high);
  else if (register === 4) writeCr4(cpu, low);
  else {
    if (low & ~TASK_PRIORITY_MASK) generalProtection();
    cpu.services.host.writeTaskPriority(cpu.id, low);
    openInterruptWindow(cpu);
  }
  return resolveNext(cpu, record);
}

function movFromControl(cpu: CpuContext, record: number): number {
  const register = cpu.regField(record);
  const offset = CONTROL_OFFSETS[register];
  if (offset === undefined && register !== CR8) undefinedOpcode();
  requireSupervisor(cpu);
  const target = cpu.rmOffset(record);
  if (offset === undefined) cpu.setPair(target, cpu.services.host.readTaskPriority(cpu.id), 0);
  else cpu.setPair(target, cpu.low(offset), cpu.code64 ? cpu.upper(offset) : 0);
  return CONTINUE;
}

/** Number of the debug register that MOV names: 4 and 5 stand for 6 and 7 unless CR4.DE is set. */
function debugRegister(cpu: CpuContext, record: number): number {
  const register = cpu.regField(record);
  const alias = register === 4 || register === 5;
  if (register > 7 || (alias && cpu.get32(L.CR4) & CR4_DE)) undefinedOpcode();
  requireSupervisor(cpu);
  if (cpu.get32(L.DR7) & DR7_GD) {
    cpu.set32(L.DR6, cpu.get32(L.DR6) | DR6_BD);
    throw new GuestFault(VECTOR_DB);
  }
  return alias ? register + 2 : register;
}

function movToDebug(cpu: CpuContext, record: number): number {
  const register = debugRegister(cpu, record);
  const source = cpu.rmOffset(record);
  const low = cpu.low(source);
  const high = cpu.code64 ? cpu.upper(source) : 0;
  const offset = L.DR + register * 8;
  if (register >= 6 && high !== 0) generalProtection();
  if (register === 6) cpu.setPair(offset, ((low & DR6_WRITABLE) | DR6_ONES) >>> 0, 0);
  else if (register === 7) cpu.setPair(offset, ((low & ~DR7_ZEROS) | DR7_ONES) >>> 0, 0);
  else cpu.setPair(offset, low, high);
  refreshBreakpoints(cpu);
  if (cpu.breakpoints.execution.length > 0) cpu.services.requestExit(cpu);
  return resolveNext(cpu, record);
}

function movFromDebug(cpu: CpuContext, record: number): number {
  const offset = L.DR + debugRegister(cpu, record) * 8;
  cpu.setPair(cpu.rmOffset(record), cpu.low(offset), cpu.code64 ? cpu.upper(offset) : 0);
  return CONTINUE;
}

function lmsw(cpu: CpuContext, record: number, info: number): number {
  requireSupervisor(cpu);
  const value = readRm16(cpu, record, info);
  const old = cpu.get32(L.CR0);
  writeCr0(cpu, (old & ~LMSW_BITS) | (value & (LMSW_BITS | CR0_PE)));
  return resolveNext(cpu, record);
}

function smsw(cpu: CpuContext, record: number, info: number): number {
  if (cpu.get32(L.CR4) & CR4_UMIP && cpu.cpl > 0) generalProtection();
  const cr0 = cpu.get32(L.CR0);
  if (info & INFO_MEMORY) writeOperandMemory(cpu, record, 2, cr0);
  else cpu.writeSlot(cpu.rmOffset(record), info & INFO_SIZE, cr0);
  return CONTINUE;
}

function clts(cpu: CpuContext, record: number): number {
  requireSupervisor(cpu);
  cpu.set32(L.CR0, cpu.get32(L.CR0) & ~CR0_TS);
  refreshMode(cpu);
  return resolveNext(cpu, record);
}

export const CONTROL_REGISTERS: Record<string, Helper> = {
  mov_from_cr: movFromControl,
  mov_to_cr: movToControl,
  mov_from_dr: movFromDebug,
  mov_to_dr: movToDebug,
  lmsw,
  smsw,
  clts,
};
