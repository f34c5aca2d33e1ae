/**
 * CPUID, HLT, MONITOR, MWAIT, the TLB and cache instructions, random numbers, STAC, CLAC, UD.
 *
 * Specification: Intel SDM vol. 2, those instructions; vol. 3A §4.10.4 (invalidation).
 */
import { APIC_BASE } from "../../../spec/apic.js";
import { TWO_32 } from "../../../bytes/words.js";
import {
  CR4_OSXSAVE,
  CR4_PCIDE,
  CR3_PCID,
  FLAG_CF,
  FLAGS_STATUS,
  VECTOR_GP,
  VECTOR_SS,
} from "../../../spec/x86-privileged.js";
import {
  LIMITED_CPUID_LEAF,
  MISC_ENABLE_LIMIT_CPUID,
  MISC_ENABLE_MONITOR,
  MSR_IA32_APIC_BASE,
} from "../../../spec/x86-msr.js";
import { FEATURE_BITS, LEAF, LEAF1_EBX, LEAF1_ECX_OSXSAVE } from "../../../spec/cpuid.js";
import { compactedAreaSize, standardAreaSize } from "../../../x86/xsave-layout.js";
import type { CpuidLeaf } from "../../../x86/cpuid.js";
import type { CpuContext } from "../cpu-context.js";
import { writeFlags } from "../flags.js";
import * as L from "../layout.js";
import { dataAccessMode } from "../mode.js";
import * as R from "../record.js";
import { translatePage } from "./translate.js";
import { ACTIVITY_HALTED, ACTIVITY_MONITOR_WAIT } from "../state.js";
import { RAX, RCX, RDX, RBX } from "../layout.js";
import { isCanonical, probe, READ } from "./access.js";
import { executeDisableIsOff } from "./msr-rules.js";
import { generalProtection, undefinedOpcode } from "./faults.js";
import { INFO_SIZE } from "../call-info.js";
import { addressesStack, effectiveAddress, implicitAddress, readOperandMemory } from "./operands.js";
import { CONTINUE, type Helper, requireSupervisor, resolveNext } from "./outcome.js";

/** MWAIT, ECX[0]: interrupts end it even when RFLAGS.IF masks them. */
const MWAIT_BREAK_ON_MASKED = 1;
const INVPCID_ADDRESS = 0;
const INVPCID_SINGLE = 1;
const INVPCID_ALL_GLOBAL = 2;
const INVPCID_ALL = 3;

/** IA32_APIC_BASE.EN is clear: CPUID shows no APIC then (vol. 3A §11.4.3). */
function apicIsOff(cpu: CpuContext): boolean {
  const base = cpu.services.host.readApicMsr(cpu.id, MSR_IA32_APIC_BASE);
  return base !== undefined && !(Number(base & 0xfffn) & APIC_BASE.enable);
}

function cpuidIsLimited(cpu: CpuContext): boolean {
  return (cpu.get32(L.MSR_MISC_ENABLE) & MISC_ENABLE_LIMIT_CPUID) !== 0;
}

/** The row of a leaf; basic leaves above the highest answer as that one does. */
function cpuidRow(cpu: CpuContext, leaf: number): CpuidLeaf {
  const beyond = leaf > LIMITED_CPUID_LEAF && leaf < LEAF.HYPERVISOR && cpuidIsLimited(cpu);
  return cpu.cpuid.lookup(beyond ? LIMITED_CPUID_LEAF : leaf, cpu.get32(RCX));
}

