/**
 * R3.10: the quick paths of generated code do what the exact functions do, or leave to them with nothing changed.
 * Thousands of random states each; a failure names its seed.
 */
import { CR4_SMEP as SMEP } from "../../../src/spec/x86-privileged.js";
import assert from "node:assert/strict";
import test from "node:test";
import * as L from "../../../src/engine/x86/layout.js";
import { OPERATIONS } from "../../../src/engine/x86/operands.js";
import { runHelper, slowTranslate, translateCode } from "../../../src/engine/x86/system/calls.js";
import { deliverFault, deliverInterrupt } from "../../../src/engine/x86/system/delivery.js";
import { hasErrorCode } from "../../../src/engine/x86/system/faults.js";
import { HELPERS } from "../../../src/engine/x86/system/instructions.js";
import { Random } from "../../support/random.js";
import { GPR, IDT, INSTRUCTION_RIP, longMode, PD, PDPT, PML4, PT, record, TSS } from "./bench.js";
import { ODD_SELECTORS, QuickBench, randomFlags, randomState, seldom, STACKS } from "./quick-paths.js";

const CASES = 1500;
const RSP = GPR(4);
const KERNEL_POINTER = 0xffff_8000_0000_1234n;
const NOT_CANONICAL = 1n << 47n;
/** Windows of linear pages that translations are tried on: nothing else lies there. */
const FIRST_PAGE = 0x40;
const PAGES = 4;

function pointer(random: Random): bigint {
  if (seldom(random)) return NOT_CANONICAL << BigInt(random.below(10));
  return random.pick([KERNEL_POINTER, 0x7fff_0000_1000n, BigInt(random.below(0x7fffffff))]);
}

/** Runs `step` on many states; says how many the quick path did itself. */
function many(step: (quick: QuickBench, random: Random, what: string) => boolean): number {
  const quick = new QuickBench();
  let done = 0;
  for (let seed = 1; seed <= CASES; seed++) {
    const random = new Random(seed * 0x9e37);
    for (let i = 0; i < 4; i++) random.below(2);
    randomState(quick, random);
    if (step(quick, random, `seed ${seed}`)) done++;
  }
  return done;
}

function pokeFrame({ bench }: QuickBench, random: Random): void {
  const { cpu } = bench;
  const at = random.pick(STACKS) - (seldom(random) ? random.below(40) : 40 + random.below(4) * 8);
  cpu.setAddress(RSP, at);
  const [code, stack] = random.pick([
    [0x08, 0x10],
    [0x08, 0],
    [0x23, 0x1b],
    [0x23, 0x1b],
    [seldom(random, 2) ? random.pick(ODD_SELECTORS) : 0x23, random.pick(ODD_SELECTORS)],
    [random.pick(ODD_SELECTORS), 0x1b],
  ]);
  const garbage = BigInt(random.below(0x10000)) << 16n;
  const values = [
    pointer(random),
    BigInt(code) | garbage,
    BigInt(randomFlags(random)),
    pointer(random),
    BigInt(stack),
  ];
  values.forEach((value, i) => bench.poke(at + i * 8, 8, value));
}

test("R3.10 IRETQ: generated code and the exact path agree, and it leaves with nothing changed", () => {
  const operation = OPERATIONS.list.find(({ mnemonic, size }) => mnemonic === "iret" && size === 8)!;
  const done = many((quick, random, what) => {
    pokeFrame(quick, random);
    const { cpu } = quick.bench;
    const at = record(cpu);
    return quick.compare(
      what,
      () => quick.handler(operation.id)(cpu.base, at),
      () => runHelper(cpu, HELPERS["iret"], at, 8),
    );
  });
  assert.ok(done > CASES / 20 && done < CASES, `${done} of ${CASES} done by generated code`);
});

function pokeGate({ bench }: QuickBench, vector: number, random: Random): void {
  const selector = seldom(random, 8) ? random.pick(ODD_SELECTORS) : 0x08 + (seldom(random) ? 3 : 0);
  const type = seldom(random) ? random.below(32) : random.pick([0xe, 0xf]);
  const present = seldom(random) ? 0 : 0x80;
  const ist = random.below(2) * random.below(8);
  const target = pointer(random);
  const words = (target & 0xffffn) | (BigInt(selector) << 16n) | (((target >> 16n) & 0xffffn) << 48n);
  bench.poke(IDT + vector * 16, 8, words | (BigInt(ist | ((type | present) << 8)) << 32n));
  bench.poke(IDT + vector * 16 + 8, 8, target >> 32n);
}

