/** A small guest that is saved and goes on from its file all the time, beside the same one that stays. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { usualParts } from "../../src/boot/parts.js";
import type { Plan } from "../../src/boot/plan.js";
import type { Machine } from "../../src/machine/machine.js";
import { TestConsole } from "./fake-machine.js";
import type { MovedGuest } from "./moved-guests.js";
import {
  differenceOf,
  engineThat,
  fileOf,
  fromFile,
  newMachine,
  type MoveOptions,
} from "./snapshot-moves.js";

const MEMORY = 0x400000;
/** More than any of the guests executes. */
const MOST = 50_000_000;
const NS_PER_INSTRUCTION = 100;
/** Every so many moves lead to an engine that compiles everything: making code takes long. */
const COMPILED_EVERY = 8;

function planOf({ bytes, name, cpus, everyPart }: MovedGuest): Plan {
  return buildPlan({
    kernel: { name, bytes },
    memory: MEMORY,
    cpus,
    clock: { deterministic: { nsPerInstruction: NS_PER_INSTRUCTION } },
    ...(everyPart && { devices: usualParts({ firmware: true, vga: true }) }),
  });
}

/** Runs to the end: how it ended, and all that it left. */
function ending(machine: Machine, console: TestConsole): Record<string, unknown> {
  machine.run(MOST);
  const { end } = machine;
  const { instructions, clockNs, resets } = machine.stats();
  const [screen, ram] = [machine.screen(), machine.memory.read(0, MEMORY)];
  machine.dispose();
  return { end, instructions, clockNs, resets, text: console.text, screen, ram };
}

/** Moves the guest every `stride` instructions, and compares whole states on the way and what it comes to. */
export function moveAlong(t: TestContext, guest: MovedGuest, stride: number): void {
  const plan = planOf(guest);
  const { maxResets = 0, from = 0, moves, input = {} } = guest;
  const engines = { interpreted: engineThat(false), compiled: engineThat(true) };
  const options = (console: TestConsole, move = 1): MoveOptions => ({
    console,
    maxResets,
    ...(maxResets > 0 && { tripleFault: "reset" }),
    engine: move % COMPILED_EVERY === 0 ? engines.compiled : engines.interpreted,
  });
  const [stayed, moved] = [new TestConsole(), new TestConsole()];
  for (const console of [stayed, moved]) console.open = guest.input !== undefined;
  const still = newMachine(plan, options(stayed));
  let moving = newMachine(plan, options(moved));
  still.run(from);
  moving.run(from);
  let done = 0;
  let files = 0;
  for (; done < moves && still.end === undefined; done += stride) {
    for (let move = done; move < done + stride; move++)
      for (const console of [stayed, moved]) console.queue.push(...Buffer.from(input[move] ?? ""));
    const file = fileOf(moving);
    moving.dispose();
    moving = fromFile(file, options(moved, files++));
    assert.equal(differenceOf(moving, file), undefined, `made from its file after ${done}`);
    moving.run(stride);
    still.run(stride);
    if (still.end === undefined)
      assert.equal(differenceOf(moving, fileOf(still)), undefined, `went on after ${done}`);
  }
  t.diagnostic(`${files} moves`);
  const expected = ending(still, stayed);
  assert.equal(still.end?.status, guest.status, still.end?.reason);
  assert.deepEqual(ending(moving, moved), expected);
  // Nor does saving disturb, or where a run is cut; where input comes is another matter.
  if (guest.input !== undefined) return;
  const whole = new TestConsole();
  assert.deepEqual(ending(newMachine(plan, options(whole, 0)), whole), expected);
}
