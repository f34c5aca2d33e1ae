/** Boots a guest of the seeded suite in deterministic time, until it says its last words or executes no more than it may, and diagnoses it. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { BlockBackend } from "../../src/block/backend.js";
import { ConsoleTail } from "../../src/diagnose/console-tail.js";
import { diagnose } from "../../src/diagnose/diagnose.js";
import type { Diagnosis } from "../../src/diagnose/diagnosis.js";
import { diagnosisLines } from "../../src/diagnose/text.js";
import { loadEngine } from "../../src/host/node/engines.js";
import { Machine } from "../../src/machine/machine.js";
import { kernelPlan, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { HOUSE_DISK, type SeededGuest } from "./seeded-guests.js";

const MIB = 2 ** 20;
const USUAL_MEMORY = 128 * MIB;
const USUAL_LIMIT = 1.5e9;
const PIECE = 25e6;
const SECTOR = 512;
/** Kernels that run no programs for 64 bits. */
const FOR_I386 = /-686/;
/** What nothing more follows behind. */
const LAST_WORDS = /---\[ end Kernel panic/;

/** What became of a guest. */
export interface SeededRun {
  found: Diagnosis;
  /** What was said of it on the way, where that was asked for. */
  before?: Diagnosis;
  console: string;
}

/** Runs it; undefined after the test was skipped. `lookAt`: after so many instructions it is diagnosed, and goes on. */
export async function runSeeded(
  t: TestContext,
  guest: Omit<SeededGuest, "cause" | "sentence">,
  lookAt = Infinity,
): Promise<SeededRun | undefined> {
  const content = guest.diskContent ?? (guest.disk === true ? new Uint8Array(HOUSE_DISK) : undefined);
  const disk = content && new MemoryDisk(content.slice());
  const plan = await kernelPlan(t, {
    ...(guest.image && { image: guest.image }),
    ...(guest.guest !== undefined && { guest: guest.guest }),
    vmlinux: guest.image === undefined && guest.bzImage !== true,
    ...(guest.loader && { loader: guest.loader }),
    initramfs: guest.initramfs ?? false,
    ...(guest.guest !== undefined && FOR_I386.test(guest.guest) && { busybox: "busybox-i386" as const }),
    commandLine: `${guest.commandLine} ${guest.image === undefined ? WITHOUT_CRYPTO_TESTS : ""}`.trim(),
    memory: guest.memory ?? USUAL_MEMORY,
    cpus: guest.cpus ?? 1,
    more: {
      ...(guest.initrd && { initrd: { name: "initrd", bytes: guest.initrd } }),
      ...(content && { disks: [{ sectors: content.length / SECTOR, readOnly: false, serial: "seeded" }] }),
      ...guest.more,
    },
    ...(guest.change && { change: guest.change }),
  });
  if (plan === undefined) return undefined;
  const tail = new ConsoleTail();
  let console = "";
  const machine = new Machine({
    plan,
    engine: await loadEngine("wasm"),
    console: {
      write: (bytes) => void (console += Buffer.from(bytes).toString("latin1")),
      read: () => new Uint8Array(0),
      inputOpen: () => true,
    },
    hostNow: () => 0,
    maxResets: guest.maxResets ?? 0,
    tripleFault: guest.maxResets === undefined ? "crash" : "reset",
    ...(disk && { disks: new Map<string, BlockBackend>([["disk0", disk]]) }),
  });
  machine.watchConsole((byte) => {
    tail.take(byte);
    return false;
  });
  const limit = guest.instructions ?? USUAL_LIMIT;
  const until = guest.until ?? LAST_WORDS;
  let before: Diagnosis | undefined;
  while (machine.instructions < limit && !until.test(console)) {
    if (machine.instructions >= lookAt) before ??= diagnose(machine, { console: tail });
    const step = machine.run(Math.min(PIECE, limit - machine.instructions));
    // A CPU that sleeps through its timers executes nothing any more.
    if (step.state !== "ran" || step.instructions === 0) break;
  }
  const { end } = machine;
  const found = diagnose(machine, { console: tail, resets: machine.stats().resets, ...(end && { end }) });
  machine.dispose();
  return { found, ...(before && { before }), console };
}

/** The first sentence is that of the cause that was put in. */
export async function expectCause(t: TestContext, guest: SeededGuest): Promise<void> {
  const run = await runSeeded(t, guest);
  if (run === undefined) return;
  const text = diagnosisLines(run.found).join("\n");
  const [first] = run.found.causes;
  assert.equal(first?.id, guest.cause, text);
  assert.match(first.sentence, guest.sentence, text);
  if (guest.remedy !== undefined) assert.match(first.remedy.join("\n"), guest.remedy, text);
}

/** Nothing is said of it but that it waits for somebody. */
export async function expectHealth(
  t: TestContext,
  guest: Omit<SeededGuest, "cause" | "sentence">,
  lookAt?: number,
): Promise<void> {
  const run = await runSeeded(t, guest, lookAt);
  if (run === undefined) return;
  for (const found of [run.before, run.found])
    assert.deepEqual(complaints(found), [], found && diagnosisLines(found).join("\n"));
  if (guest.until !== undefined) assert.match(run.console.replaceAll("\r", ""), guest.until);
}

/** The causes that say that something is wrong. */
function complaints(found: Diagnosis | undefined): string[] {
  return (found?.causes ?? []).map(({ id }) => id).filter((id) => id !== "waits-for-input");
}
