/**
 * Random surroundings for random code: guest memory with descriptor tables, task-state segments, page tables (some
 * of them in holes or pointing there), handlers, code and data, and a CPU state of one of the modes. Everything
 * follows from the generator's seed.
 *
 * Specification: Intel SDM vol. 3A §3.4.5 (descriptors), §4 (paging), §6.11–6.14 (IDT), §7.2, §7.7 (TSS).
 *
 * ```
 *  0      0x1000 0x2000 0x3000 0x4000  0x8000      0x20000   0xa0000 0x100000    0x400000   4 GiB ∓ 64 KiB
 *  ┌──────┬──────┬──────┬──────┬───────┬───────────┬─────────┬───────┬───────────┬──── hole ───┬────────┐
 *  │ IVT  │ GDT  │ IDT  │ TSSs │ stubs │ paging    │ data    │ hole  │ code,data │             │ code   │
 *  └──────┴──────┴──────┴──────┴───────┴───────────┴─────────┴───────┴───────────┴─────────────┴────────┘
 * ```
 */
import type { GuestMemory } from "../../src/engine/contract.js";
import type { CpuState, SegmentRegister } from "../../src/x86/cpu-state.js";
import type { Random } from "../support/random.js";
import { fillWithCode, type CodeSize } from "./fuzz-code.js";
import { legacyPaging, PDPT, PML4, widePaging, writeWords } from "./fuzz-paging.js";

export const WORLD_RAM = [
  { start: 0, size: 0xa0000 },
  { start: 0x100000, size: 0x300000 },
  { start: 0xffff_0000, size: 0x20000 },
] as const;

const GDT = 0x1000;
const GDT_ENTRIES = 24;
const IDT = 0x2000;
const TSS = 0x3000;
const STUBS = 0x4000;
const DATA = 0x20000;
const REAL_CODE = 0x30000;
export const CODE = 0x100000;
export const CODE_SIZE = 0x10000;
const PAGE = 0x1000;
const FOUR_GIB = 0x1_0000_0000;
const VECTORS = 256;

const MODES = [
  "real",
  "code16",
  "flat32",
  "legacy",
  "pae",
  "compatibility",
  "long",
  "long",
  "virtual",
] as const;
export type WorldMode = (typeof MODES)[number];

const VALUES: readonly bigint[] = [
  ...[0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0xfffn, 0x1000n, 0x8000n, 0xffffn, 0x10000n, 0x9fff8n, 0x9ffffn],
  ...[0xa0000n, 0xfffffn, 0x100000n, 0x10fffdn, 0x3ffffcn, 0x400000n, 0xfec00000n, 0xfee00000n, 0xfee00ffcn],
  ...[0x7fffffffn, 0x80000000n, 0xffffffffn, 0xfffffffdn, 0x100000000n, 0x100000ffcn, 0x10000fff8n],
  ...[0x7fffffffffffn, 0x7ffffffffff8n, 0x800000000000n, 0xffff800000000000n, 0xffff7fffffffffffn],
  ...[
    0xffffffffffffffffn,
    0xfffffffffffffff0n,
    0x8000000000000000n,
    0x7fffffffffffffffn,
    0x4000000000000001n,
  ],
];

/** A value for a general register: often the address of something. */
export function registerValue(random: Random): bigint {
  const kind = random.below(10);
  if (kind < 4) return BigInt(DATA + random.below(0x60000));
  if (kind < 6) return BigInt(CODE + random.below(CODE_SIZE));
  if (kind < 9) return random.pick(VALUES);
  return (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32));
}

// ── tables ────────────────────────────────────────────────────────────────────────────────────────────────

function descriptor(base: number, limit: number, access: number, flags: number): bigint {
  const b = BigInt(base);
  const l = BigInt(limit);
  return (
    (l & 0xffffn) |
    ((b & 0xffffffn) << 16n) |
    (BigInt(access) << 40n) |
    (((l >> 16n) & 0xfn) << 48n) |
    (BigInt(flags) << 52n) |
    ((b >> 24n) << 56n)
  );
}

const random64 = (random: Random): bigint =>
  (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32));

/** Flat code and data of all sizes and rings first, then oddities, task-state segments, gates, noise. */
function gdt(random: Random): bigint[] {
  const table = [
    0n,
    descriptor(0, 0xfffff, 0x9b, 0xa),
    descriptor(0, 0xfffff, 0x93, 0xc),
    descriptor(0, 0xfffff, 0x9b, 0xc),
    descriptor(0, 0xfffff, 0xfb, 0xc),
    descriptor(0, 0xfffff, 0xf3, 0xc),
    descriptor(0, 0xfffff, 0xfb, 0xa),
    descriptor(CODE, 0xffff, 0x9b, 0),
    descriptor(DATA, 0xffff, 0x93, 0),
    descriptor(0, 0xfffff, 0x9f, 0xc),
    descriptor(DATA, 0x1fff, 0x97, 4),
    descriptor(TSS, 0x200, 0x89, 0),
    0n,
    descriptor(TSS + 0x400, 0x200, 0x89, 0),
    0n,
    descriptor(TSS + 0x800, 0x40, 0x81, 0),
    0n,
    descriptor(GDT, 0xbf, 0x82, 0),
    0n,
    // A call gate and a task gate.
    BigInt(STUBS) | (8n << 16n) | (0xecn << 40n),
    (0x58n << 16n) | (0xe5n << 40n),
  ];
  while (table.length < GDT_ENTRIES) table.push(random64(random));
  if (random.below(3) === 0) table[1 + random.below(GDT_ENTRIES - 1)] = random64(random);
  return table;
}

