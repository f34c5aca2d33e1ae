/**
 * Repeated string instructions against an element-at-a-time model: random sizes, directions, overlaps, counts, page
 * crossings and address sizes, the run cut at a random element. Registers, flags, memory and the count of instructions
 * must be the model's there and at the end.
 *
 * Specification: SDM vol. 2 (REP, MOVS, STOS, LODS, SCAS, CMPS).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import type { CpuState } from "../../src/x86/cpu-state.js";
import { guest } from "../conformance/support/guest.js";
import * as layout from "../conformance/support/layout.js";
import { load, type Session } from "../conformance/support/on-engine.js";
import { alu, DF, mask, STATUS, ZF, type Size } from "../support/model/flags.js";
import { Random } from "../oracle/random.js";

const CASES = 2000;
const SEED = 0x5eed57a6;
/** Three pages with room on both sides for what must not change. */
const WINDOW = layout.DATA;
const WINDOW_BYTES = 0x3000;
/** Where programs lie, one line each. */
const CODE = layout.CODE + 0x1000;
const CODE_STEP = 64;
const FS_OVERRIDE = 0x64;
const ADDRESS_SIZE = 0x67;

const NAMES = ["movs", "cmps", "stos", "lods", "scas"] as const;
type Name = (typeof NAMES)[number];
const OPCODES: Record<Name, number> = { movs: 0xa4, cmps: 0xa6, stos: 0xaa, lods: 0xac, scas: 0xae };
const SIZES: readonly Size[] = [8, 16, 32, 64];
const PREFIXES = [0xf3, 0xf2] as const;

interface Case {
  name: Name;
  size: Size;
  prefix: number;
  narrow: boolean;
  backwards: boolean;
  rax: bigint;
  rcx: bigint;
  rsi: bigint;
  rdi: bigint;
  fsBase: bigint;
  memory: Uint8Array;
}

/** What the model changes, after each element. */
interface Model {
  rax: bigint;
  rcx: bigint;
  rsi: bigint;
  rdi: bigint;
  flags: bigint;
  memory: Uint8Array;
}

function instruction(c: Pick<Case, "name" | "size" | "prefix" | "narrow">): number[] {
  return [
    ...(c.size === 16 ? [0x66] : []),
    c.prefix,
    ...(c.narrow ? [FS_OVERRIDE, ADDRESS_SIZE] : []),
    ...(c.size === 64 ? [0x48] : []),
    OPCODES[c.name] + (c.size === 8 ? 0 : 1),
  ];
}

function codeAddress(c: Pick<Case, "name" | "size" | "prefix" | "narrow">): number {
  const index =
    ((NAMES.indexOf(c.name) * 4 + SIZES.indexOf(c.size)) * 2 + PREFIXES.indexOf(c.prefix as 0xf3)) * 2;
  return CODE + (index + (c.narrow ? 1 : 0)) * CODE_STEP;
}

const ALL = NAMES.flatMap((name) =>
  SIZES.flatMap((size) =>
    PREFIXES.flatMap((prefix) => [true, false].map((narrow) => ({ name, size, prefix, narrow }))),
  ),
);

function session(): Session {
  const made = guest("strings", { cites: "SDM vol. 2" }, (g) => {
    for (const c of ALL) g.data(codeAddress(c), [...instruction(c), 0xf4]);
    g.exit();
  });
  return load(createWasmEngine(), made);
}

function makeCase(random: () => bigint): Case {
  const below = (limit: number): number => Number(random() % BigInt(limit));
  const c = { ...ALL[below(ALL.length)] };
  const bytes = c.size / 8;
  // Few values, so that long stretches are equal and then not.
  const memory = new Uint8Array(WINDOW_BYTES).fill(below(3));
  for (let i = below(6); i > 0; i--) memory[below(WINDOW_BYTES)] = below(4);
  if (c.name === "movs") for (let i = 0; i < WINDOW_BYTES; i++) memory[i] = below(256);
  const elements = below(4) === 0 ? below(8) : below(Math.floor(0x1400 / bytes));
  const backwards = below(3) === 0;
  const span = elements * bytes + 64;
  const start = below(WINDOW_BYTES - 2 * 64 - span) + 64 + (backwards ? span - 64 : 0);
  const near =
    below(2) === 0
      ? start + below(2 * 40) - 40
      : below(WINDOW_BYTES - 128 - span) + 64 + (backwards ? span - 64 : 0);
  const other = Math.min(Math.max(near, backwards ? span : 64), WINDOW_BYTES - 64 - (backwards ? 0 : span));
  const fsBase = c.narrow ? BigInt(WINDOW - 0x1234 + below(0x800)) : 0n;
  const rsi = BigInt(WINDOW + start) - fsBase;
  const word = memory.slice(other, other + 8);
  return {
    ...c,
    backwards,
    rax: new DataView(word.buffer).getBigUint64(0, true) ^ (below(3) === 0 ? 0x0100n : 0n),
    rcx: BigInt(elements),
    rsi: c.narrow ? rsi & 0xffffffffn : BigInt.asUintN(64, rsi),
    rdi: BigInt(WINDOW + other),
    fsBase,
    memory,
  };
}

