/**
 * Linear memory as a debugger sees it: translated by the tables as they stand in the CPU's present mode. Sets no accessed or dirty
 * bit, fills no TLB, faults nothing, asks no device, and heeds no right: breakpoints are written into read-only code.
 *
 * Specification: Intel SDM vol. 3A §4.5 (canonical addresses, paging).
 */
import { CR0_PG } from "../../../spec/x86-privileged.js";
import type { GuestMemory, LinearTranslation } from "../../contract.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { isCanonical } from "./access.js";
import { walk, walked, WALK_OK } from "./walk.js";

const PAGE_MASK = L.PAGE_SIZE - 1;
/** Outside IA-32e mode linear addresses have 32 bits. */
const SHORT_BITS = 32;

/** The address as the CPU's functions have it: signed when long, 32 bits otherwise; undefined when no address. */
function linearOf(cpu: CpuContext, linear: bigint): number | undefined {
  if (!cpu.longMode) return Number(BigInt.asUintN(SHORT_BITS, linear));
  const signed = Number(BigInt.asIntN(64, linear));
  return isCanonical(signed) ? signed : undefined;
}

/** Where a linear address leads, and what is allowed there; undefined where nothing is mapped. */
export function translateLinear(cpu: CpuContext, linear: bigint): LinearTranslation | undefined {
  const at = linearOf(cpu, linear);
  if (at === undefined) return undefined;
  if (!(cpu.get32(L.CR0) & CR0_PG)) return { physical: at, writable: true, user: true, executable: true };
  if (walk(cpu, Math.floor(at / L.PAGE_SIZE)) !== WALK_OK) return undefined;
  const { page, writable, user, noExecute } = walked;
  return { physical: page * L.PAGE_SIZE + (at & PAGE_MASK), writable, user, executable: !noExecute };
}

/** The guest-physical pieces of `[linear, +length)`, page by page; undefined unless all of them are mapped to RAM. */
function pieces(
  cpu: CpuContext,
  memory: GuestMemory,
  linear: bigint,
  length: number,
): { physical: number; size: number }[] | undefined {
  const found: { physical: number; size: number }[] = [];
  for (let done = 0; done < length;) {
    const physical = translateLinear(cpu, linear + BigInt(done))?.physical;
    if (physical === undefined) return undefined;
    const size = Math.min(length - done, L.PAGE_SIZE - (physical & PAGE_MASK));
    if (!memory.contains(physical, size)) return undefined;
    found.push({ physical, size });
    done += size;
  }
  return found;
}

/** Copies linear memory out; undefined unless all of it is mapped to RAM. */
export function readLinear(
  cpu: CpuContext,
  memory: GuestMemory,
  linear: bigint,
  length: number,
): Uint8Array | undefined {
  const found = pieces(cpu, memory, linear, length);
  if (!found) return undefined;
  const bytes = new Uint8Array(length);
  let done = 0;
  for (const { physical, size } of found) {
    bytes.set(memory.view(physical, size)!, done);
    done += size;
  }
  return bytes;
}

/** Copies bytes to linear memory, whatever its rights; false, with nothing written, unless all of it is mapped to RAM. */
export function writeLinear(
  cpu: CpuContext,
  memory: GuestMemory,
  linear: bigint,
  bytes: Uint8Array,
): boolean {
  const found = pieces(cpu, memory, linear, bytes.length);
  if (!found) return false;
  let done = 0;
  for (const { physical, size } of found) {
    memory.writable(physical, size)!.set(bytes.subarray(done, done + size));
    done += size;
  }
  return true;
}
