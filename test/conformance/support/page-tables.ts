/**
 * Page tables of conformance guests, written from outside before the guest runs. Keeps every table as plain
 * entries, so that a test knows the address of the entry it wants to look at.
 *
 * Specification: SDM vol. 3A §4.3 (32-bit), §4.4 (PAE), §4.5 (4-level).
 */
import type { Chunk } from "../../support/asm/index.js";
import * as layout from "./layout.js";

export const P = 0x1n;
export const RW = 0x2n;
export const US = 0x4n;
export const PWT = 0x8n;
export const PCD = 0x10n;
export const A = 0x20n;
export const D = 0x40n;
export const PS = 0x80n;
export const G = 0x100n;
export const NX = 1n << 63n;

const ENTRIES = 512;
const ADDRESS = 0x000ffffffffff000n;

/** 4-level tables with 8-byte entries. */
export class PageTables {
  private readonly tables = new Map<number, bigint[]>();
  private next = layout.PAGE_TABLE_POOL;
  readonly root: number;

  constructor(root: number = layout.PAGE_TABLES) {
    this.root = root;
    this.tables.set(root, new Array<bigint>(ENTRIES).fill(0n));
  }

  /** A page of the pool, for tables that the guest fills itself. */
  reserve(): number {
    if (this.next >= layout.PAGE_TABLE_POOL_END) throw new Error("the pool of page tables is used up");
    const page = this.next;
    this.next += 0x1000;
    return page;
  }

  /**
   * Maps one page of `level` (1: 4 KiB, 2: 2 MiB, 3: 1 GiB). `via` are the flags of the entries above it, where
   * they do not exist yet. Returns the physical address of the leaf entry.
   */
  map(virtual: bigint | number, physical: bigint | number, flags: bigint, level = 1, via = P | RW): number {
    let table = this.root;
    for (let at = 4; at > level; at--) table = this.descend(table, index(virtual, at), via);
    const entry = index(virtual, level);
    this.tables.get(table)![entry] = BigInt(physical) | flags | (level > 1 ? PS : 0n);
    return table + 8 * entry;
  }

  /** Physical address of the entry of `level` (4: PML4E … 1: PTE) that translates `virtual`. */
  entry(virtual: bigint | number, level: number): number {
    let table = this.root;
    for (let at = 4; at > level; at--) table = Number(this.tables.get(table)![index(virtual, at)] & ADDRESS);
    return table + 8 * index(virtual, level);
  }

  /** The value last written to the entry at `address`. */
  value(address: number): bigint {
    const table = address - (address % 0x1000);
    return this.tables.get(table)![(address - table) / 8];
  }

  /** Adds flags to an upper entry that exists. */
  amend(virtual: bigint | number, level: number, set: bigint, clear = 0n): void {
    const address = this.entry(virtual, level);
    const table = address - (address % 0x1000);
    const entries = this.tables.get(table)!;
    entries[(address - table) / 8] = (entries[(address - table) / 8] | set) & ~clear;
  }

  chunks(): Chunk[] {
    return [...this.tables].map(([address, entries]) => {
      const bytes = new Uint8Array(0x1000);
      const view = new DataView(bytes.buffer);
      entries.forEach((e, i) => view.setBigUint64(8 * i, e, true));
      return { address, bytes };
    });
  }

  private descend(table: number, entry: number, flags: bigint): number {
    const entries = this.tables.get(table)!;
    if (entries[entry] === 0n) {
      const page = this.reserve();
      this.tables.set(page, new Array<bigint>(ENTRIES).fill(0n));
      entries[entry] = BigInt(page) | flags;
    }
    return Number(entries[entry] & ADDRESS);
  }
}

function index(virtual: bigint | number, level: number): number {
  return Number((BigInt(virtual) >> BigInt(12 + 9 * (level - 1))) & 0x1ffn);
}

/**
 * The tables every long-mode guest starts with: RAM identity-mapped with 2 MiB pages for the supervisor, the part
 * from `USER_CODE` also for user mode, log and results once more for user mode, the local APIC's page.
 */
export function standardTables(): PageTables {
  const tables = new PageTables();
  for (let at = 0; at < layout.RAM_SIZE; at += 0x200000) {
    const user = at === layout.USER_CODE;
    tables.map(at, at, P | RW | (user ? US : 0n), 2, P | RW | US);
  }
  for (let offset = 0; offset < 0x10000; offset += 0x1000) {
    tables.map(layout.USER_ALIAS + offset, layout.LOG + offset, P | RW | US, 1, P | RW | US);
    tables.map(layout.USER_ALIAS + 0x10000 + offset, layout.RESULTS + offset, P | RW | US, 1, P | RW | US);
  }
  tables.map(layout.LAPIC, layout.LAPIC, P | RW | PCD | PWT, 1);
  return tables;
}
