/**
 * What generated code needs to know about the CPU's mode, derived from CS, SS, the control registers, EFER, CPL and
 * RFLAGS.AC whenever one of them changes.
 *
 * ```
 *  MODE_KEY   31..14: where a CS that is not flat ends, low bits of its linear address; 0 for others
 *             13        12   11        10         9   8   7   6   5   4        2      1..0
 *            ┌─────────┬────┬─────────┬─────────┬────────────────────────┬───┬──────┬──────────────────────────┐
 *            │ MMX #UD │ TS │ SSE #UD │ x87 #NM │ GS FS DS SS CS ES      │   │ real │ 0: 16, 1: 32, 2: 64 bits │
 *            └─────────┴────┴─────────┴─────────┴── not flat ────────────┴───┴──────┴──────────────────────────┘
 * ```
 * Specification: Intel SDM vol. 3A §2.2, §3.2, §3.4.5, §4.6.
 */
import { SEGMENT_REGISTERS } from "../../spec/x86-encoding.js";
import {
  ACCESS_CODE,
  ACCESS_DB,
  ACCESS_DOWN_OR_CONFORMING,
  ACCESS_L,
  ACCESS_P,
  ACCESS_UNUSABLE,
  ACCESS_WRITE_OR_READ,
  CR0_AM,
  CR0_EM,
  CR0_TS,
  CR4_OSFXSR,
  CR4_SMAP,
  FLAG_AC,
  FLAT_LIMIT,
} from "../../spec/x86-privileged.js";
import type { CpuContext } from "./cpu-context.js";
import * as L from "./layout.js";

export const MODE_CODE16 = 0;
export const MODE_CODE32 = 1;
export const MODE_CODE64 = 2;
export const MODE_CODE_SIZE = 3;
/** Real-address or virtual-8086 mode: no VEX. */
export const MODE_REAL = 1 << 2;
/** Bit of segment 0 (ES) among the not-flat bits. */
export const MODE_NOT_FLAT_SHIFT = 4;
export const MODE_X87_NM = 1 << 10;
export const MODE_SSE_UD = 1 << 11;
export const MODE_TS = 1 << 12;
export const MODE_MMX_UD = 1 << 13;
const MODE_CODE_END_SHIFT = 14;

/** Whether no access through the segment can violate its limit or rights. */
function isFlat(cpu: CpuContext, segment: number): boolean {
  const access = cpu.access(segment);
  if (access & ACCESS_UNUSABLE || !(access & ACCESS_P) || cpu.limit(segment) !== FLAT_LIMIT) return false;
  if (!(access & ACCESS_WRITE_OR_READ)) return false;
  if (segment === L.CS) return (access & ACCESS_CODE) !== 0;
  return !(access & (ACCESS_CODE | ACCESS_DOWN_OR_CONFORMING));
}

/** Access mode of explicit data accesses at a privilege level: user, or supervisor under SMAP and AC. */
export function dataAccessMode(cpu: CpuContext, cpl: number): number {
  if (cpl === 3) return L.ACCESS_USER;
  if (!(cpu.get32(L.CR4) & CR4_SMAP)) return L.ACCESS_SUPERVISOR_USER;
  return cpu.get32(L.FLAG_SYSTEM) & FLAG_AC ? L.ACCESS_SUPERVISOR_USER : L.ACCESS_SUPERVISOR;
}

/** Access mode of the CPU's own accesses to descriptor tables and task-state segments. */
export function implicitAccessMode(cpu: CpuContext): number {
  return cpu.get32(L.CR4) & CR4_SMAP ? L.ACCESS_SUPERVISOR : L.ACCESS_SUPERVISOR_USER;
}

/**
 * Recomputes TLB_CURRENT, and whether alignment is checked: after a change of CPL, CR4.SMAP, CR0.AM or RFLAGS.AC
 * (AM and AC are the same bit of their registers).
 */
export function refreshDataAccess(cpu: CpuContext): void {
  const { cpl } = cpu;
  const checks = cpl === 3 && (cpu.get32(L.CR0) & CR0_AM & cpu.get32(L.FLAG_SYSTEM)) !== 0;
  if (checks !== cpu.alignmentChecks) {
    cpu.alignmentChecks = checks;
    cpu.tlb.flushAll();
  }
  cpu.set32(L.TLB_CURRENT, cpu.base + L.TLB + dataAccessMode(cpu, cpl) * L.TLB_BYTES);
}

function featureBits(cpu: CpuContext): number {
  const cr0 = cpu.get32(L.CR0);
  let key = 0;
  if (cr0 & (CR0_EM | CR0_TS)) key |= MODE_X87_NM;
  if (cr0 & CR0_EM || !(cpu.get32(L.CR4) & CR4_OSFXSR)) key |= MODE_SSE_UD;
  if (cr0 & CR0_TS) key |= MODE_TS;
  if (cr0 & CR0_EM) key |= MODE_MMX_UD;
  return key;
}

function refreshStack(cpu: CpuContext, code64: boolean): void {
  if (code64) {
    cpu.setPair(L.STACK_MASK, 0xffffffff, 0xffffffff);
    cpu.setPair(L.STACK_BASE, 0, 0);
    cpu.set32(L.STACK_CHECKED, 0);
    return;
  }
  cpu.setPair(L.STACK_MASK, cpu.access(L.SS) & ACCESS_DB ? 0xffffffff : 0xffff, 0);
  cpu.setAddress(L.STACK_BASE, cpu.segmentBase(L.SS));
  cpu.set32(L.STACK_CHECKED, isFlat(cpu, L.SS) ? 0 : 1);
}

/** Linear address of the first byte behind CS: decoded instructions end there. Bits that the key has no room for go. */
function codeEnd(cpu: CpuContext): number {
  return (cpu.segmentBase(L.CS) + cpu.limit(L.CS) + 1) >>> 0;
}

/** Recomputes everything that layout.ts calls derived from the mode. */
export function refreshMode(cpu: CpuContext): void {
  const csAccess = cpu.access(L.CS);
  let key = featureBits(cpu);
  const code64 = cpu.longMode && (csAccess & ACCESS_L) !== 0;
  if (code64) key |= MODE_CODE64;
  else {
    if (csAccess & ACCESS_DB) key |= MODE_CODE32;
    if (!isFlat(cpu, L.CS)) key |= codeEnd(cpu) << MODE_CODE_END_SHIFT;
    if (cpu.realSegments) key |= MODE_REAL;
    for (let segment = 0; segment < SEGMENT_REGISTERS; segment++) {
      if (!isFlat(cpu, segment)) key |= 1 << (MODE_NOT_FLAT_SHIFT + segment);
    }
  }
  cpu.set32(L.MODE_KEY, key);
  cpu.setPair(L.LINEAR_MASK, 0xffffffff, code64 ? 0xffffffff : 0);
  refreshStack(cpu, code64);
  cpu.set32(L.CODE_ACCESS, cpu.cpl === 3 ? 1 : 0);
  refreshDataAccess(cpu);
}