/** Mostly within a page of stack, sometimes so that the frame reaches into the page below. */
function stackTop(random: Random): number {
  return random.pick(STACKS) + random.pick([0x20, 0x400, 0x800, 0xfe0]) + random.below(32);
}

function pokeStacks({ bench }: QuickBench, random: Random): void {
  const place = (): bigint =>
    seldom(random) ? NOT_CANONICAL : BigInt(random.pick(STACKS) + random.below(32));
  bench.poke(TSS + 4, 8, place());
  for (let ist = 0; ist < 7; ist++) bench.poke(TSS + 0x24 + ist * 8, 8, place());
  const { cpu } = bench;
  cpu.setAddress(RSP, stackTop(random));
  if (seldom(random)) cpu.set32(L.SEGMENT_LIMIT + L.TR * 4, random.below(0x60));
  if (seldom(random)) cpu.set32(L.IDTR_LIMIT, random.below(0xfff));
}

test("R3.10 delivery: generated code and the exact path agree on faults and interrupts", () => {
  const done = many((quick, random, what) => {
    const vector = random.pick([0, 6, 8, 13, 14, 14, 0x20, 0x40, 0xff]);
    pokeGate(quick, vector, random);
    pokeStacks(quick, random);
    const { cpu } = quick.bench;
    const external = vector >= 0x20;
    const code = hasErrorCode(vector) ? random.below(0x10000) : -1;
    const linear = random.below(0x7fffffff);
    cpu.setAddress(L.CR2, linear);
    return quick.compare(
      what,
      () => {
        const restarts = external || vector === 8 ? 0 : 1;
        if (quick.exported("enterQuickly")(cpu.base, vector, code, restarts) === 0) quick.left = true;
        return 0;
      },
      () => {
        if (external) deliverInterrupt(cpu, vector);
        else deliverFault(cpu, vector, code, linear);
        return 0;
      },
    );
  });
  assert.ok(done > CASES / 5 && done < CASES, `${done} of ${CASES} done by generated code`);
});

/** Pages of paging tables, and those that entries lead to. */
const TABLES = [PML4, PDPT, PD, PT].map((table) => table >>> 12);
const RAM_PAGES = [0x48, 0x49, 0x4a];

/** Entries for the pages that are tried: RAM of every right, code, devices, absent, large; upper entries seldom odd. */
function pokeEntries(quick: QuickBench, random: Random): void {
  const { bench } = quick;
  for (let i = 0; i < PAGES; i++) {
    const ram = random.pick([...RAM_PAGES, seldom(random, 4) ? 0x400 : 0x4b]);
    let entry = BigInt((ram << 12) | 1 | (random.below(256) << 1)) & ~0x80n;
    if (seldom(random, 6)) entry &= ~1n;
    if (seldom(random)) entry |= 1n << BigInt(40 + random.below(24));
    bench.poke(PT + (FIRST_PAGE + i) * 8, 8, entry);
  }
  for (const page of [...RAM_PAGES, PT >>> 12]) quick.setCode(page, seldom(random, 6));
  for (const page of [...TABLES, ...RAM_PAGES])
    bench.cpu.u8[L.ABSENT_PAGES + page] = seldom(random, 60) ? 1 : 0;
  bench.poke(PD + 8, 8, (random.below(512) << 1) | 0x200081 | (seldom(random) ? 0x4000 : 0));
  if (seldom(random)) bench.poke(PD, 8, PT | random.pick([3, 5, 0x23, 0x27, 0x26]));
  else bench.poke(PD, 8, PT | 0x27);
  bench.cpu.set32(L.CR3, bench.cpu.get32(L.CR3) | random.below(4096));
  bench.cpu.u8.fill(0, L.MONITORED_PAGES, L.MONITORED_PAGES + L.MONITORED_PAGES_MASK + 1);
}

