/**
 * An engine around another whose CPUs are always under a debugger that goes on at once: each run has breakpoints and
 * watchpoints at random places where the guest has been, and what stops at one goes on. The guest must not notice.
 */
import type { Cpu, Engine, Exit, Vm } from "../../src/engine/contract.js";
import { Random } from "./random.js";

const PAGE = 0x1000n;
/** Places that are remembered, and set at once. */
const REMEMBERED = 200;
const MOST_SET = 4;
const GPRS = 16;

/** How often the debugger was asked for. */
export interface DebuggerReport {
  breakpoints: number;
  watchpoints: number;
}

/** The CPU with a debugger: what it does not do itself its prototype does. */
function debugged(inner: Cpu, random: Random, report: DebuggerReport): Cpu {
  const places: bigint[] = [];
  const data: bigint[] = [];
  const look = (): void => {
    const { rip, gpr } = inner.readState();
    places[random.below(REMEMBERED)] = rip;
    data[random.below(REMEMBERED)] = gpr[random.below(GPRS)];
  };
  const some = (list: readonly bigint[]): bigint[] => {
    const known = Object.values(list);
    return Array.from({ length: random.below(MOST_SET) }, () => known[random.below(known.length)]);
  };
  const run = (budget: number): Exit => {
    look();
    inner.setBreakpoints!(some(places));
    const watched = some(data).map((linear) => ({ linear, length: 8, reads: random.below(2) === 0 }));
    inner.setWatchpoints!(watched.filter(({ linear }) => (linear % PAGE) + 8n <= PAGE));
    const end = inner.instructions + budget;
    for (;;) {
      const exit = inner.run(end - inner.instructions);
      if (exit.reason === "breakpoint") report.breakpoints++;
      else if (exit.reason === "watchpoint") report.watchpoints++;
      else return exit;
      look();
    }
  };
  return new Proxy(inner, {
    get(cpu, name) {
      if (name === "run") return run;
      const value: unknown = Reflect.get(cpu, name, cpu);
      return typeof value === "function" ? (value.bind(cpu) as unknown) : value;
    },
  });
}

/** The engine whose guests are debugged, with what the debugger saw. */
export function debuggedEngine(engine: Engine, seed: number): { engine: Engine; report: DebuggerReport } {
  const report = { breakpoints: 0, watchpoints: 0 };
  const random = new Random(seed);
  const createVm: Engine["createVm"] = (...made): Vm => {
    const vm = engine.createVm(...made);
    return {
      memory: vm.memory,
      createCpu: (id, cpuid) => debugged(vm.createCpu(id, cpuid), random, report),
      counters: () => vm.counters(),
      dispose: () => vm.dispose(),
    };
  };
  return { engine: { ...engine, createVm }, report };
}
