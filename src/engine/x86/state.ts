/**
 * The architectural state of a CPU as plain data, out of and into shared memory, and the states that INIT and a
 * start-up IPI leave. Knows no instruction.
 *
 * Specification: Intel SDM vol. 3A §9.1.1 (table 9-1), §8.4.4.
 */
import { DEBUG_REGISTERS, GENERAL_REGISTERS } from "../../spec/x86-encoding.js";
import { CPU_SIGNATURE } from "../../x86/cpu-identity.js";
import {
  SEGMENT_NAMES,
  type CpuState,
  type MonitoredLine,
  type SegmentRegister,
} from "../../x86/cpu-state.js";
import { applicationProcessorState } from "../../x86/entry-states.js";
import {
  CR0_CD,
  CR0_NW,
  DR6_BREAKPOINTS,
  FLAG_VM,
  FLAGS_STATUS,
  FLAGS_SYSTEM,
} from "../../spec/x86-privileged.js";
import type { CpuContext } from "./cpu-context.js";
import { readFlags, writeFlags } from "./flags.js";
import * as L from "./layout.js";
import { refreshMode } from "./mode.js";
import { refreshBreakpoints } from "./system/breakpoints.js";
import { loadPdptes, readPdptes, usesPdptes, writePdptes } from "./system/pdptes.js";
import { dplOf } from "./system/segments.js";
import { readStoredMsrs, resetMsrs, writeStoredMsr } from "./system/msr-storage.js";
import {
  readFxsaveImage,
  readX87Selectors,
  readYmmUpper,
  resetExtendedState,
  writeFxsaveImage,
  writeX87Selectors,
  writeYmmUpper,
} from "./system/extended-state.js";

const ALL_FLAGS = FLAGS_STATUS | FLAGS_SYSTEM;
export const ACTIVITY_RUNNING = 0;
export const ACTIVITY_HALTED = 1;
export const ACTIVITY_WAIT_FOR_SIPI = 2;
/** In MWAIT. */
export const ACTIVITY_MONITOR_WAIT = 3;
const XCR0_RESET = 1n;
/** A start-up IPI's vector is the number of the 4 KiB page that holds the first instruction. */
const SIPI_SELECTOR_SHIFT = 8;

function readSegment(cpu: CpuContext, segment: number): SegmentRegister {
  return {
    selector: cpu.selector(segment),
    base: cpu.getBig(cpu.baseOffset(segment)),
    limit: cpu.limit(segment),
    access: cpu.access(segment),
  };
}

function writeSegment(cpu: CpuContext, segment: number, value: SegmentRegister): void {
  cpu.set32(L.SEGMENT_SELECTOR + segment * 4, value.selector);
  cpu.setBig(cpu.baseOffset(segment), value.base);
  cpu.set32(L.SEGMENT_LIMIT + segment * 4, value.limit);
  cpu.set32(L.SEGMENT_ACCESS + segment * 4, value.access);
}

function readMonitor(cpu: CpuContext): MonitoredLine | undefined {
  const address = cpu.services.monitor.armedAt(cpu);
  if (address < 0) return undefined;
  const waiting = cpu.get32(L.ACTIVITY) === ACTIVITY_MONITOR_WAIT;
  return { address, waiting, wakesOnMasked: waiting && cpu.wakesOnMasked };
}

function writeMonitor(cpu: CpuContext, line: MonitoredLine | undefined): void {
  const { monitor } = cpu.services;
  monitor.disarm(cpu);
  const ramOffset = line === undefined ? -1 : cpu.services.ramOffsetOf(line.address);
  if (line === undefined || ramOffset < 0) return;
  monitor.arm(cpu, ramOffset);
  cpu.wakesOnMasked = line.wakesOnMasked;
}

