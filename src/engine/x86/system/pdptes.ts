/**
 * The four page-directory-pointer entries that PAE paging outside IA-32e mode keeps in the CPU: loaded with CR3 and
 * when paging is switched, not by walks.
 *
 * Specification: Intel SDM vol. 3A §4.4.1.
 */
import { CR0_PG, CR4_PAE, EFER_LME, PTE_P } from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";

export const PDPTE_COUNT = 4;
const PDPTE_SIZE = 8;
const HALF_BITS = 32n;
const RESERVED_LOW = 0x1e6;
const RESERVED_HIGH = 0xfff00000;
const TABLE_ALIGNMENT = 0x1f;

/** Whether CR0 and CR4 values mean PAE paging with pointer entries. */
export function usesPdptes(cpu: CpuContext, cr0: number, cr4: number): boolean {
  return (cr0 & CR0_PG) !== 0 && (cr4 & CR4_PAE) !== 0 && !(cpu.get32(L.EFER) & EFER_LME);
}

/** The entries as they were loaded, for a state as plain data. */
export function readPdptes({ pdptes }: CpuContext): bigint[] {
  const entries: bigint[] = [];
  for (let i = 0; i < pdptes.length; i += 2)
    entries.push((BigInt(pdptes[i + 1]) << HALF_BITS) | BigInt(pdptes[i]));
  return entries;
}

/** Sets the entries from a state as plain data. */
export function writePdptes(cpu: CpuContext, entries: readonly bigint[]): void {
  if (entries.length !== PDPTE_COUNT)
    throw new RangeError(`${entries.length} page-directory-pointer entries: expected ${PDPTE_COUNT}`);
  entries.forEach((entry, i) => {
    cpu.pdptes[2 * i] = Number(BigInt.asUintN(32, entry));
    cpu.pdptes[2 * i + 1] = Number(BigInt.asUintN(32, entry >> HALF_BITS));
  });
}

/** Whether the two halves are an entry that may be loaded. */
export function acceptsPdpte(
  { reservedPhysicalHigh }: Pick<CpuContext, "reservedPhysicalHigh">,
  low: number,
  high: number,
): boolean {
  const reserved = low & RESERVED_LOW || high & (reservedPhysicalHigh | RESERVED_HIGH);
  return !(low & PTE_P) || !reserved;
}

/** Loads the entries from the table that `cr3` names. False, with nothing changed, when one has reserved bits set. */
export function loadPdptes(cpu: CpuContext, cr3: number): boolean {
  const table = (cr3 & ~TABLE_ALIGNMENT) >>> 0;
  const words = new Uint32Array(PDPTE_COUNT * 2).fill(0xffffffff);
  const offset = cpu.services.ramOffsetOf(table);
  if (offset >= 0) {
    const first = (cpu.services.ramBase + offset) >>> 2;
    words.set(cpu.u32.subarray(first, first + (PDPTE_COUNT * PDPTE_SIZE) / 4));
  }
  for (let i = 0; i < words.length; i += 2) {
    if (!acceptsPdpte(cpu, words[i], words[i + 1])) return false;
  }
  cpu.pdptes.set(words);
  return true;
}
