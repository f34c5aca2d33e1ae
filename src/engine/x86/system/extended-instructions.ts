/**
 * FXSAVE, FXRSTOR, XSAVE and its variants, XRSTOR, XGETBV, XSETBV, LDMXCSR, STMXCSR: x87 and SSE state as a whole.
 *
 * Specification: Intel SDM vol. 2, those instructions; vol. 1 §13.4 (area), §13.7–13.10 (operation).
 */
import {
  CR0_EM,
  CR0_TS,
  CR4_OSFXSR,
  CR4_OSXSAVE,
  MXCSR_MASK,
  MXCSR_RESET,
  VECTOR_NM,
  XSTATE_SSE,
  XSTATE_X87,
} from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { RAX, RCX, RDX } from "../layout.js";
import { dataAccessMode } from "../mode.js";
import { probe, readBytes, WRITE, writeBytes } from "./access.js";
import * as X from "./extended-state.js";
import { generalProtection, GuestFault, undefinedOpcode } from "./faults.js";
import { INFO_SIZE } from "../call-info.js";
import { effectiveAddress, readOperandMemory, writeOperandMemory } from "./operands.js";
import { CONTINUE, type Helper, requireSupervisor, requireTaskClean, resolveNext } from "./outcome.js";

const FXSAVE_ALIGNMENT = 16;
const XSAVE_ALIGNMENT = 64;
const IMPLEMENTED = XSTATE_X87 | XSTATE_SSE;
/** Ends of the legacy region's parts, bytes: x87 with MXCSR, then XMM. */
const XMM_START = 160;
const XMM_SIZE = 16;
const POINTERS_END = 24;
const ST_START = 32;
// Words of the XSAVE header.
const HEADER_BV = 128;
const HEADER_COMPACT = 130;
const HEADER_END = 144;
const COMPACTED = 0x80000000 | 0;

/** XMM registers that the current mode has. */
function xmmCount(cpu: CpuContext): number {
  return cpu.code64 ? 16 : 8;
}

function isWide(info: number): boolean {
  return (info & INFO_SIZE) === 8;
}

/** Linear address of the area, aligned or #GP(0). */
function areaAddress(cpu: CpuContext, record: number, size: number, write: boolean): number {
  const alignment = size === X.LEGACY_SIZE ? FXSAVE_ALIGNMENT : XSAVE_ALIGNMENT;
  const linear = effectiveAddress(cpu, record, size, write);
  if ((linear & (alignment - 1)) !== 0) generalProtection();
  return linear;
}

function accessMode(cpu: CpuContext): number {
  return dataAccessMode(cpu, cpu.cpl);
}

function requireFxsave(cpu: CpuContext): void {
  if (cpu.get32(L.CR0) & (CR0_EM | CR0_TS)) throw new GuestFault(VECTOR_NM);
}

function fxsave(cpu: CpuContext, record: number, info: number): number {
  requireFxsave(cpu);
  const linear = areaAddress(cpu, record, X.LEGACY_SIZE, true);
  probe(cpu, linear, X.LEGACY_SIZE, WRITE, accessMode(cpu));
  X.stageX87(cpu, isWide(info));
  X.stageMxcsr(cpu);
  const count = xmmCount(cpu);
  X.stageXmm(cpu, count);
  writeBytes(cpu, linear, X.staging.subarray(0, XMM_START + count * XMM_SIZE), accessMode(cpu));
  return CONTINUE;
}

function fxrstor(cpu: CpuContext, record: number, info: number): number {
  requireFxsave(cpu);
  const linear = areaAddress(cpu, record, X.LEGACY_SIZE, false);
  readBytes(cpu, linear, X.staging.subarray(0, X.LEGACY_SIZE), accessMode(cpu));
  const mxcsr = X.stagedMxcsr();
  if (mxcsr & ~MXCSR_MASK) generalProtection();
  X.unstageX87(cpu, isWide(info));
  cpu.set32(L.MXCSR, mxcsr);
  X.unstageXmm(cpu, xmmCount(cpu));
  return CONTINUE;
}

/** Requested-feature bitmap: what EDX:EAX and XCR0 both name. */
function requestedFeatures(cpu: CpuContext): number {
  if (!(cpu.get32(L.CR4) & CR4_OSXSAVE)) undefinedOpcode();
  requireTaskClean(cpu);
  return cpu.get32(RAX) & cpu.get32(L.XCR0);
}

/** Components to be marked in XSTATE_BV: in use, or MXCSR not as after reset. */
function inUse(cpu: CpuContext): number {
  const mxcsr = cpu.get32(L.MXCSR) === MXCSR_RESET ? 0 : XSTATE_SSE;
  return X.statesInUse(cpu) | mxcsr;
}

/** Writes the parts of the legacy region that belong to the components in `features`; all pages were probed. */
function writeLegacy(cpu: CpuContext, linear: number, features: number, wide: boolean): void {
  const mode = accessMode(cpu);
  if (features & XSTATE_X87) {
    X.stageX87(cpu, wide);
    writeBytes(cpu, linear, X.staging.subarray(0, POINTERS_END), mode);
    writeBytes(cpu, linear + ST_START, X.staging.subarray(ST_START, XMM_START), mode);
  }
  if (features & XSTATE_SSE) {
    const end = XMM_START + xmmCount(cpu) * XMM_SIZE;
    X.stageMxcsr(cpu);
    X.stageXmm(cpu, xmmCount(cpu));
    writeBytes(cpu, linear + POINTERS_END, X.staging.subarray(POINTERS_END, ST_START), mode);
    writeBytes(cpu, linear + XMM_START, X.staging.subarray(XMM_START, end), mode);
  }
}