function cpuid(cpu: CpuContext): number {
  const row = cpuidRow(cpu, cpu.get32(RAX) >>> 0);
  let { eax, ebx, ecx, edx } = row;
  if (row.leaf === LEAF.VENDOR && cpuidIsLimited(cpu)) eax = Math.min(eax >>> 0, LIMITED_CPUID_LEAF);
  else if (row.leaf === LEAF.VERSION) {
    ebx = (ebx & 0xffffff) | (cpu.id << LEAF1_EBX.APIC_ID_SHIFT);
    ecx &= ~LEAF1_ECX_OSXSAVE;
    if (cpu.get32(L.CR4) & CR4_OSXSAVE) ecx |= LEAF1_ECX_OSXSAVE;
    if (!(cpu.get32(L.MSR_MISC_ENABLE) & MISC_ENABLE_MONITOR)) ecx &= ~(1 << FEATURE_BITS.monitor.bit);
    if (apicIsOff(cpu)) edx &= ~(1 << FEATURE_BITS.apic.bit);
  } else if (row.leaf === LEAF.EXTENDED_FEATURES && executeDisableIsOff(cpu)) {
    edx &= ~(1 << FEATURE_BITS.nx.bit);
  } else if (row.leaf === LEAF.TOPOLOGY || row.leaf === LEAF.TOPOLOGY_V2) {
    edx = cpu.id;
  } else if (row.leaf === LEAF.EXTENDED_STATE && row.subleaf === 0) {
    ebx = standardAreaSize(cpu.get32(L.XCR0));
  } else if (row.leaf === LEAF.EXTENDED_STATE && row.subleaf === 1 && cpu.cpuid.has("xsavec")) {
    ebx = compactedAreaSize(cpu.get32(L.XCR0));
  }
  cpu.setPair(RAX, eax, 0);
  cpu.setPair(RBX, ebx, 0);
  cpu.setPair(RCX, ecx, 0);
  cpu.setPair(RDX, edx, 0);
  return CONTINUE;
}

function hlt(cpu: CpuContext, record: number): number {
  requireSupervisor(cpu);
  cpu.set32(L.ACTIVITY, ACTIVITY_HALTED);
  cpu.services.requestExit(cpu);
  return resolveNext(cpu, record);
}

/** The last PAUSE that is allowed ends the run. */
function pause(cpu: CpuContext): number {
  cpu.set32(L.PAUSES_LEFT, 0);
  cpu.services.pausesSpent(cpu);
  return CONTINUE;
}

/** MONITOR and MWAIT are undefined at other levels than 0, and where IA32_MISC_ENABLE switches them off. */
function requireMonitor(cpu: CpuContext): void {
  if (cpu.cpl > 0 || !(cpu.get32(L.MSR_MISC_ENABLE) & MISC_ENABLE_MONITOR)) undefinedOpcode();
}

/** #GP(0) unless RCX, as wide as the mode has it, holds only bits of `allowed`. */
function requireExtensions(cpu: CpuContext, allowed: number): void {
  if (cpu.get32(RCX) & ~allowed || (cpu.code64 && cpu.upper(RCX) !== 0)) generalProtection();
}

/** RAM offset of the byte at a linear address, as a load of it would find it; -1 where a device is, which is not read. */
function loadedRam(cpu: CpuContext, linear: number, vector: number): number {
  const mode = dataAccessMode(cpu, cpu.cpl);
  probe(cpu, linear, 1, READ, mode, vector);
  const page = translatePage(cpu, Math.floor(linear / L.PAGE_SIZE), linear, false, mode);
  return cpu.services.ramOffsetOf(page * L.PAGE_SIZE + (linear & (L.PAGE_SIZE - 1)));
}

/** MONITOR: no extensions are defined, hints in EDX say nothing. Only RAM can be watched. */
function monitor(cpu: CpuContext, record: number): number {
  requireMonitor(cpu);
  requireExtensions(cpu, 0);
  const stack = cpu.u8[record + R.REC_SEGMENT] >>> 3 === L.SS;
  const linear = implicitAddress(cpu, record, cpu.getAddress(RAX), 1);
  const ramOffset = loadedRam(cpu, linear, stack ? VECTOR_SS : VECTOR_GP);
  if (ramOffset >= 0) cpu.services.monitor.arm(cpu, ramOffset);
  else cpu.services.monitor.disarm(cpu);
  return CONTINUE;
}

