/**
 * Translates a linear address through page tables in guest memory, for looking at it from outside: no rights, no
 * accessed bits, nothing remembered.
 *
 * Specification: SDM vol. 3A §4.3 (32-bit), §4.4 (PAE), §4.5 (4-level paging).
 */
import { wide } from "../../src/bytes/words.js";
import { CR0_PG, CR4_PAE, EFER_LMA, PTE_ADDRESS, PTE_P, PTE_PS } from "../../src/spec/x86-privileged.js";
import type { GuestMemory } from "../../src/engine/contract.js";
import type { CpuState } from "../../src/x86/cpu-state.js";

export type PagingRegisters = Pick<CpuState, "cr0" | "cr3" | "cr4" | "efer">;

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
  if ((r.cr0 & wide(CR0_PG)) === 0n) return Number(linear);
  const entries64 = (r.cr4 & wide(CR4_PAE)) !== 0n;
  const levels = (r.efer & wide(EFER_LMA)) !== 0n ? 4 : entries64 ? 3 : 2;
  const bits = entries64 ? 9n : 10n;
  let table =
    entries64 && levels === 3 ? r.cr3 & ~0x1fn & 0xffffffffn : r.cr3 & (entries64 ? PTE_ADDRESS : ADDRESS_32);
  for (let level = levels; level >= 1; level--) {
    const shift = 12n + bits * BigInt(level - 1);
    const index = (linear >> shift) & ((1n << bits) - 1n);
    const found = entry(memory, table + index * (entries64 ? 8n : 4n), entries64 ? 8 : 4);
    if ((found & wide(PTE_P)) === 0n) return undefined;
    const isLeaf =
      level === 1 || (level < 4 && (found & wide(PTE_PS)) !== 0n && !(levels === 3 && level === 3));
    const base = found & (entries64 ? PTE_ADDRESS : ADDRESS_32);
    if (isLeaf) return Number((base & ~((1n << shift) - 1n)) | (linear & ((1n << shift) - 1n)));
    table = base;
  }
  return undefined;
}