/** XSAVE writes every requested component, XSAVEOPT only those in use; both update XSTATE_BV alone. */
function xsaveStandard(optimised: boolean): Helper {
  return (cpu, record, info) => {
    const requested = requestedFeatures(cpu);
    const linear = areaAddress(cpu, record, X.XSAVE_SIZE, true);
    const mode = accessMode(cpu);
    probe(cpu, linear, X.XSAVE_SIZE, WRITE, mode);
    const header = X.staging.subarray(X.LEGACY_SIZE, X.LEGACY_SIZE + 8);
    readBytes(cpu, linear + X.LEGACY_SIZE, header, mode);
    const used = inUse(cpu);
    X.stagingWords[HEADER_BV] = (X.stagingWords[HEADER_BV] & ~requested) | (used & requested);
    writeBytes(cpu, linear + X.LEGACY_SIZE, header, mode);
    writeLegacy(cpu, linear, optimised ? requested & used : requested, isWide(info));
    return CONTINUE;
  };
}

function xsavec(cpu: CpuContext, record: number, info: number): number {
  const requested = requestedFeatures(cpu);
  const linear = areaAddress(cpu, record, X.XSAVE_SIZE, true);
  const mode = accessMode(cpu);
  probe(cpu, linear, X.XSAVE_SIZE, WRITE, mode);
  const used = inUse(cpu) & requested;
  X.stagingWords.fill(0, HEADER_BV, HEADER_END);
  X.stagingWords[HEADER_BV] = used;
  X.stagingWords[HEADER_COMPACT] = requested;
  X.stagingWords[HEADER_COMPACT + 1] = COMPACTED;
  writeBytes(cpu, linear + X.LEGACY_SIZE, X.staging.subarray(X.LEGACY_SIZE, X.LEGACY_SIZE + 16), mode);
  writeLegacy(cpu, linear, used, isWide(info));
  return CONTINUE;
}

/** #GP(0) when the staged XSAVE header is not one that XRSTOR takes. Returns whether it is compacted. */
function checkHeader(cpu: CpuContext): boolean {
  const words = X.stagingWords;
  const compacted = words[HEADER_COMPACT + 1] === COMPACTED;
  const allowed = compacted ? words[HEADER_COMPACT] : cpu.get32(L.XCR0);
  if (words[HEADER_BV] & ~allowed || words[HEADER_BV + 1] !== 0) generalProtection();
  if (compacted && words[HEADER_COMPACT] & ~cpu.get32(L.XCR0)) generalProtection();
  if (!compacted && (words[HEADER_COMPACT] !== 0 || words[HEADER_COMPACT + 1] !== 0)) generalProtection();
  const reservedEnd = compacted ? HEADER_END : HEADER_COMPACT + 4;
  for (let word = HEADER_COMPACT + 2; word < reservedEnd; word++) if (words[word] !== 0) generalProtection();
  return compacted;
}

function xrstor(cpu: CpuContext, record: number, info: number): number {
  const requested = requestedFeatures(cpu);
  const linear = areaAddress(cpu, record, X.XSAVE_SIZE, false);
  readBytes(cpu, linear, X.staging, accessMode(cpu));
  const compacted = checkHeader(cpu);
  const present = X.stagingWords[HEADER_BV];
  const loadsMxcsr = (requested & XSTATE_SSE) !== 0 && (!compacted || (present & XSTATE_SSE) !== 0);
  const mxcsr = loadsMxcsr ? X.stagedMxcsr() : MXCSR_RESET;
  if (mxcsr & ~MXCSR_MASK) generalProtection();
  if (requested & XSTATE_SSE) {
    cpu.set32(L.MXCSR, mxcsr);
    if (present & XSTATE_SSE) X.unstageXmm(cpu, xmmCount(cpu));
    else X.initialiseXmm(cpu, xmmCount(cpu));
  }
  if (requested & XSTATE_X87) {
    if (present & XSTATE_X87) X.unstageX87(cpu, isWide(info));
    else X.initialiseX87(cpu);
  }
  return CONTINUE;
}

function requireXsave(cpu: CpuContext): void {
  if (!(cpu.get32(L.CR4) & CR4_OSXSAVE)) undefinedOpcode();
}

function xgetbv(cpu: CpuContext): number {
  requireXsave(cpu);
  if (cpu.get32(RCX) !== 0) generalProtection();
  cpu.setPair(RAX, cpu.low(L.XCR0), 0);
  cpu.setPair(RDX, cpu.upper(L.XCR0), 0);
  return CONTINUE;
}

function xsetbv(cpu: CpuContext, record: number): number {
  requireXsave(cpu);
  requireSupervisor(cpu);
  const value = cpu.get32(RAX);
  const supported = cpu.cpuid.xstateMask & IMPLEMENTED;
  if (cpu.get32(RCX) !== 0 || cpu.get32(RDX) !== 0) generalProtection();
  if (!(value & XSTATE_X87) || value & ~supported) generalProtection();
  cpu.setPair(L.XCR0, value, 0);
  return resolveNext(cpu, record);
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

export const EXTENDED_STATE: Record<string, Helper> = {
  fxsave,
  fxrstor,
  xsave: xsaveStandard(false),
  xsaveopt: xsaveStandard(true),
  xsavec,
  xrstor,
  xgetbv,
  xsetbv,
  ldmxcsr,
  stmxcsr,
};
