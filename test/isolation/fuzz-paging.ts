/**
 * Random page tables for the worlds of `fuzz-worlds.ts`: identity mappings where the world needs them, and elsewhere
 * whatever a leaf can be, holes and devices included. Some directories lie in holes themselves.
 *
 * Specification: Intel SDM vol. 3A §4.3 (32-bit), §4.4 (PAE), §4.5 (4-level paging).
 */
import type { GuestMemory } from "../../src/engine/contract.js";
import type { Random } from "../support/random.js";

export const PML4 = 0x8000;
export const PDPT = 0x9000;
const DIRECTORIES = 0xa000;
const TABLES = 0x10000;
const PAGE = 0x1000;

/** Writes 8-byte words. */
export function writeWords(memory: GuestMemory, address: number, values: readonly bigint[]): void {
  const view = new DataView(new ArrayBuffer(values.length * 8));
  values.forEach((value, i) => view.setBigUint64(i * 8, BigInt.asUintN(64, value), true));
  memory.write(address, new Uint8Array(view.buffer));
}

/** A leaf: mostly a plain identity mapping, sometimes absent, read-only, a hole, a device, reserved bits. */
function leaf(random: Random, address: bigint, large: boolean): bigint {
  const size = large ? 0x80n : 0n;
  switch (random.below(24)) {
    case 0:
      return 0n;
    case 1:
      return address | size | 5n;
    case 2:
      return address | size | 3n;
    case 3:
      return (
        (random.pick([0xa0000n, 0xfee00000n, 0xfec00000n, 0x500000n, 0x7000000000n]) &
          (large ? ~0x1fffffn : ~0xfffn)) |
        size |
        7n
      );
    case 4:
      return address | size | 7n | (1n << 63n);
    case 5:
      return address | size | 7n | (1n << BigInt(32 + random.below(31)));
    case 6:
      return address | size | 0x107n;
    default:
      return address | size | 7n;
  }
}

/** 4-level or PAE tables: identity for 4 GiB, the first 4 MiB by small pages. */
export function widePaging(memory: GuestMemory, random: Random, pae: boolean): void {
  const rights = pae ? 1n : 7n;
  const high = Array.from({ length: pae ? 4 : 8 }, (_, i) => BigInt(DIRECTORIES + (i % 4) * PAGE) | rights);
  if (!pae && random.below(3) === 0) high[4] = 0x1_0000_0000n | 0x87n;
  writeWords(memory, PDPT, high);
  const odd = random.pick([0xfee00000n, 0xa0000n, 0xffffffff000n, 0x3fffff000n]) | 7n;
  if (!pae)
    writeWords(
      memory,
      PML4,
      Array.from({ length: 512 }, (_, i) =>
        i === 0 || i >= 510 || i === 255 ? BigInt(PDPT) | 7n : i === 3 ? odd : 0n,
      ),
    );
  for (let directory = 0; directory < 4; directory++) {
    const entries = Array.from({ length: 512 }, (_, i) => {
      const address = BigInt(directory) * 0x40000000n + BigInt(i) * 0x200000n;
      if (directory === 0 && i < 2) return BigInt(TABLES + i * PAGE) | 7n;
      return i === 9 ? odd : leaf(random, address, true);
    });
    writeWords(memory, DIRECTORIES + directory * PAGE, entries);
  }
  for (let table = 0; table < 2; table++) {
    const careful = (page: number): boolean => page < 0x20 || (page >= 0x100 && page < 0x104);
    writeWords(
      memory,
      TABLES + table * PAGE,
      Array.from({ length: 512 }, (_, i) => {
        const page = table * 512 + i;
        return careful(page) ? BigInt(page * PAGE) | 7n : leaf(random, BigInt(page * PAGE), false);
      }),
    );
  }
}

/** 32-bit tables: the first 4 MiB by small pages, the rest by large ones. */
export function legacyPaging(memory: GuestMemory, random: Random): void {
  const view = new DataView(new ArrayBuffer(2 * PAGE));
  for (let i = 0; i < 1024; i++) {
    const entry =
      i === 0 ? TABLES | 7 : i === 9 ? 0xa0007 : ((i << 22) | 0x80 | random.pick([7, 7, 7, 5, 3, 0])) >>> 0;
    view.setUint32(i * 4, entry, true);
    const page =
      i < 0x20 || (i >= 0x100 && i < 0x104)
        ? i * PAGE
        : Number(leaf(random, BigInt(i * PAGE), false) & 0xffffffffn);
    view.setUint32(PAGE + i * 4, page | (i < 0x20 ? 7 : page & 7), true);
  }
  const bytes = new Uint8Array(view.buffer);
  memory.write(PML4, bytes.subarray(0, PAGE));
  memory.write(TABLES, bytes.subarray(PAGE));
}
