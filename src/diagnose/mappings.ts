/**
 * What a guest's page tables map, as ranges of linear addresses with their rights. The tables lie in the guest's RAM and may refer to
 * each other in circles: how many are read is bounded.
 *
 * Specification: SDM vol. 3A §4.3 to §4.6.
 */
import { PTE_P, PTE_PS, PTE_U, PTE_W, PTE_XD_HIGH } from "../spec/x86-privileged.js";
import { SIZE_4K } from "../spec/x86-system.js";
import { tableShape, type AddressSpace } from "./page-tables.js";
import type { Ram } from "./ram.js";

/** What instructions may do there: the rights of all levels together. */
export interface Rights {
  user: boolean;
  writable: boolean;
  executable: boolean;
}

/** Linear addresses that follow each other, with the same rights. */
export interface Mapping extends Rights {
  from: bigint;
  /** Behind the last byte. */
  to: bigint;
}

/** Tables that are read: those of some GiB in small pages. */
const MOST_TABLES = 2000;
const TWO_32 = 2 ** 32;
const UPPER_ADDRESS = 0xf_ffff;
const CANONICAL_BITS = 48;
const ADDRESS_BITS = 64;
const PAGE_SHIFT = 12n;
const ALL: Rights = { user: true, writable: true, executable: true };

/** `most` ranges by ascending addresses, and whether these are all; none without paging. */
export function mappingsOf(ram: Ram, space: AddressSpace, most: number): { list: Mapping[]; whole: boolean } {
  const shape = tableShape(space.paging);
  if (shape === undefined) return { list: [], whole: true };
  const runs: Run[] = [];
  const { levels, wide } = shape;
  const bits = Number(shape.bits);
  let tables = 0;
  const read = (table: number, level: number, base: number, above: Rights): void => {
    if (runs.length > most || ++tables > MOST_TABLES) return;
    const top = level === levels - 1;
    // The four entries that PAE paging begins with have no rights, and lead to tables only.
    const bare = top && levels === 3;
    const span = 2 ** (level * bits);
    const entries = 2 ** Number(top ? shape.top : shape.bits);
    const bytes = ram.view(table, entries * (wide ? 8 : 4));
    if (bytes === undefined) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let index = 0; index < entries; index++) {
      const low = view.getUint32(index * (wide ? 8 : 4), true);
      if ((low & PTE_P) === 0) continue;
      const entry = entryOf(low, wide ? view.getUint32(index * 8 + 4, true) : 0);
      const from = base + index * span;
      const rights = bare ? above : both(above, entry);
      const large = level > 0 && level < (wide ? 3 : 2) && entry.large && !bare;
      if (level === 0 || large) add(runs, { ...rights, from, to: from + span });
      else read(entry.address, level - 1, from, rights);
    }
  };
  read(space.root, levels - 1, 0, ALL);
  return {
    list: runs.slice(0, most).map((run) => ({ ...run, ...linear(run, levels) })),
    whole: runs.length <= most && tables <= MOST_TABLES,
  };
}

/** A mapping by the numbers of its pages, from 0 on. */
interface Run extends Rights {
  from: number;
  to: number;
}

function linear({ from, to }: Run, levels: number): Pick<Mapping, "from" | "to"> {
  const start = BigInt(from) << PAGE_SHIFT;
  const first = levels < 4 ? start : BigInt.asUintN(ADDRESS_BITS, BigInt.asIntN(CANONICAL_BITS, start));
  return { from: first, to: first + (BigInt(to - from) << PAGE_SHIFT) };
}

interface Entry extends Rights {
  address: number;
  large: boolean;
}

function entryOf(low: number, high: number): Entry {
  return {
    address: (high & UPPER_ADDRESS) * TWO_32 + low - (low % SIZE_4K),
    large: (low & PTE_PS) !== 0,
    user: (low & PTE_U) !== 0,
    writable: (low & PTE_W) !== 0,
    executable: (high & PTE_XD_HIGH) === 0,
  };
}

function both(one: Rights, other: Rights): Rights {
  return {
    user: one.user && other.user,
    writable: one.writable && other.writable,
    executable: one.executable && other.executable,
  };
}

/** Halves of the address space are not joined, which are apart. */
const UPPER_HALF = 2 ** 35;

function add(runs: Run[], next: Run): void {
  const last = runs.at(-1);
  const same =
    last?.to === next.from &&
    last.user === next.user &&
    last.writable === next.writable &&
    last.executable === next.executable;
  if (same && next.from !== UPPER_HALF) last.to = next.to;
  else runs.push(next);
}
