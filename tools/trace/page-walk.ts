/**
 * Translates a linear address through page tables in guest memory, for looking at it from outside: no rights, no
 * accessed bits, nothing remembered.
 *
 * Specification: SDM vol. 3A §4.3 (32-bit), §4.4 (PAE), §4.5 (4-level paging).
 */
import type { GuestMemory } from "../../src/engine/contract.js";
import type { CpuState } from "../../src/x86/cpu-state.js";

export type PagingRegisters = Pick<CpuState, "cr0" | "cr3" | "cr4" | "efer">;

const CR0_PG = 0x80000000n;
const CR4_PAE = 0x20n;
const EFER_LMA = 0x400n;
const PRESENT = 1n;
const LARGE = 0x80n;
const ADDRESS = 0x000f_ffff_ffff_f000n;
const ADDRESS_32 = 0xffff_f000n;

function entry(memory: GuestMemory, address: bigint, size: 4 | 8): bigint {
  const at = Number(address);
  if (at + size > memory.ranges[0].size) return 0n;
  const bytes = memory.read(at, size);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return size === 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
}

/** Guest-physical address of a linear one, or undefined where it is not mapped. */
export function pageWalk(memory: GuestMemory, r: PagingRegisters, linear: bigint): number | undefined {
  if ((r.cr0 & CR0_PG) === 0n) return Number(linear);
  const wide = (r.cr4 & CR4_PAE) !== 0n;
  const levels = (r.efer & EFER_LMA) !== 0n ? 4 : wide ? 3 : 2;
  const bits = wide ? 9n : 10n;
  let table = wide && levels === 3 ? r.cr3 & ~0x1fn & 0xffffffffn : r.cr3 & (wide ? ADDRESS : ADDRESS_32);
  for (let level = levels; level >= 1; level--) {
    const shift = 12n + bits * BigInt(level - 1);
    const index = (linear >> shift) & ((1n << bits) - 1n);
    const found = entry(memory, table + index * (wide ? 8n : 4n), wide ? 8 : 4);
    if ((found & PRESENT) === 0n) return undefined;
    const isLeaf = level === 1 || (level < 4 && (found & LARGE) !== 0n && !(levels === 3 && level === 3));
    const base = found & (wide ? ADDRESS : ADDRESS_32);
    if (isLeaf) return Number((base & ~((1n << shift) - 1n)) | (linear & ((1n << shift) - 1n)));
    table = base;
  }
  return undefined;
}