/** What the CPU keeps besides its registers, as far as it is not what reset leaves. */
function readHidden(cpu: CpuContext): Partial<CpuState> {
  const shadow = cpu.get32(L.INTERRUPT_SHADOW);
  const monitor = readMonitor(cpu);
  const x87Selectors = readX87Selectors(cpu);
  const ymmUpper = readYmmUpper(cpu);
  return {
    ...(x87Selectors && { x87Selectors }),
    ...(ymmUpper && { ymmUpper }),
    ...(usesPdptes(cpu, cpu.get32(L.CR0), cpu.get32(L.CR4)) && { pdptes: readPdptes(cpu) }),
    ...(cpu.get32(L.NMI_BLOCKED) !== 0 && { nmiBlocked: true }),
    ...(shadow !== 0 && { interruptShadow: cpu.debugShadow === shadow ? "ss" : "sti" }),
    ...(cpu.pendingDebug !== 0 && { pendingDebug: cpu.pendingDebug }),
    ...(monitor && { monitor }),
  };
}

/** After CR0, CR3, CR4, EFER and the extended state. */
function writeHidden(cpu: CpuContext, state: CpuState): void {
  if (state.x87Selectors) writeX87Selectors(cpu, state.x87Selectors);
  if (state.ymmUpper) writeYmmUpper(cpu, state.ymmUpper);
  if (usesPdptes(cpu, cpu.get32(L.CR0), cpu.get32(L.CR4))) {
    if (state.pdptes) writePdptes(cpu, state.pdptes);
    else loadPdptes(cpu, cpu.get32(L.CR3));
  }
  cpu.set32(L.NMI_BLOCKED, state.nmiBlocked ? 1 : 0);
  // Between slices any value but 0 is a shadow, and one of both fields that of a load of SS.
  cpu.set32(L.INTERRUPT_SHADOW, state.interruptShadow === undefined ? 0 : 1);
  cpu.debugShadow = state.interruptShadow === "ss" ? 1 : 0;
  cpu.pendingDebug = (state.pendingDebug ?? 0) & DR6_BREAKPOINTS;
  writeMonitor(cpu, state.monitor);
}

/** Copies the architectural state out. */
export function readState(cpu: CpuContext): CpuState {
  const gpr: bigint[] = [];
  for (let i = 0; i < GENERAL_REGISTERS; i++) gpr.push(cpu.getBig(L.GPR + i * 8));
  const dr: bigint[] = [];
  for (let i = 0; i < DEBUG_REGISTERS; i++) dr.push(cpu.getBig(L.DR + i * 8));
  const segments = SEGMENT_NAMES.map((_name, index) => readSegment(cpu, index));
  return {
    gpr,
    rip: cpu.getBig(L.RIP),
    rflags: BigInt(readFlags(cpu) >>> 0),
    es: segments[L.ES],
    cs: segments[L.CS],
    ss: segments[L.SS],
    ds: segments[L.DS],
    fs: segments[L.FS],
    gs: segments[L.GS],
    ldtr: readSegment(cpu, L.LDTR),
    tr: readSegment(cpu, L.TR),
    gdtr: { base: cpu.getBig(L.GDTR_BASE), limit: cpu.get32(L.GDTR_LIMIT) },
    idtr: { base: cpu.getBig(L.IDTR_BASE), limit: cpu.get32(L.IDTR_LIMIT) },
    cr0: cpu.getBig(L.CR0),
    cr2: cpu.getBig(L.CR2),
    cr3: cpu.getBig(L.CR3),
    cr4: cpu.getBig(L.CR4),
    efer: cpu.getBig(L.EFER),
    dr,
    msrs: readStoredMsrs(cpu),
    ...(cpu.getBig(L.XCR0) !== XCR0_RESET && { xcr0: cpu.getBig(L.XCR0) }),
    fxsave: readFxsaveImage(cpu),
    halted: cpu.get32(L.ACTIVITY) === ACTIVITY_HALTED,
    waitForSipi: cpu.get32(L.ACTIVITY) === ACTIVITY_WAIT_FOR_SIPI,
    ...readHidden(cpu),
  };
}

function activityOf(state: CpuState): number {
  if (state.waitForSipi) return ACTIVITY_WAIT_FOR_SIPI;
  if (state.halted) return ACTIVITY_HALTED;
  return state.monitor?.waiting ? ACTIVITY_MONITOR_WAIT : ACTIVITY_RUNNING;
}

/** Whether the state is in virtual-8086 mode; RFLAGS.VM means nothing in real and IA-32e mode. */
function isVirtual8086(cpu: CpuContext, state: CpuState): boolean {
  return (Number(state.rflags & 0xffffffffn) & FLAG_VM) !== 0 && cpu.protectedMode && !cpu.longMode;
}

