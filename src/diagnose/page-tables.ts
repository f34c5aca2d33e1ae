/**
 * Linear addresses by a guest's page tables as they lie in RAM, whichever CPU uses them: a CPU in user mode may run on tables that
 * lack the kernel. Nothing is written and nothing faults; rights are not looked at.
 *
 * Specification: SDM vol. 3A §4.3 to §4.5.
 */
import { CR0_PG, CR3_PCID, CR4_PAE, EFER_LMA } from "../spec/x86-privileged.js";
import { SIZE_4K } from "../spec/x86-system.js";
import type { CpuState } from "../x86/cpu-state.js";
import type { Ram } from "./ram.js";

/** How linear addresses are translated. */
export type Paging = "none" | "32-bit" | "PAE" | "4-level";

/** Tables of one address space. */
export interface AddressSpace {
  paging: Paging;
  /** Guest-physical address of the uppermost table. */
  root: number;
}

const PRESENT = 1;
const LARGE = 0x80;
const ENTRY_BITS = 9n;
const SMALL_ENTRY_BITS = 10n;
/** Bits of a physical address in the upper half of an entry of 8 bytes: up to bit 51. */
const UPPER_ADDRESS = 0xf_ffff;
const TWO_32 = 2 ** 32;
/** Physical addresses that a CPU of this machine has are below this: more is no address. */
const MOST_PHYSICAL = 2 ** 48;

/** The address space that a CPU is in. */
export function addressSpace(state: Pick<CpuState, "cr0" | "cr3" | "cr4" | "efer">): AddressSpace {
  const root = Number(BigInt.asUintN(52, state.cr3));
  if ((state.cr0 & BigInt(CR0_PG >>> 0)) === 0n) return { paging: "none", root: 0 };
  const page = root - (root % SIZE_4K);
  if ((state.efer & BigInt(EFER_LMA)) !== 0n) return { paging: "4-level", root: page };
  if ((state.cr4 & BigInt(CR4_PAE)) !== 0n) return { paging: "PAE", root: root - (root % 32) };
  return { paging: "32-bit", root: root - (root & CR3_PCID) };
}

/** The guest-physical address of a linear one; undefined where nothing is mapped. */
export function translate(ram: Ram, { paging, root }: AddressSpace, linear: bigint): number | undefined {
  const shape = tableShape(paging);
  if (shape === undefined) return Number(BigInt.asUintN(32, linear));
  if (paging !== "4-level") return walk(ram, root, BigInt.asUintN(32, linear), shape);
  if (BigInt.asIntN(48, linear) !== BigInt.asIntN(64, linear)) return undefined;
  return walk(ram, root, linear, shape);
}

/** What tables look like. */
export interface TableShape {
  levels: number;
  /** Bits that the uppermost table is indexed by, and those below it. */
  top: bigint;
  bits: bigint;
  /** Entries have 8 bytes. */
  wide: boolean;
}

/** Undefined without paging. */
export function tableShape(paging: Paging): TableShape | undefined {
  switch (paging) {
    case "none":
      return undefined;
    case "32-bit":
      return { levels: 2, top: SMALL_ENTRY_BITS, bits: SMALL_ENTRY_BITS, wide: false };
    case "PAE":
      return { levels: 3, top: 2n, bits: ENTRY_BITS, wide: true };
    case "4-level":
      return { levels: 4, top: ENTRY_BITS, bits: ENTRY_BITS, wide: true };
  }
}

function walk(ram: Ram, root: number, linear: bigint, shape: TableShape): number | undefined {
  const { levels, top, bits, wide } = shape;
  let table = root;
  for (let level = levels - 1; level >= 0; level--) {
    const shift = 12n + BigInt(level) * bits;
    const index = Number(BigInt.asUintN(Number(level === levels - 1 ? top : bits), linear >> shift));
    const low = ram.readU32(table + index * (wide ? 8 : 4));
    if (low < 0 || (low & PRESENT) === 0) return undefined;
    const high = wide ? ram.readU32(table + index * 8 + 4) & UPPER_ADDRESS : 0;
    const address = high * TWO_32 + low - (low % SIZE_4K);
    const large = level > 0 && level < (wide ? 3 : 2) && (low & LARGE) !== 0;
    // Of a page directory's pointer with PAE paging the bit is reserved.
    if (large && !(wide && levels === 3 && level === 2)) {
      const size = 2 ** Number(shift);
      return address - (address % size) + Number(BigInt.asUintN(Number(shift), linear));
    }
    table = address;
    if (table >= MOST_PHYSICAL) return undefined;
  }
  return table + Number(linear & 0xfffn);
}

/** Copies linear memory out, across pages; undefined unless all of it is mapped to RAM. `length` is at most some MiB. */
export function readLinear(
  ram: Ram,
  space: AddressSpace,
  linear: bigint,
  length: number,
): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const from = linear + BigInt(at);
    const physical = translate(ram, space, from);
    if (physical === undefined) return undefined;
    const piece = Math.min(length - at, SIZE_4K - (physical % SIZE_4K));
    const view = ram.view(physical, piece);
    if (view === undefined) return undefined;
    bytes.set(view, at);
    at += piece;
  }
  return bytes;
}
