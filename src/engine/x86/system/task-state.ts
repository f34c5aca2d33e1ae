/**
 * Reading the task-state segment: stacks of inner levels, the interrupt stack table, the I/O permission map. Throws
 * guest faults.
 *
 * Specification: Intel SDM vol. 3A §7.2.1, §7.6 (16-bit TSS), §7.7 (64-bit TSS); vol. 1 §19.5.2 (I/O map).
 */
import { TWO_32 } from "../../../bytes/words.js";
import {
  ACCESS_TYPE,
  ACCESS_UNUSABLE,
  SELECTOR_ERROR,
  TSS16_SP0,
  TSS16_STACK_STRIDE,
  TSS32_ESP0,
  TSS32_STACK_STRIDE,
  TSS64_IST1,
  TSS64_RSP0,
  TSS_IO_MAP_BASE,
  TSS_MIN_LIMIT,
  TYPE_TSS_AVAILABLE,
  VECTOR_TS,
} from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { implicitAccessMode } from "../mode.js";
import { readMemory, readPair } from "./access.js";
import { GuestFault } from "./faults.js";

/** Linear address of a byte of the TSS. */
function linearOf(cpu: CpuContext, offset: number): number {
  const linear = cpu.segmentBase(L.TR) + offset;
  return cpu.longMode ? linear : linear >>> 0;
}

function checkLimit(cpu: CpuContext, last: number, external: number): void {
  if (last > cpu.limit(L.TR)) {
    throw new GuestFault(VECTOR_TS, (cpu.selector(L.TR) & SELECTOR_ERROR) | external);
  }
}

function read64(cpu: CpuContext, offset: number, external: number): number {
  checkLimit(cpu, offset + 7, external);
  const low = readPair(cpu, linearOf(cpu, offset), implicitAccessMode(cpu));
  return (cpu.high | 0) * TWO_32 + low;
}

/** RSP of privilege level `level` in a 64-bit TSS. */
export function innerStack64(cpu: CpuContext, level: number, external: number): number {
  return read64(cpu, TSS64_RSP0 + level * 8, external);
}

/** Entry `index` (1–7) of the interrupt stack table. */
export function interruptStack(cpu: CpuContext, index: number, external: number): number {
  return read64(cpu, TSS64_IST1 + (index - 1) * 8, external);
}

/** SS and ESP of privilege level `level` in a 16- or 32-bit TSS. */
export function innerStack32(
  cpu: CpuContext,
  level: number,
  external: number,
): { selector: number; pointer: number } {
  const wide = (cpu.access(L.TR) & ACCESS_TYPE) >= TYPE_TSS_AVAILABLE;
  const size = wide ? 4 : 2;
  const offset = wide ? TSS32_ESP0 + level * TSS32_STACK_STRIDE : TSS16_SP0 + level * TSS16_STACK_STRIDE;
  checkLimit(cpu, offset + size + 1, external);
  const mode = implicitAccessMode(cpu);
  return {
    pointer: readMemory(cpu, linearOf(cpu, offset), size, mode),
    selector: readMemory(cpu, linearOf(cpu, offset + size), 2, mode),
  };
}

/** Whether the I/O permission map lets the current task use `size` ports from `port` on. */
export function portsAllowed(cpu: CpuContext, port: number, size: number): boolean {
  const access = cpu.access(L.TR);
  if (access & ACCESS_UNUSABLE || (access & ACCESS_TYPE) < TYPE_TSS_AVAILABLE) return false;
  const limit = cpu.limit(L.TR);
  if (limit < TSS_MIN_LIMIT) return false;
  const mode = implicitAccessMode(cpu);
  const byte = readMemory(cpu, linearOf(cpu, TSS_IO_MAP_BASE), 2, mode) + (port >>> 3);
  // The CPU always reads two bytes, so the map ends with a byte of ones.
  if (byte + 1 > limit) return false;
  const bits = readMemory(cpu, linearOf(cpu, byte), 2, mode) >>> (port & 7);
  return (bits & ((1 << size) - 1)) === 0;
}
