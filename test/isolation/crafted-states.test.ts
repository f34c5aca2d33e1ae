/**
 * States of a CPU that come from a file: every state that a CPU gets into passes the check, and every state that passes is one
 * that an engine runs (R6.2). More lives: `crafted-states.full.test.ts`.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ShapeError } from "../../src/bytes/shape.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { checkCpuState, translationsShape } from "../../src/engine/x86/checked-state.js";
import { withFeatures } from "../../src/x86/cpu-features.js";
import { cpuidTable } from "../../src/x86/cpuid-table.js";
import { applicationProcessorState, realMode16, resetState } from "../../src/x86/entry-states.js";
import type { CpuState } from "../../src/x86/cpu-state.js";
import { allGuests } from "../conformance/guests.js";
import { differencesOnEngine } from "../conformance/suite.js";
import { movingEngine } from "../support/moving-engine.js";
import { Random } from "../support/random.js";
import { checking, letThrough, liveCrafted, liveTranslated } from "./crafted-states.js";
import { FUZZ_CPUID, live, ONE_LIFE_A_MODE, WHOLE } from "./fuzz-cpu.js";

const CRAFTED_LIVES = 6;
/** Legs of the lives that are watched. */
const LEGS = 5;
/** Groups of guests that get a CPU into every odd corner. */
const GROUPS = [
  "modes",
  "segments",
  "tasks",
  "virtual-8086 mode",
  "MONITOR, MWAIT, CLFLUSH",
  "32-bit and PAE paging",
];
const PACE = { dense: 100, then: 211 };

test("R6.2 a CPU is in a state that passes after every run of random code in every mode", () => {
  const engine = createWasmEngine({ jit: "off" });
  for (const seed of ONE_LIFE_A_MODE)
    live(
      engine,
      seed,
      undefined,
      (cpu) => {
        const state = cpu.readState();
        if (state.shutdown === undefined) checkCpuState(state, FUZZ_CPUID, `life ${seed}`);
      },
      LEGS,
    );
});

for (const { name, guests } of allGuests().filter((group) => GROUPS.includes(group.name)))
  test(`R6.2 guests of conformance are in states that pass before every instruction: ${name}`, () => {
    const moving = movingEngine(checking(createWasmEngine({ jit: "off" })), PACE);
    for (const guest of guests) assert.deepEqual(differencesOnEngine(moving, guest), [], guest.name);
  });

for (const jit of ["off", "eager"] as const)
  test(`R6.2 an engine runs whatever state passes, jit ${jit}: no exception, no error, no hang, nothing outside touched`, () => {
    const engine = createWasmEngine({ jit });
    let instructions = 0;
    for (let seed = 1; seed <= CRAFTED_LIVES; seed++) instructions += liveCrafted(engine, seed).instructions;
    assert.ok(instructions > CRAFTED_LIVES * 500, `${instructions} instructions`);
  });

test("R6.2 an engine runs on with translations that somebody made up: nothing throws, nothing outside is touched", () => {
  for (let seed = 1; seed <= 6; seed++)
    liveTranslated(createWasmEngine({ jit: seed % 2 === 0 ? "off" : "eager" }), seed);
});

test("R6.2 translations that no CPU could remember are refused by their length", () => {
  const none = { data: [], code: [], large: [], gigabytes: 0 };
  assert.deepEqual(translationsShape.check(none, "t"), none);
  assert.throws(() => translationsShape.check({ ...none, data: [1] }, "t"), { path: "t.data" });
  assert.throws(() => translationsShape.check({ ...none, code: new Array(1 << 24) }, "t"), {
    path: "t.code",
  });
  assert.throws(() => translationsShape.check({ ...none, large: [1 << 30] }, "t"), { path: "t.large[0]" });
  assert.throws(() => translationsShape.check({ ...none, gigabytes: 2 ** 32 }, "t"), { path: "t.gigabytes" });
});

test("R6.2 most changes to a state are refused, none by another error", () => {
  const state = realMode16(0x3000, 0, 0x2000, {});
  const passed = letThrough(state, new Random(77), 3000);
  assert.ok(passed > 300 && passed < 2000, `${passed} of 3000 passed`);
});

