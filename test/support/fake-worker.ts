/**
 * A machine's thread with scripted CPUs on the toy board, for tests of what surrounds a thread. The name of
 * the engine chooses the script.
 */
import { writeSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import type { Engine } from "../../src/engine/contract.js";
import { EngineUnavailable } from "../../src/host/node/engines.js";
import { serveMachine } from "../../src/host/node/serve.js";
import { createFakeEngine, type Script, type ScriptCpu } from "./fake-engine.js";
import { toyBoard } from "./fake-machine.js";

const OUTPUT_SIZE = 1_000_000;
const BURST_SIZE = 200_000;
/** Of the process: a thread's own stream would need main. */
const STDERR = 2;

function print(cpu: ScriptCpu, text: string): void {
  for (const char of text) cpu.out(0x10, char.charCodeAt(0));
}

const SCRIPTS: Record<string, (cpu: ScriptCpu) => Script> = {
  /** Prints and switches off. */
  *hello(cpu) {
    print(cpu, "hello\n");
    yield;
    cpu.out(0x21, 0);
    yield;
  },
  /** Prints a million bytes that can be checked. */
  *flood(cpu) {
    for (let i = 0; i < OUTPUT_SIZE; i++) {
      cpu.out(0x10, i % 251);
      yield;
    }
    cpu.out(0x21, 0);
    yield;
  },
  /** Prints less than a ring has room for. */
  *burst(cpu) {
    for (let i = 0; i < 20; i++) {
      print(cpu, "x".repeat(BURST_SIZE / 20));
      yield;
    }
    cpu.out(0x21, 0);
    yield;
  },
  /** Sleeps; what arrives is sent back by the interrupt. */
  *echo(cpu) {
    cpu.setInterrupts(true);
    for (;;) yield "hlt";
  },
  *spin() {
    for (;;) yield;
  },
  /** Panics, then resets. */
  *panic(cpu) {
    print(cpu, "[    0.1] Kernel panic - not syncing: test\n");
    cpu.out(0x22, 0);
    yield;
  },
  /** Panics and never ends by itself. */
  *"panic for ever"(cpu) {
    print(cpu, "Kernel panic - not syncing: test\n---[ end Kernel panic - not syncing: test ]---\n");
    for (;;) yield;
  },
  *hang() {
    for (;;);
    yield;
  },
  /** Breaks the thread itself. */
  *break() {
    throw new TypeError("broken on purpose");
    yield;
  },
};

/** A kernel that takes for ever to plan; says on standard error that it has begun. */
function planForEver(): never {
  writeSync(STDERR, "planning\n");
  for (;;);
}

function scriptedEngine(name: string): Engine {
  return createFakeEngine({
    main: SCRIPTS[name],
    interrupt(cpu) {
      for (let byte = cpu.in(0x11); byte !== 0; byte = cpu.in(0x11)) cpu.out(0x10, byte);
    },
  });
}

if (parentPort !== null) {
  void serveMachine(parentPort, {
    board: toyBoard,
    makePlan: planForEver,
    startEngine: (name) => {
      if (!(name in SCRIPTS)) return Promise.reject(new EngineUnavailable(name, "not here"));
      const complete = (): Promise<void> => Promise.resolve();
      return Promise.resolve({
        engine: scriptedEngine(name),
        canWait: true,
        wantsMore: () => false,
        complete,
      });
    },
  });
}
