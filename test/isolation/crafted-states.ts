/** CPUs in states that somebody crafted: whatever the check lets through, an engine must be able to run (R6.2). */
import assert from "node:assert/strict";
import { ShapeError } from "../../src/bytes/shape.js";
import type { Engine, Translations } from "../../src/engine/contract.js";
import { checkCpuState, translationsShape } from "../../src/engine/x86/checked-state.js";
import { ACCESS_MODES } from "../../src/engine/x86/layout.js";
import type { CpuidLeaf } from "../../src/x86/cpuid.js";
import type { CpuState } from "../../src/x86/cpu-state.js";
import { mutated, wandered } from "../support/mutations.js";
import { Random } from "../support/random.js";
import { FUZZ_CPUID, live, type LifeReport } from "./fuzz-cpu.js";

export function passesCheck(state: unknown): boolean {
  try {
    checkCpuState(state, FUZZ_CPUID);
    return true;
  } catch (error) {
    if (error instanceof ShapeError) return false;
    throw error;
  }
}

/** What a state may have besides, so that it can be changed. */
function withHidden(state: CpuState, random: Random): CpuState {
  const { fxsave, ...rest } = state;
  return {
    ...rest,
    fxsave: fxsave ?? new Uint8Array(512),
    msrs: { ...state.msrs, 0xc0000082: 0x1000n, 0xc0000081: 0x0018001000000000n, 0x176: 0x4000n, 0x3b: 1n },
    nmiPending: random.below(4) === 0,
    nmiBlocked: false,
    interruptTaken: false,
    pendingDebug: 0,
    interruptShadow: "sti",
    x87Selectors: { code: 0, data: 0 },
    monitor: { address: 0x20000, waiting: random.below(8) === 0, wakesOnMasked: false },
    xcr0: 3n,
  };
}

/** Short lives: what is odd of a state shows soon. */
const LEGS = 6;
const CHANGES = 60;

/** One life that begins in a crafted state, far from a real one. Throws where the engine breaks a promise. */
export function liveCrafted(engine: Engine, seed: number): LifeReport {
  return live(engine, seed, undefined, undefined, LEGS, (state, random) => {
    const start = checkCpuState(withHidden(state, random), FUZZ_CPUID);
    return wandered(start, random, CHANGES, passesCheck);
  });
}

/** Numbers of one entry: a page that code or data is on, an access mode, any physical page, flags. */
function entry(random: Random, modes: number): number[] {
  const pages = [random.below(0x500), 0xfffff, 0x100000, -1, -(2 ** 35), 2 ** 35 - 1, random.below(2 ** 31)];
  const frames = [random.below(0x500), 0xa0, 0x400, 0xfffff, 0x100010, 0x10001f, 0x100020, 2 ** 32 - 1];
  return [random.pick(pages), random.below(modes), random.pick(frames), random.below(2 ** 32)];
}

function craftedTranslations(random: Random): Translations {
  const many = (modes: number): number[] =>
    Array.from({ length: random.below(200) }, () => entry(random, modes)).flat();
  return translationsShape.check(
    { data: many(ACCESS_MODES), code: many(2), large: [random.below(8)], gigabytes: random.below(16) },
    "translations",
  );
}

/** One life of a CPU that is made to remember translations that no page table ever had. */
export function liveTranslated(engine: Engine, seed: number): LifeReport {
  const random = new Random(seed);
  return live(
    engine,
    seed,
    undefined,
    (cpu) => {
      if (random.below(4) === 0) cpu.writeTranslations!(craftedTranslations(random));
    },
    LEGS,
  );
}

/** How many of `count` hostile changes to a state were let through. */
export function letThrough(state: CpuState, random: Random, count: number): number {
  let passed = 0;
  for (let i = 0; i < count; i++) if (passesCheck(mutated(withHidden(state, random), random, true))) passed++;
  return passed;
}

/** The same engine, each state that it gives out checked. */
export function checking(engine: Engine): Engine {
  return {
    ...engine,
    createVm(spec, host, ...rest) {
      const vm = engine.createVm(spec, host, ...rest);
      const createCpu = vm.createCpu.bind(vm);
      vm.createCpu = (id: number, cpuid: readonly CpuidLeaf[]) => {
        const cpu = createCpu(id, cpuid);
        const readState = cpu.readState.bind(cpu);
        const writeState = cpu.writeState.bind(cpu);
        // As it is made, a CPU is in no state.
        let entered = false;
        cpu.writeState = (state) => {
          entered = true;
          writeState(state);
        };
        cpu.readState = () => {
          const state = readState();
          if (entered && state.shutdown === undefined) assert.deepEqual(checkCpuState(state, cpuid), state);
          return state;
        };
        return cpu;
      };
      return vm;
    },
  };
}
