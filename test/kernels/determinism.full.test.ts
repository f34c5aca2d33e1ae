/** R6.3, design §4: a deterministic boot is the same boot every time, however it is sliced and wherever it runs. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Plan } from "../../src/boot/plan.js";
import { loadEngine } from "../../src/host/node/engines.js";
import { Machine, type MachineStats } from "../../src/machine/machine.js";
import {
  assertEnd,
  bootKernel,
  kernelPlan,
  WITHOUT_CRYPTO_TESTS,
  type KernelBootOptions,
} from "../support/kernel-boot.js";
import { WORK, WORK_FILES } from "../support/guest-work.js";
import { Random } from "../support/random.js";

const OPTIONS: KernelBootOptions = {
  commandLine: `console=ttyS0 ${WITHOUT_CRYPTO_TESTS}`,
  initramfs: {
    command: `${WORK}\nod -An -tx1 -N16 /dev/urandom; cat /proc/interrupts /proc/uptime; sleep 1.5`,
    files: WORK_FILES,
  },
};
/** Longest slice of the second run, instructions. */
const SLICE = 700_000;

/** Regions that check mode must have held to the interpreter, of some 650. */
const FEWEST_CHECKED = 300;

/** Runs a plan in slices of random length, as a host under load might, compiled and checked. */
async function slicedRun(plan: Plan): Promise<MachineStats & { console: string }> {
  const blocks: Buffer[] = [];
  const machine = new Machine({
    plan,
    engine: await loadEngine("wasm", { jit: "check" }),
    console: {
      write: (bytes) => void blocks.push(Buffer.from(bytes)),
      read: () => new Uint8Array(0),
      inputOpen: () => false,
    },
    hostNow: () => assert.fail("deterministic time does not look at the host's"),
  });
  const random = new Random(7);
  while (machine.end === undefined) machine.run(1 + random.below(SLICE));
  const stats = machine.stats();
  assert.notEqual(machine.end.route, "engine-error", machine.end.reason);
  machine.dispose();
  return { ...stats, console: Buffer.concat(blocks).toString("latin1").replaceAll("\r", "") };
}

test("R6.3 R3.10 two deterministic boots, one interpreted, one compiled and checked, print the same bytes and execute the same number of instructions", async (t) => {
  const first = await bootKernel(t, OPTIONS);
  const plan = await kernelPlan(t, OPTIONS);
  if (first === undefined || plan === undefined) return;
  assertEnd(first, "off", "acpi-s5", 0);
  const second = await slicedRun(plan);
  assert.equal(second.console, first.console);
  assert.equal(second.instructions, first.report.stats.instructions);
  assert.equal(second.clockNs, first.report.stats.clockNs);
  assert.ok(second.engine["regionsChecked"] > FEWEST_CHECKED, JSON.stringify(second.engine));
  t.diagnostic(JSON.stringify(second.engine));
});
