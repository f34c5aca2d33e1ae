/**
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT: entering and leaving the kernel without descriptor tables. Generated code does
 * the plain cases of SYSCALL and SYSRET itself (semantics/fast-calls.ts).
 *
 * Specification: Intel SDM vol. 2B, SYSCALL, SYSRET, SYSENTER, SYSEXIT; vol. 3A §5.8.7, §5.8.8.
 */
import {
  EFER_SCE,
  FLAG_IF,
  FLAG_RF,
  FLAG_TF,
  FLAG_VM,
  FLAT_LIMIT,
  USER_LEVEL,
} from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import {
  CODE32_KERNEL,
  CODE32_USER,
  CODE64_KERNEL,
  CODE64_USER,
  DATA_KERNEL,
  DATA_USER,
  NO_RPL,
  STACK_AFTER_CODE,
  SYSRET_CS64,
  SYSRET_FLAGS,
} from "../fast-call-numbers.js";
import { readFlags, writeFlags } from "../flags.js";
import * as L from "../layout.js";
import { RCX, RDX, RSP } from "../layout.js";
import { refreshMode } from "../mode.js";
import { isCanonical } from "./access.js";
import { generalProtection, undefinedOpcode } from "./faults.js";
import { INFO_SIZE } from "../call-info.js";
import { type Helper, openInterruptWindow, requireSupervisor, RESOLVE, setPrivilege64 } from "./outcome.js";

const R11 = L.GPR + 11 * 8;
/** Distances from IA32_SYSENTER_CS. */
const SYSEXIT_CS32 = 16;
const SYSEXIT_CS64 = 32;

function loadFlat(cpu: CpuContext, segment: number, selector: number, access: number): void {
  cpu.setSegment(segment, selector & 0xffff, 0, FLAT_LIMIT, access);
}

/** Single steps of SYSCALL and SYSRET go by the TF they leave, so that a kernel that masks TF is never stepped. */
function stepByNewFlags(cpu: CpuContext, before: number): void {
  const after = cpu.get32(L.FLAG_SYSTEM);
  if (!((before | after) & FLAG_TF)) return;
  cpu.stepAfter = (after & FLAG_TF) !== 0;
  cpu.services.requestExit(cpu);
}

function syscall(cpu: CpuContext, record: number): number {
  if (!(cpu.get32(L.EFER) & EFER_SCE)) undefinedOpcode();
  const before = cpu.get32(L.FLAG_SYSTEM);
  cpu.setAddress(RCX, cpu.nextRip(record));
  cpu.setPair(R11, (readFlags(cpu) & ~FLAG_RF) >>> 0, 0);
  cpu.setPair(L.RIP, cpu.low(L.MSR_LSTAR), cpu.upper(L.MSR_LSTAR));
  writeFlags(cpu, 0, cpu.get32(L.MSR_FMASK) | FLAG_RF);
  const selector = cpu.upper(L.MSR_STAR) & NO_RPL;
  loadFlat(cpu, L.CS, selector, CODE64_KERNEL);
  loadFlat(cpu, L.SS, selector + STACK_AFTER_CODE, DATA_KERNEL);
  setPrivilege64(cpu, 0);
  stepByNewFlags(cpu, before);
  return RESOLVE;
}

function sysret(cpu: CpuContext, _record: number, info: number): number {
  if (!(cpu.get32(L.EFER) & EFER_SCE)) undefinedOpcode();
  requireSupervisor(cpu);
  const to64 = (info & INFO_SIZE) === 8;
  if (to64 && !isCanonical(cpu.getAddress(RCX))) generalProtection();
  const selector = cpu.upper(L.MSR_STAR) >>> 16;
  const before = cpu.get32(L.FLAG_SYSTEM);
  cpu.setPair(L.RIP, cpu.low(RCX), to64 ? cpu.upper(RCX) : 0);
  writeFlags(cpu, cpu.low(R11), SYSRET_FLAGS);
  const code = to64 ? selector + SYSRET_CS64 : selector;
  loadFlat(cpu, L.CS, code | USER_LEVEL, to64 ? CODE64_USER : CODE32_USER);
  loadFlat(cpu, L.SS, (selector + STACK_AFTER_CODE) | USER_LEVEL, DATA_USER);
  setPrivilege64(cpu, USER_LEVEL);
  if (!to64) refreshMode(cpu);
  openInterruptWindow(cpu);
  stepByNewFlags(cpu, before);
  return RESOLVE;
}

/** IA32_SYSENTER_CS without RPL; #GP(0) when it is null or the CPU is in real mode. */
function sysenterSelector(cpu: CpuContext): number {
  const selector = cpu.get32(L.MSR_SYSENTER_CS) & NO_RPL;
  if (!cpu.protectedMode || selector === 0) generalProtection();
  return selector;
}

function sysenter(cpu: CpuContext): number {
  const selector = sysenterSelector(cpu);
  const { longMode } = cpu;
  writeFlags(cpu, 0, FLAG_VM | FLAG_IF | FLAG_RF);
  cpu.setPair(RSP, cpu.low(L.MSR_SYSENTER_ESP), longMode ? cpu.upper(L.MSR_SYSENTER_ESP) : 0);
  cpu.setPair(L.RIP, cpu.low(L.MSR_SYSENTER_EIP), longMode ? cpu.upper(L.MSR_SYSENTER_EIP) : 0);
  loadFlat(cpu, L.CS, selector, longMode ? CODE64_KERNEL : CODE32_KERNEL);
  loadFlat(cpu, L.SS, selector + STACK_AFTER_CODE, DATA_KERNEL);
  cpu.set32(L.CPL, 0);
  refreshMode(cpu);
  return RESOLVE;
}

function sysexit(cpu: CpuContext, _record: number, info: number): number {
  const selector = sysenterSelector(cpu);
  requireSupervisor(cpu);
  const to64 = (info & INFO_SIZE) === 8;
  if (to64 && !(isCanonical(cpu.getAddress(RCX)) && isCanonical(cpu.getAddress(RDX)))) generalProtection();
  cpu.setPair(RSP, cpu.low(RCX), to64 ? cpu.upper(RCX) : 0);
  cpu.setPair(L.RIP, cpu.low(RDX), to64 ? cpu.upper(RDX) : 0);
  const code = selector + (to64 ? SYSEXIT_CS64 : SYSEXIT_CS32);
  loadFlat(cpu, L.CS, code | USER_LEVEL, to64 ? CODE64_USER : CODE32_USER);
  loadFlat(cpu, L.SS, (code + STACK_AFTER_CODE) | USER_LEVEL, DATA_USER);
  cpu.set32(L.CPL, USER_LEVEL);
  refreshMode(cpu);
  openInterruptWindow(cpu);
  return RESOLVE;
}

export const FAST_CALLS: Record<string, Helper> = { syscall, sysret, sysenter, sysexit };