test("R6.2 states at reset and at entry pass", () => {
  for (const state of [resetState(0x506e3), applicationProcessorState(0x506e3), realMode16(0, 0x7c00, 0, {})])
    assert.deepEqual(checkCpuState(state, FUZZ_CPUID), state);
});

const REFUSED: readonly (readonly [path: string, why: string, change: Partial<CpuState>])[] = [
  ["gpr", "a general register too few", { gpr: [] }],
  ["rflags", "flags without bit 1", { rflags: 0n }],
  ["rflags", "virtual-8086 mode in real mode", { rflags: 0x20002n }],
  ["cr0", "paging without protection", { cr0: 0x80000000n }],
  ["cr0", "a reserved bit of CR0", { cr0: 0x110n << 4n }],
  ["cr4", "a bit of CR4 that no feature has", { cr4: 0x2000n }],
  ["cr3", "page tables beyond all memory", { cr3: 1n << 60n }],
  ["efer", "IA-32e mode that is active without paging", { efer: 0x400n }],
  ["rip", "64 bits of RIP in real mode", { rip: 1n << 32n }],
  ["ds.base", "64 bits of base in DS", { ds: { selector: 0, base: 1n << 40n, limit: 0, access: 0x93 } }],
  [
    "fs.base",
    "a base that is not canonical",
    { fs: { selector: 0, base: 1n << 60n, limit: 0, access: 0x93 } },
  ],
  [
    "cs.access",
    "a code segment that cannot be used",
    { cs: { selector: 0, base: 0n, limit: 0, access: 0x10000 } },
  ],
  ["gdtr.limit", "a limit of more than 16 bits", { gdtr: { base: 0n, limit: 0x10000 } }],
  ["dr[7]", "zeros where DR7 has ones", { dr: [0n, 0n, 0n, 0n, 0n, 0n, 0xffff0ff0n, 0n] }],
  ["msrs.16", "a register that the machine has, not the CPU", { msrs: { 16: 0n } }],
  ["msrs.631", "a memory type that there is not", { msrs: { 0x277: 2n } }],
  ["msrs.3221225602", "an entry point that is not canonical", { msrs: { 0xc0000082: 1n << 60n } }],
  ["xcr0", "state components without x87", { xcr0: 6n }],
  ["fxsave", "an image of another size", { fxsave: new Uint8Array(511) }],
  ["fxsave", "reserved bits of MXCSR", { fxsave: new Uint8Array(512).fill(0xff, 24, 28) }],
  ["pdptes", "pointer entries that the mode does not keep", { pdptes: [0n, 0n, 0n, 0n] }],
  [
    "monitor.address",
    "a watched line that is none",
    { monitor: { address: 1, waiting: false, wakesOnMasked: false } },
  ],
  ["pendingDebug", "a fifth breakpoint", { pendingDebug: 16 }],
];

for (const [path, why, change] of REFUSED)
  test(`R6.2 CPU: ${why} is refused, at ${path}`, () => {
    assert.throws(
      () => checkCpuState({ ...realMode16(0, 0x7c00, 0, {}), ...change }, FUZZ_CPUID, "cpus[0]"),
      (error: unknown) => error instanceof ShapeError && error.path === `cpus[0].${path}`,
    );
  });

test("R6.2 CPU: the same state is refused by a CPU without the features that it uses", () => {
  const state = { ...resetState(0), ymmUpper: new Uint8Array(256).fill(1), xcr0: 7n };
  const cpuid = cpuidTable({ features: withFeatures({ avx: true }), cpus: 1, tscHz: 2e9, apicHz: 1e9 });
  assert.deepEqual(checkCpuState(state, cpuid), state);
  assert.throws(() => checkCpuState(state, FUZZ_CPUID), { path: "cpu.xcr0" });
});

test("R6.2 what a CPU moves with passes, compiled code and all", () => {
  const engine = movingEngine(checking(createWasmEngine({ jit: "eager" })));
  for (const seed of ONE_LIFE_A_MODE.slice(0, 3)) live(engine, seed, WHOLE, undefined, 1);
});