/** An address that is tried: mostly one of the pages with entries, or the 2 MiB page behind them. */
function address(random: Random): number {
  const offset = seldom(random) ? 0xffd : random.below(0xff0);
  if (seldom(random, 8)) return 0x200000 + random.below(0x1fffff);
  return ((FIRST_PAGE + random.below(PAGES)) << 12) + offset;
}

test("R3.10 page walks: generated code and the exact path agree on hosts, faults, TLB, A and D", () => {
  const outcomes = { hosts: 0, faults: 0 };
  const done = many((quick, random, what) => {
    const { cpu } = quick.bench;
    pokeEntries(quick, random);
    pokeGate(quick, 14, random);
    pokeStacks(quick, random);
    const at = record(cpu);
    let all = true;
    for (let i = 0; i < 6; i++) {
      const linear = address(random);
      const info = random.pick([1, 2, 4, 8, 16]) | (random.below(3) << 8);
      cpu.setAddress(L.MAIL_ADDRESS, linear);
      cpu.setAddress(L.RIP, INSTRUCTION_RIP);
      let host = 0;
      const finished = quick.compare(
        `${what}, access ${i} to 0x${linear.toString(16)}, info 0x${info.toString(16)}`,
        () => (host = quick.exported("translate")(cpu.base, at, info) >>> 0),
        () => slowTranslate(cpu, at, info),
      );
      if (finished && host === 0) outcomes.faults++;
      else if (finished) outcomes.hosts++;
      else slowTranslate(cpu, at, info);
      all &&= finished;
    }
    return all;
  });
  const counts = JSON.stringify(outcomes);
  assert.ok(outcomes.hosts > CASES / 2 && outcomes.faults > CASES / 2 && done < CASES, counts);
});

test("R3.10 a walk that comes to a page which is still to be fetched is left to the exact path, for data and for code", () => {
  const quick = new QuickBench();
  const { bench } = quick;
  const { cpu } = bench;
  longMode(bench);
  const [page] = RAM_PAGES;
  bench.poke(PT + FIRST_PAGE * 8, 8, (page << 12) | 0x67);
  for (const table of [PML4, PDPT, PD]) bench.poke(table, 8, bench.peek(table, 8) | 0x20n);
  cpu.setAddress(L.MAIL_ADDRESS, FIRST_PAGE << 12);
  const tries: [name: string, rest: number[]][] = [
    ["translate", [record(cpu), 4]],
    ["fetch", []],
  ];
  for (const [name, rest] of tries)
    for (const absent of [...TABLES, page, undefined]) {
      cpu.tlb.flushAll();
      if (absent !== undefined) cpu.u8[L.ABSENT_PAGES + absent] = 1;
      quick.left = false;
      const result = quick.exported(name)(cpu.base, ...rest);
      assert.equal(quick.left, absent !== undefined, `${name}, page ${absent}`);
      assert.equal(result !== 0, absent === undefined, name);
      if (absent !== undefined) cpu.u8[L.ABSENT_PAGES + absent] = 0;
    }
});

test("R3.10 fetches: generated code and the exact path agree on faults, the instruction TLB and A", () => {
  const outcomes = { pages: 0, faults: 0 };
  many((quick, random, what) => {
    const { cpu } = quick.bench;
    pokeEntries(quick, random);
    pokeGate(quick, 14, random);
    pokeStacks(quick, random);
    cpu.set32(L.CR4, cpu.get32(L.CR4) | (random.below(2) * SMEP));
    for (let i = 0; i < 6; i++) {
      const linear = seldom(random) ? Number(NOT_CANONICAL) : address(random);
      cpu.setAddress(L.RIP, linear);
      cpu.setAddress(L.MAIL_ADDRESS, linear);
      let found = 0;
      const exact = (): number => (translateCode(cpu, linear) >= 0 ? 1 : 0);
      const done = quick.compare(
        `${what}, fetch ${i} from 0x${linear.toString(16)}`,
        () => (found = quick.exported("fetch")(cpu.base)),
        exact,
      );
      if (!done) exact();
      else if (found) outcomes.pages++;
      else outcomes.faults++;
    }
    return true;
  });
  assert.ok(outcomes.pages > CASES && outcomes.faults > CASES / 4, JSON.stringify(outcomes));
});