/** Replaces the architectural state; TLBs are emptied. The privilege level is SS.DPL, 3 in virtual-8086 mode. */
export function writeState(cpu: CpuContext, state: CpuState): void {
  state.gpr.forEach((value, i) => cpu.setBig(L.GPR + i * 8, value));
  cpu.setPair(L.ZERO_SLOT, 0, 0);
  cpu.setPair(L.ONE_SLOT, 1, 0);
  cpu.setBig(L.RIP, state.rip);
  SEGMENT_NAMES.forEach((name, index) => writeSegment(cpu, index, state[name]));
  cpu.setPair(L.SEGMENT_BASE + L.SEGMENT_NONE * 8, 0, 0);
  writeSegment(cpu, L.LDTR, state.ldtr);
  writeSegment(cpu, L.TR, state.tr);
  cpu.setBig(L.GDTR_BASE, state.gdtr.base);
  cpu.set32(L.GDTR_LIMIT, state.gdtr.limit);
  cpu.setBig(L.IDTR_BASE, state.idtr.base);
  cpu.set32(L.IDTR_LIMIT, state.idtr.limit);
  cpu.setBig(L.CR0, state.cr0);
  cpu.setBig(L.CR2, state.cr2);
  cpu.setBig(L.CR3, state.cr3);
  cpu.setBig(L.CR4, state.cr4);
  cpu.setBig(L.EFER, state.efer);
  state.dr.forEach((value, i) => cpu.setBig(L.DR + i * 8, value));
  resetMsrs(cpu);
  for (const [index, value] of Object.entries(state.msrs)) writeStoredMsr(cpu, Number(index), value);
  resetExtendedState(cpu);
  if (state.xcr0 !== undefined) cpu.setBig(L.XCR0, state.xcr0);
  if (state.fxsave) writeFxsaveImage(cpu, state.fxsave);
  cpu.set32(L.ACTIVITY, activityOf(state));
  writeHidden(cpu, state);
  const virtual = isVirtual8086(cpu, state);
  cpu.set32(L.CPL, cpu.protectedMode ? (virtual ? 3 : dplOf(state.ss.access)) : 0);
  cpu.tlb.flushAll();
  refreshBreakpoints(cpu);
  const flags = Number(state.rflags & 0xffffffffn);
  writeFlags(cpu, virtual ? flags : flags & ~FLAG_VM, ALL_FLAGS);
  refreshMode(cpu);
}

/** INIT: waits for a start-up IPI; x87, SSE, TSC and most MSRs keep their contents. */
export function initState(cpu: CpuContext): void {
  const old = readState(cpu);
  const signature = cpu.cpuid.lookup(1, 0).eax || CPU_SIGNATURE;
  const state = applicationProcessorState(signature >>> 0);
  const cacheBits = old.cr0 & BigInt(CR0_CD | CR0_NW);
  const cr0 = (state.cr0 & ~BigInt(CR0_CD | CR0_NW)) | cacheBits;
  const { fxsave, x87Selectors, ymmUpper, xcr0, msrs } = old;
  writeState(cpu, {
    ...state,
    cr0,
    msrs,
    ...(fxsave && { fxsave }),
    ...(x87Selectors && { x87Selectors }),
    ...(ymmUpper && { ymmUpper }),
    ...(xcr0 !== undefined && { xcr0 }),
  });
}

/** Start-up IPI: real mode at `vector` × 4096. Returns false (and does nothing) unless the CPU waits for it. */
export function startupState(cpu: CpuContext, vector: number): boolean {
  if (cpu.get32(L.ACTIVITY) !== ACTIVITY_WAIT_FOR_SIPI) return false;
  cpu.setSegment(
    L.CS,
    vector << SIPI_SELECTOR_SHIFT,
    vector * L.PAGE_SIZE,
    cpu.limit(L.CS),
    cpu.access(L.CS),
  );
  cpu.setPair(L.RIP, 0, 0);
  cpu.set32(L.ACTIVITY, ACTIVITY_RUNNING);
  refreshMode(cpu);
  return true;
}