/** Bytes of one handler: drops an error code if there is one, steps over a byte or two, returns. */
function stub(vector: number, size: CodeSize, random: Random): number[] {
  const withCode = [8, 10, 11, 12, 13, 14, 17, 21].includes(vector);
  const step = random.below(8) === 0 ? 0 : 1 + random.below(3);
  if (size === 64)
    return [...(withCode ? [0x48, 0x83, 0xc4, 8] : []), 0x48, 0x83, 0x04, 0x24, step, 0x48, 0xcf];
  if (size === 32) return [...(withCode ? [0x83, 0xc4, 4] : []), 0x83, 0x04, 0x24, step, 0xcf];
  return [0x55, 0x89, 0xe5, 0x83, 0x46, 2, step, 0x5d, 0xcf];
}

const STUB_BYTES = 16;

function gate(random: Random, vector: number, selector: number): bigint {
  const kind = random.below(24);
  const target = kind === 0 ? CODE + random.below(CODE_SIZE) : STUBS + vector * STUB_BYTES;
  const type = kind === 1 ? 0x8f : kind === 2 ? 0x0e : kind === 3 ? 0x85 : kind === 4 ? 0xef : 0x8e;
  const where = kind === 3 ? 0x58 : kind === 5 ? random.below(GDT_ENTRIES) * 8 : selector;
  return (
    (BigInt(target) & 0xffffn) |
    (BigInt(where) << 16n) |
    (BigInt(random.below(6) === 0 ? random.below(8) : 0) << 32n) |
    (BigInt(type) << 40n) |
    ((BigInt(target) >> 16n) << 48n)
  );
}

function interruptTable(memory: GuestMemory, random: Random, size: CodeSize, mode: WorldMode): void {
  const long = mode === "long" || mode === "compatibility";
  for (let vector = 0; vector < VECTORS; vector++) {
    memory.write(STUBS + vector * STUB_BYTES, Uint8Array.from(stub(vector, size, random)));
  }
  if (mode === "real") {
    const view = new DataView(new ArrayBuffer(VECTORS * 4));
    for (let vector = 0; vector < VECTORS; vector++)
      view.setUint32(vector * 4, STUBS + vector * STUB_BYTES, true);
    memory.write(0, new Uint8Array(view.buffer));
    return;
  }
  const selector = long ? 0x08 : size === 16 ? 0x38 : 0x18;
  const table = Array.from({ length: VECTORS }, (_, vector) => gate(random, vector, selector));
  writeWords(memory, IDT, long ? table.flatMap((low) => [low, 0n]) : table);
}

/** Task-state segments with stacks in data, interrupt stacks anywhere, permission maps of noise. */
function taskStates(memory: GuestMemory, random: Random): void {
  const bytes = new Uint8Array(0x1000);
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(0x100);
  const view = new DataView(bytes.buffer);
  for (const tss of [0, 0x400]) {
    for (let at = 4; at < 0x64; at += 8) {
      view.setUint32(tss + at, DATA + 0x8000 + random.below(0x8000), true);
      view.setUint32(tss + at + 4, random.below(10) ? 0 : random.below(2 ** 32), true);
    }
    view.setUint32(tss + 8, 0x10, true);
    view.setUint16(tss + 0x66, random.pick([0x68, 0x100, 0xffff]), true);
  }
  memory.write(TSS, bytes);
}

// ── state ─────────────────────────────────────────────────────────────────────────────────────────────────

const segment = (selector: number, base: number, limit: number, access: number): SegmentRegister => ({
  selector,
  base: BigInt(base),
  limit,
  access,
});

interface Entry {
  cs: SegmentRegister;
  data: SegmentRegister;
  rip: number;
  cr0: bigint;
  cr3: bigint;
  cr4: bigint;
  efer: bigint;
  /** RFLAGS, when any will not do. */
  flags?: bigint;
  size: CodeSize;
}