/** MWAIT waits unless the line was written since MONITOR. The run loop ends it for interrupts. */
function mwait(cpu: CpuContext, record: number): number {
  requireMonitor(cpu);
  requireExtensions(cpu, MWAIT_BREAK_ON_MASKED);
  if (cpu.services.monitor.isArmed(cpu)) {
    cpu.wakesOnMasked = (cpu.get32(RCX) & MWAIT_BREAK_ON_MASKED) !== 0;
    cpu.set32(L.ACTIVITY, ACTIVITY_MONITOR_WAIT);
    cpu.services.requestExit(cpu);
  }
  return resolveNext(cpu, record);
}

/** CLFLUSH and its kin: memory is coherent, but the address must be one that could be read. */
function clflush(cpu: CpuContext, record: number): number {
  loadedRam(
    cpu,
    effectiveAddress(cpu, record, 1, false),
    addressesStack(cpu, record) ? VECTOR_SS : VECTOR_GP,
  );
  return CONTINUE;
}

function invalidatePage(cpu: CpuContext, linear: number): void {
  if (isCanonical(linear)) cpu.tlb.flushPage(Math.floor(linear / L.PAGE_SIZE));
}

function invlpg(cpu: CpuContext, record: number): number {
  requireSupervisor(cpu);
  invalidatePage(cpu, effectiveAddress(cpu, record, 1, false));
  return resolveNext(cpu, record);
}

function invpcid(cpu: CpuContext, record: number): number {
  requireSupervisor(cpu);
  const typeRegister = L.GPR + cpu.regField(record) * 8;
  const type = cpu.get32(typeRegister);
  const pcidLow = readOperandMemory(cpu, record, 8);
  const pcidHigh = cpu.high;
  const low = readOperandMemory(cpu, record, 8, 8);
  const linear = (cpu.high | 0) * TWO_32 + low;
  if (type > INVPCID_ALL || (cpu.code64 && cpu.upper(typeRegister) !== 0)) generalProtection();
  const pcide = (cpu.get32(L.CR4) & CR4_PCIDE) !== 0;
  if (type <= INVPCID_SINGLE) {
    if (pcidLow & ~CR3_PCID || pcidHigh !== 0 || (!pcide && pcidLow !== 0)) generalProtection();
    if (type === INVPCID_ADDRESS && !isCanonical(linear)) generalProtection();
  }
  // Entries of PCIDs other than the current one are never kept.
  const current = pcide ? cpu.get32(L.CR3) & CR3_PCID : 0;
  if (type === INVPCID_ALL_GLOBAL) cpu.tlb.flushAll();
  else if (type === INVPCID_ALL || (type === INVPCID_SINGLE && pcidLow === current)) cpu.tlb.flushNonGlobal();
  else if (type === INVPCID_ADDRESS && pcidLow === current) invalidatePage(cpu, linear);
  return resolveNext(cpu, record);
}

/** WBINVD and INVD: memory is always coherent. */
function cacheControl(cpu: CpuContext, record: number): number {
  requireSupervisor(cpu);
  return resolveNext(cpu, record);
}

/** RDRAND and RDSEED: always succeed, with CF set and the other status flags clear. */
function random(cpu: CpuContext, record: number, info: number): number {
  const size = info & INFO_SIZE;
  const low = cpu.services.random32();
  const high = size === 8 ? cpu.services.random32() : 0;
  cpu.writeSlot(cpu.rmOffset(record), size, low, high);
  writeFlags(cpu, FLAG_CF, FLAGS_STATUS);
  return CONTINUE;
}

export const PROCESSOR_CONTROL: Record<string, Helper> = {
  cpuid,
  hlt,
  pause,
  monitor,
  mwait,
  clflush,
  invlpg,
  invpcid,
  invd: cacheControl,
  wbinvd: cacheControl,
  rdrand: random,
  rdseed: random,
  ud: () => undefinedOpcode(),
};
