/** R6.2 machines made from one snapshot: several in one process, and what each is told of being another one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { Machine } from "../../src/machine/machine.js";
import { bytesSource } from "../../src/snapshot/file.js";
import { openSnapshot, restoreSnapshot } from "../../src/snapshot/read.js";
import { TestConsole } from "../support/fake-machine.js";
import { newsGuest } from "../support/moved-guests.js";
import { fileOf, newMachine } from "../support/snapshot-moves.js";
import { ipiGuest } from "../support/two-cpu-guests.js";

const MEMORY = 0x400000;

/** In the middle of the ping-pong. */
const CUT = 300_200;

test("R6.2 several machines of one snapshot run in one process, each with its own RAM, and are what the first one is", () => {
  const bytes = ipiGuest(50, { begin: "begin", end: "end", wrong: 1 });
  const plan = buildPlan({
    kernel: { name: "ping-pong", bytes },
    memory: MEMORY,
    cpus: 2,
    clock: { deterministic: { nsPerInstruction: 10 } },
  });
  const console = new TestConsole();
  const machine = newMachine(plan, { console });
  machine.run(CUT);
  const before = console.text;
  const snapshot = openSnapshot(bytesSource(fileOf(machine)));
  const consoles = [0, 1, 2].map(() => new TestConsole());
  const copies = consoles.map((one) =>
    restoreSnapshot(snapshot, { engine: createWasmEngine({ jit: "off" }), console: one, hostNow: () => 0 }),
  );
  // What one writes, none of the others sees.
  copies[0].memory.writeU32(MEMORY - 8, 0x1234_5678);
  assert.deepEqual(
    copies.map(({ memory }) => memory.readU32(MEMORY - 8)),
    [0x1234_5678, 0, 0],
  );
  copies[0].memory.writeU32(MEMORY - 8, 0);
  // They take turns.
  while (copies.some(({ end }) => end === undefined)) for (const copy of copies) copy.run(97);
  machine.run(Infinity);
  for (const [i, copy] of copies.entries()) {
    assert.deepEqual(copy.end, machine.end);
    assert.equal(copy.instructions, machine.instructions);
    assert.equal(copy.now(), machine.now());
    assert.equal(before + consoles[i].text, console.text);
    assert.deepEqual(copy.memory.read(0, MEMORY), machine.memory.read(0, MEMORY));
  }
  for (const one of [machine, ...copies]) one.dispose();
});

/** A machine in real time that sleeps until somebody has news for it. */
function sleeper(): { file: Uint8Array; kept: Machine } {
  const console = new TestConsole();
  console.open = true;
  const kept = new Machine({
    plan: buildPlan({ kernel: { name: "sleeper", bytes: newsGuest() }, memory: MEMORY }),
    engine: createWasmEngine({ jit: "off" }),
    console,
    hostNow: () => 0,
    random32: () => 1,
  });
  while (kept.step().state === "ran");
  assert.equal(console.text, "waits\n");
  return { file: fileOf(kept), kept };
}

for (const [what, random32, text] of [
  ["is another run's, is interrupted at once", () => 2, "news\n"],
  ["has the generation that it had, sleeps on", () => 1, ""],
] as const)
  test(`R6.2 a machine that sleeps and, restored, ${what}`, () => {
    const { file, kept } = sleeper();
    const console = new TestConsole();
    console.open = true;
    const machine = restoreSnapshot(openSnapshot(bytesSource(file)), {
      engine: createWasmEngine({ jit: "off" }),
      console,
      hostNow: () => 0,
      random32,
    });
    for (let i = 0; i < 100 && machine.step().state === "ran"; i++);
    assert.equal(console.text, text);
    for (const one of [kept, machine]) one.dispose();
  });