function entry(mode: WorldMode, random: Random): Entry {
  const sse = 0x600n;
  const extra = random.below(3)
    ? 0n
    : random.pick([0x80n, 0x100000n, 0x200000n, 0x300080n, 0x40000n, 0x20880n]);
  const flat = segment(0x10, 0, 0xffffffff, 0xc093);
  const base = {
    data: flat,
    rip: CODE + random.below(CODE_SIZE),
    cr0: 0x11n,
    cr3: BigInt(PML4),
    cr4: sse,
    efer: 0n,
  };
  const code32 = segment(0x18, 0, 0xffffffff, 0xc09b);
  const long = { cr0: 0x80010031n, cr4: sse | 0x20n | extra, efer: 0xd01n };
  switch (mode) {
    case "real":
      return {
        ...base,
        cs: segment(REAL_CODE >> 4, REAL_CODE, 0xffff, 0x9b),
        data: segment(DATA >> 4, DATA, 0xffff, 0x93),
        rip: random.below(0x8000),
        cr0: 0x10n,
        size: 16,
      };
    case "virtual":
      return {
        ...base,
        cs: segment(REAL_CODE >> 4, REAL_CODE, 0xffff, 0xf3),
        data: segment(DATA >> 4, DATA, 0xffff, 0xf3),
        rip: random.below(0x8000),
        flags: random.pick([0x20202n, 0x23202n, 0x23002n]),
        size: 16,
      };
    case "code16":
      return {
        ...base,
        cs: segment(0x38, CODE, 0xffff, 0x9b),
        data: segment(0x40, DATA, 0xffff, 0x93),
        rip: random.below(CODE_SIZE),
        size: 16,
      };
    case "flat32":
      return { ...base, cs: code32, size: 32 };
    case "legacy":
      return { ...base, cs: code32, cr0: 0x80010031n, cr4: sse | 0x10n | (extra & ~0x20000n), size: 32 };
    case "pae":
      return {
        ...base,
        cs: code32,
        cr0: 0x80010031n,
        cr3: BigInt(PDPT),
        cr4: sse | 0x30n | (extra & ~0x20000n),
        efer: 0x800n,
        size: 32,
      };
    case "compatibility":
      return { ...base, ...long, cs: code32, size: 32 };
    case "long":
      return { ...base, ...long, cs: segment(0x08, 0, 0xffffffff, 0xa09b), size: 64 };
  }
}

function stateFor(at: Entry, random: Random, mode: WorldMode): CpuState {
  const unusable = segment(0, 0, 0, 0x10000);
  const real = mode === "real";
  const state: CpuState = {
    gpr: Array.from({ length: 16 }, () => registerValue(random)),
    rip: BigInt(at.rip),
    rflags: at.flags ?? random.pick([0x2n, 0x202n, 0x202n, 0x3202n, 0x40202n, 0x302n]),
    es: { ...at.data },
    cs: at.cs,
    ss: { ...at.data },
    ds: { ...at.data },
    fs: { ...at.data },
    gs: { ...at.data },
    ldtr: unusable,
    tr: segment(real ? 0 : 0x58, real ? 0 : TSS, 0x200, 0x8b),
    gdtr: { base: BigInt(GDT), limit: GDT_ENTRIES * 8 - 1 },
    idtr: real ? { base: 0n, limit: 0x3ff } : { base: BigInt(IDT), limit: 0xfff },
    cr0: at.cr0,
    cr2: 0n,
    cr3: at.cr3,
    cr4: at.cr4,
    efer: at.efer,
    dr: [0n, 0n, 0n, 0n, 0n, 0n, 0xffff0ff0n, 0x400n],
    msrs: {},
    halted: false,
    waitForSipi: false,
  };
  state.gpr[4] = at.size === 16 ? 0xf000n : BigInt(DATA + 0x4000 + random.below(0x1000) * 8);
  if (at.size !== 16 && random.below(3)) state.gpr[7] = BigInt(CODE + random.below(CODE_SIZE));
  return state;
}

/** A prepared guest. */
export interface World {
  mode: WorldMode;
  size: CodeSize;
  state: CpuState;
}

/** Interrupts may change the code size: to 64 bits in IA-32e mode, to that of the gate from virtual-8086 mode. */
function handlerSize(mode: WorldMode, size: CodeSize): CodeSize {
  if (mode === "compatibility") return 64;
  return mode === "virtual" ? 32 : size;
}

/** Writes a random world into guest memory and returns the state to start in. */
export function buildWorld(memory: GuestMemory, random: Random): World {
  for (const { start, size } of WORLD_RAM) memory.fill(start, size, 0);
  const mode = random.pick(MODES);
  const at = entry(mode, random);
  const code = new Uint8Array(CODE_SIZE);
  fillWithCode(code, random, at.size);
  memory.write(mode === "real" || mode === "virtual" ? REAL_CODE : CODE, code);
  if (random.below(2)) memory.write(CODE + CODE_SIZE, code.subarray(0, PAGE));
  memory.write(FOUR_GIB - PAGE, code.subarray(0, 2 * PAGE));
  writeWords(memory, GDT, gdt(random));
  interruptTable(memory, random, handlerSize(mode, at.size), mode);
  taskStates(memory, random);
  if (mode === "legacy") legacyPaging(memory, random);
  else if (mode !== "real") widePaging(memory, random, mode === "pae");
  return { mode, size: at.size, state: stateFor(at, random, mode) };
}
