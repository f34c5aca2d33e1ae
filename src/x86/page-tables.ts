/**
 * Builds identity page tables for 4-level paging in 4 KiB, 2 MiB or 1 GiB pages, and decodes tables back into
 * ranges for people and tests. Knows no boot protocol.
 *
 * ```
 *  63     62..52   51..12            11..9   8   7   6   5   4   3   2   1   0
 * ┌────┬──────────┬──────────────────┬──────┬───┬───┬───┬───┬───┬───┬───┬───┬───┐
 * │ XD │ ignored  │ physical address │ AVL  │ G │PS │ D │ A │PCD│PWT│U/S│R/W│ P │   SDM vol. 3A §4.5
 * └────┴──────────┴──────────────────┴──────┴───┴───┴───┴───┴───┴───┴───┴───┴───┘
 * ```
 */
import { wide } from "../bytes/words.js";
import { PTE_ADDRESS, PTE_P, PTE_PS, PTE_U, PTE_W, PTE_XD } from "../spec/x86-privileged.js";
import { PAGE_TABLE_ENTRIES, SIZE_1G, SIZE_2M, SIZE_4K } from "../spec/x86-system.js";

export type PageSize = typeof SIZE_4K | typeof SIZE_2M | typeof SIZE_1G;

const ENTRY_SIZE = 8;
/** Bytes of linear address that one entry covers, by level: 1 = page table, 4 = PML4. */
const COVERAGE = [0, SIZE_4K, SIZE_2M, SIZE_1G, SIZE_1G * PAGE_TABLE_ENTRIES] as const;
const TOP_LEVEL = 4;
/** Only the lower half is built; it is 128 TiB. */
const IDENTITY_LIMIT = COVERAGE[TOP_LEVEL] * (PAGE_TABLE_ENTRIES / 2);
const CANONICAL_SIGN = 1n << 47n;
const CANONICAL_FILL = 0xffff_0000_0000_0000n;

/** Tables as bytes for one address; the first page is the PML4. */
export interface PageTables {
  bytes: Uint8Array;
  /** Value for CR3: the guest-physical address the bytes must be placed at. */
  cr3: bigint;
}

/** Pages that `identityPageTables` needs, so that a place can be claimed first. */
export function identityPageTableSize(mapped: number, pageSize: PageSize): number {
  let tables = 1;
  for (let level = TOP_LEVEL - 1; COVERAGE[level] >= pageSize; level--) {
    tables += Math.ceil(mapped / COVERAGE[level + 1]);
  }
  return tables * SIZE_4K;
}

/**
 * Maps linear = physical for [0, `mapped`), writable, supervisor, to be placed at `base`.
 * @param base guest-physical, a multiple of 4 KiB.
 * @param mapped bytes, a positive multiple of `pageSize`, at most 128 TiB.
 * @throws RangeError
 */
export function identityPageTables(base: number, mapped: number, pageSize: PageSize): PageTables {
  if (base % SIZE_4K !== 0 || base < 0) throw new RangeError(`page tables at ${base}: not on a page`);
  if (mapped <= 0 || mapped % pageSize !== 0 || mapped > IDENTITY_LIMIT) {
    throw new RangeError(`cannot map ${mapped} bytes in pages of ${pageSize}`);
  }
  const bytes = new Uint8Array(identityPageTableSize(mapped, pageSize));
  const view = new DataView(bytes.buffer);
  let nextTable = SIZE_4K;
  const fill = (table: number, level: number, linear: number): void => {
    for (let index = 0; index < PAGE_TABLE_ENTRIES; index++) {
      const address = linear + index * COVERAGE[level];
      if (address >= mapped) return;
      const at = table + index * ENTRY_SIZE;
      if (COVERAGE[level] === pageSize) {
        const large = level > 1 ? wide(PTE_PS) : 0n;
        view.setBigUint64(at, BigInt(address) | wide(PTE_P) | wide(PTE_W) | large, true);
      } else {
        const child = nextTable;
        nextTable += SIZE_4K;
        view.setBigUint64(at, BigInt(base + child) | wide(PTE_P) | wide(PTE_W), true);
        fill(child, level - 1, address);
      }
    }
  };
  fill(0, TOP_LEVEL, 0);
  return { bytes, cr3: BigInt(base) };
}

/** A run of pages with one size and one set of rights. */
export interface MappedRange {
  linear: bigint;
  physical: bigint;
  size: bigint;
  pageSize: number;
  writable: boolean;
  user: boolean;
  executable: boolean;
}

/**
 * Reads 4-level tables back as runs of pages. `read` returns the eight bytes at a guest-physical address, or
 * `undefined` outside memory (such entries count as not present). Stops after `limit` runs.
 */
export function decodePageTables(
  read: (address: bigint) => bigint | undefined,
  cr3: bigint,
  limit = 4096,
): MappedRange[] {
  const runs: MappedRange[] = [];
  const walk = (table: bigint, level: number, linear: bigint, inherited: Rights): void => {
    for (let index = 0; index < PAGE_TABLE_ENTRIES && runs.length < limit; index++) {
      const entry = read(table + BigInt(index * ENTRY_SIZE));
      if (entry === undefined || (entry & wide(PTE_P)) === 0n) continue;
      const address = linear + BigInt(index) * BigInt(COVERAGE[level]);
      const rights = combineRights(inherited, entry);
      const isPage = level === 1 || (level < TOP_LEVEL && (entry & wide(PTE_PS)) !== 0n);
      if (isPage) addPage(runs, address, entry, COVERAGE[level], rights);
      else walk(entry & PTE_ADDRESS, level - 1, address, rights);
    }
  };
  walk(cr3 & PTE_ADDRESS, TOP_LEVEL, 0n, { writable: true, user: true, executable: true });
  return runs;
}

type Rights = Pick<MappedRange, "writable" | "user" | "executable">;

/** A right holds only if every level grants it (SDM vol. 3A §4.6). */
function combineRights(inherited: Rights, entry: bigint): Rights {
  return {
    writable: inherited.writable && (entry & wide(PTE_W)) !== 0n,
    user: inherited.user && (entry & wide(PTE_U)) !== 0n,
    executable: inherited.executable && (entry & PTE_XD) === 0n,
  };
}

function addPage(
  runs: MappedRange[],
  address: bigint,
  entry: bigint,
  pageSize: number,
  rights: Rights,
): void {
  const linear = (address & CANONICAL_SIGN) !== 0n ? address | CANONICAL_FILL : address;
  const physical = entry & PTE_ADDRESS & ~(BigInt(pageSize) - 1n);
  const last = runs.at(-1);
  const continues =
    last !== undefined &&
    last.pageSize === pageSize &&
    last.linear + last.size === linear &&
    last.physical + last.size === physical &&
    last.writable === rights.writable &&
    last.user === rights.user &&
    last.executable === rights.executable;
  if (continues) last.size += BigInt(pageSize);
  else runs.push({ linear, physical, size: BigInt(pageSize), pageSize, ...rights });
}