function* model(c: Case): Generator<Model, void> {
  const bytes = c.size / 8;
  const by = BigInt(c.backwards ? -bytes : bytes);
  const width = c.narrow ? 0xffffffffn : mask(64);
  const m: Model = { rax: c.rax, rcx: c.rcx, rsi: c.rsi, rdi: c.rdi, flags: 0n, memory: c.memory.slice() };
  const at = (linear: bigint): number => Number(linear & width) - WINDOW;
  const read = (place: number): bigint => {
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(m.memory[place + i]);
    return value;
  };
  const write = (place: number, value: bigint): void => {
    for (let i = 0; i < bytes; i++) m.memory[place + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  };
  const accumulator = (): bigint => m.rax & mask(c.size);
  while (m.rcx !== 0n) {
    const source = Number(((m.rsi & width) + c.fsBase) & mask(64)) - WINDOW;
    const target = at(m.rdi);
    if (c.name === "movs") write(target, read(source));
    else if (c.name === "stos") write(target, accumulator());
    else if (c.name === "lods") {
      const value = read(source);
      m.rax = c.size === 32 ? value : (m.rax & ~mask(c.size)) | value;
    }
    const left = c.name === "scas" ? accumulator() : c.name === "cmps" ? read(source) : undefined;
    const flags = left === undefined ? undefined : alu("cmp", c.size, left, read(target), 0n).flags;
    if (c.name === "movs" || c.name === "lods" || c.name === "cmps") m.rsi = (m.rsi + by) & width;
    if (c.name !== "lods") m.rdi = (m.rdi + by) & width;
    m.rcx = (m.rcx - 1n) & width;
    const found = flags !== undefined && ((flags & ZF) !== 0n) !== (c.prefix === 0xf3);
    // Flags are written where the instruction ends: before that a fault or trap finds those from before it.
    if (flags !== undefined && (found || m.rcx === 0n)) m.flags = flags;
    yield m;
    if (found) return;
  }
}

function startOf(c: Case, base: CpuState): CpuState {
  const gpr = base.gpr.slice();
  [gpr[0], gpr[1], gpr[6], gpr[7]] = [c.rax, c.rcx, c.rsi, c.rdi];
  return {
    ...base,
    gpr,
    rip: BigInt(codeAddress(c)),
    rflags: 2n | (c.backwards ? DF : 0n),
    fs: { ...base.fs, base: c.fsBase },
  };
}

function check({ cpu, memory }: Session, m: Model, name: string): void {
  const state = cpu.readState();
  const [rax, rcx, , , , , rsi, rdi] = state.gpr;
  assert.deepEqual(
    { rax, rcx, rsi, rdi, flags: state.rflags & STATUS },
    { rax: m.rax, rcx: m.rcx, rsi: m.rsi, rdi: m.rdi, flags: m.flags },
    name,
  );
  assert.deepEqual(Buffer.compare(memory.read(WINDOW, WINDOW_BYTES), m.memory), 0, `${name}: memory`);
}

/** Runs to the element at which the run is cut and looks, then to the end. */
function judge(s: Session, base: CpuState, c: Case, cut: number, name: string): void {
  s.memory.write(WINDOW, c.memory);
  s.cpu.writeState(startOf(c, base));
  const before = s.cpu.instructions;
  let elements = 0;
  let last: Model | undefined;
  for (const m of model(c)) {
    last = m;
    if (++elements !== cut) continue;
    s.run(elements);
    assert.equal(s.cpu.instructions - before, elements, `${name}: instructions`);
    check(s, m, `${name}, cut at ${cut}`);
  }
  const exit = s.run(100_000);
  assert.equal(exit.reason, "halt", name);
  // An exhausted instruction counts one, and HLT is another.
  assert.equal(s.cpu.instructions - before, Math.max(1, elements) + 1, `${name}: instructions`);
  if (last) check(s, last, name);
}

test("R6.1 repeated string instructions do what one element at a time would", () => {
  const generator = new Random().seed(SEED);
  const random = (): bigint => generator.u64();
  const s = session();
  try {
    const base = s.cpu.readState();
    for (let i = 0; i < CASES; i++) {
      const c = makeCase(random);
      const cut = 1 + Number(random() % (c.rcx + 1n));
      const text = `${c.name}${c.size} prefix ${c.prefix.toString(16)} narrow ${c.narrow} DF ${c.backwards}`;
      const place = `rcx ${c.rcx} rsi ${c.rsi.toString(16)} rdi ${c.rdi.toString(16)} fs ${c.fsBase.toString(16)}`;
      judge(s, base, c, cut, `case ${i}: ${text}, ${place}`);
    }
  } finally {
    s.vm.dispose();
  }
});

test("R6.1 a 32-bit index that wraps within a page goes on below 4 GiB", () => {
  const s = session();
  try {
    const fsBase = BigInt(WINDOW + 0x804);
    const to = WINDOW + 0x2800;
    const c = { ...ALL[0], name: "movs", size: 8, prefix: 0xf3, narrow: true, backwards: true } as const;
    s.memory.write(WINDOW, new Uint8Array(WINDOW_BYTES).fill(1));
    const memory = new Uint8Array(0);
    const start: Case = { ...c, memory, fsBase, rax: 0n, rcx: 0x20n, rsi: 0x10n, rdi: BigInt(to) };
    s.cpu.writeState(startOf(start, s.cpu.readState()));
    s.run(0x20);
    // The next element lies 4 GiB behind the FS base, where nothing is mapped.
    const { gpr, cr2 } = s.cpu.readState();
    assert.deepEqual([gpr[6], cr2], [0xffffffffn, fsBase + 0xffffffffn]);
  } finally {
    s.vm.dispose();
  }
});
