/**
 * Lives of the hostile guest: machine after machine with the next seed, each until it ends itself or has had its
 * share, with every bound that a guest must not break checked on the way.
 */
import assert from "node:assert/strict";
import { buildPlan, type Plan } from "../../src/boot/index.js";
import { ROUTE } from "../../src/devices/power/reset-routes.js";
import type { Engine } from "../../src/engine/contract.js";
import { buildBoard, type BoardContext } from "../../src/machine/board.js";
import type { ConsoleEnd } from "../../src/machine/console.js";
import { Machine } from "../../src/machine/machine.js";
import type { TimerQueue } from "../../src/machine/timers.js";
import { fwCfgItems } from "../../src/firmware/fw-cfg.js";
import { Random } from "../support/random.js";
import { everyDisk, everyPart } from "../support/usual-machine.js";
import { hostileGuest, seedText } from "./hostile-guest.js";
import { RegisterCoverage } from "./register-coverage.js";

const MEMORY = 0x400000;

/** The plan with the devices that a machine has for firmware. */
function withEveryDevice(plan: Plan): Plan {
  return {
    ...plan,
    devices: everyPart(),
    fwCfg: fwCfgItems([], new Map([["opt/note", new Uint8Array(100).fill(1)]])),
  };
}
const INSTRUCTIONS_PER_LIFE = 400_000;
/** Steps of a life that sleeps: timers which wake nobody. */
const STEPS_PER_LIFE = 20_000;
/** PIT, RTC and PM timer have one alarm each, every local APIC one. */
const ALARMS_BESIDE_APICS = 3;
/** No step takes a tenth of it, even on a busy machine. */
const LONGEST_STEP_MS = 5_000;
const CPU_COUNTS = [1, 1, 2, 4];
const PERIODS = [1, 10, 1000];
/** Ends that a guest may come to by itself. */
const OWN_ENDS: readonly string[] = [...Object.values(ROUTE), "interrupts-off", "no-wake-source"];
const CRASHES = ["triple-fault"];

/** A console nobody reads: it counts, and offers noise as input. */
class CountingConsole implements ConsoleEnd {
  bytes = 0;
  constructor(private readonly random: Random) {}

  write(bytes: Uint8Array): void {
    this.bytes += bytes.length;
  }

  read(limit: number): Uint8Array {
    return Uint8Array.from({ length: this.random.below(limit) }, () => this.random.below(256));
  }

  inputOpen(): boolean {
    return true;
  }
}

/** What many lives came to. Plain data. */
export interface LivesReport {
  lives: number;
  instructions: number;
  /** Ends by route; a life that lasted counts as "survived". */
  ends: Record<string, number>;
  exceptions: number;
  interrupts: number;
  consoleBytes: number;
  longestStepMs: number;
  mostTimers: number;
}

export class HostileLives {
  readonly coverage = new RegisterCoverage();
  readonly report: LivesReport = {
    lives: 0,
    instructions: 0,
    ends: {},
    exceptions: 0,
    interrupts: 0,
    consoleBytes: 0,
    longestStepMs: 0,
    mostTimers: 0,
  };
  private readonly guest = hostileGuest();

  constructor(private readonly engine: Engine) {}

  /** One machine's life. Throws an assertion for a broken bound, and whatever the machine throws. */
  live(seed: number): void {
    const random = new Random(seed);
    const cpus = random.pick(CPU_COUNTS);
    const realTime = random.below(4) === 0;
    const console = new CountingConsole(random);
    const wired: { timers?: TimerQueue } = {};
    const machine = new Machine({
      plan: withEveryDevice(
        buildPlan({
          kernel: { name: "hostile", bytes: this.guest.kernel },
          memory: MEMORY,
          cpus,
          screen: true,
          commandLine: seedText(seed * 2654435761),
          ...(realTime ? {} : { clock: { deterministic: { nsPerInstruction: random.pick(PERIODS) } } }),
        }),
      ),
      engine: this.engine,
      disks: everyDisk(),
      console,
      hostNow: () => performance.now() * 1e6,
      board: (context: BoardContext) => {
        wired.timers = context.timers as TimerQueue;
        return this.coverage.watch(buildBoard(context));
      },
    });
    try {
      this.run(machine, wired.timers!, ALARMS_BESIDE_APICS + cpus);
      this.conclude(machine, console);
    } finally {
      machine.dispose();
    }
  }

  private run(machine: Machine, timers: TimerQueue, mostTimers: number): void {
    let left = INSTRUCTIONS_PER_LIFE;
    for (let steps = 0; left > 0 && steps < STEPS_PER_LIFE; steps++) {
      const before = performance.now();
      const step = machine.step(left);
      const took = performance.now() - before;
      this.report.longestStepMs = Math.max(this.report.longestStepMs, took);
      assert.ok(took < LONGEST_STEP_MS, `a step took ${took} ms`);
      this.report.mostTimers = Math.max(this.report.mostTimers, timers.size);
      assert.ok(timers.size <= mostTimers, `${timers.size} timers`);
      if (step.state === "ended") return;
      if (step.state === "ran") {
        assert.ok(step.instructions <= left, `${step.instructions} instructions of ${left}`);
        left -= step.instructions;
      }
    }
  }

  private conclude(machine: Machine, console: CountingConsole): void {
    const { report, guest } = this;
    const { instructions } = machine.stats();
    const route = machine.end?.route ?? "survived";
    if (machine.end !== undefined) {
      const expected = machine.end.kind === "crashed" ? CRASHES : OWN_ENDS;
      assert.ok(expected.includes(route), JSON.stringify(machine.end));
    }
    assert.ok(console.bytes <= instructions, `${console.bytes} bytes by ${instructions} instructions`);
    const count = (address: number): number =>
      new DataView(machine.memory.read(address, 4).buffer).getUint32(0, true);
    report.lives++;
    report.instructions += instructions;
    report.ends[route] = (report.ends[route] ?? 0) + 1;
    report.exceptions += count(guest.exceptions);
    report.interrupts += count(guest.interrupts);
    report.consoleBytes += console.bytes;
  }
}
