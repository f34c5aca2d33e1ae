/**
 * Hardware breakpoints: which addresses DR0–DR3 watch under DR7, and what happens when one is reached. Pages with
 * watched data get no fast TLB tags, so that every access to them passes `noteDataAccess`; while an instruction is
 * watched, the run loop asks before each one; ports are watched while CR4.DE is set. Knows no instruction.
 *
 * ```
 *  DR7  31..30  29..28   …  19..18  17..16       7  6   …   1  0
 *      ┌──────┬───────┬───┬───────┬───────┬───┬────┬────┬───┬────┬────┐
 *      │ LEN3 │ R/W3  │ … │ LEN0  │ R/W0  │   │ G3 │ L3 │ … │ G0 │ L0 │
 *      └──────┴───────┴───┴───────┴───────┴───┴────┴────┴───┴────┴────┘
 * ```
 * Specification: Intel SDM vol. 3B §18.2.4, §18.2.5, §18.3.1.1.
 */
import { CR4_DE, FLAG_RF } from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { deliverInstructionBreakpoint } from "./delivery.js";
import { NOT_THE_GUESTS } from "./stops.js";

const BREAKPOINTS = 4;
const ENABLE_BITS = 3;
const ON_EXECUTION = 0;
const ON_WRITE = 1;
const ON_IO = 2;
/** Bytes by the LEN field. */
const LENGTHS = [1, 2, 8, 4];

/** One enabled breakpoint. */
export interface Breakpoint {
  /** Its bit in DR6; `NOT_THE_GUESTS` for one of a debugger's. */
  bit: number;
  linear: number;
  length: number;
  /** Reads count, not only writes. */
  reads: boolean;
}

/** The enabled breakpoints of a CPU, kept in its context. */
export interface Breakpoints {
  readonly execution: readonly Breakpoint[];
  readonly data: readonly Breakpoint[];
  /** Of ports: `linear` is the port. */
  readonly ports: readonly Breakpoint[];
}

export const NO_BREAKPOINTS: Breakpoints = { execution: [], data: [], ports: [] };

/** Reads the enabled breakpoints from the debug registers: after every change of one or of CR4.DE. */
export function refreshBreakpoints(cpu: CpuContext): void {
  const control = cpu.get32(L.DR7);
  const execution: Breakpoint[] = [];
  const data: Breakpoint[] = [];
  const ports: Breakpoint[] = [];
  const extensions = (cpu.get32(L.CR4) & CR4_DE) !== 0;
  for (let i = 0; i < BREAKPOINTS; i++) {
    if (!((control >>> (i * 2)) & ENABLE_BITS)) continue;
    const kind = (control >>> (16 + i * 4)) & 3;
    const length = LENGTHS[(control >>> (18 + i * 4)) & 3];
    const address = cpu.getAddress(L.DR + i * 8);
    const linear = address - (address & (length - 1));
    const breakpoint = { bit: 1 << i, linear, length, reads: kind !== ON_WRITE };
    if (kind === ON_EXECUTION) execution.push(breakpoint);
    else if (kind !== ON_IO) data.push(breakpoint);
    else if (extensions) ports.push(breakpoint);
  }
  data.push(...cpu.stops.watches);
  cpu.set32(L.STOPS_DATA, cpu.stops.watches.length);
  const hadData = cpu.breakpoints.data.length > 0;
  const enabled = execution.length + data.length + ports.length > 0;
  cpu.breakpoints = enabled ? { execution, data, ports } : NO_BREAKPOINTS;
  if (hadData || data.length > 0) cpu.tlb.flushAll();
}

/** Whether a linear page holds watched data. */
export function isWatchedPage(cpu: CpuContext, page: number): boolean {
  return cpu.breakpoints.data.some((b) => Math.floor(b.linear / L.PAGE_SIZE) === page);
}

/** Notes the breakpoints among `list` that an access reaches: a trap after the instruction. */
function note(cpu: CpuContext, list: readonly Breakpoint[], at: number, size: number, write: boolean): void {
  for (const { bit, linear: first, length, reads } of list) {
    if (at + size <= first || at >= first + length || !(write || reads)) continue;
    if (bit === NOT_THE_GUESTS) cpu.stops.reached ??= { linear: Math.max(at, first), length: size, write };
    cpu.pendingDebug |= bit;
    cpu.services.requestExit(cpu);
  }
}

/** Notes the breakpoints that a data access reaches. */
export function noteDataAccess(cpu: CpuContext, linear: number, size: number, write: boolean): void {
  note(cpu, cpu.breakpoints.data, linear, size, write);
}

/** Notes the breakpoints that an access to `size` ports from `port` on reaches; both directions count. */
export function notePortAccess(cpu: CpuContext, port: number, size: number): void {
  if (cpu.breakpoints.ports.length > 0) note(cpu, cpu.breakpoints.ports, port, size, true);
}

/**
 * Delivers #DB when the instruction at RIP is watched and RF is clear. RF is spent either way. Returns whether it
 * delivered; the instruction then has not run.
 */
export function takeInstructionBreakpoint(cpu: CpuContext): boolean {
  const flags = cpu.get32(L.FLAG_SYSTEM);
  cpu.set32(L.FLAG_SYSTEM, flags & ~FLAG_RF);
  if (flags & FLAG_RF) return false;
  const rip = cpu.getAddress(L.RIP);
  const linear = cpu.code64 ? rip : (cpu.segmentBase(L.CS) + rip) >>> 0;
  let hit = 0;
  for (const breakpoint of cpu.breakpoints.execution) if (breakpoint.linear === linear) hit |= breakpoint.bit;
  if (hit === 0) return false;
  deliverInstructionBreakpoint(cpu, hit);
  return true;
}
