/**
 * Boots a guest of the catalogue until its console shows a marker, or to its end, in deterministic time. For guests
 * that do not end by themselves; hot code is compiled.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { TestContext } from "node:test";
import { buildPlan, LoaderRegistry } from "../../src/boot/index.js";
import type { BootOptions } from "../../src/boot/options.js";
import { loadEngine, type EngineOptions } from "../../src/host/node/engines.js";
import { runToEnd } from "../../src/host/run.js";
import type { MachineEnd } from "../../src/machine/end.js";
import { lastWords } from "./kernel-boot.js";
import { requireGuest } from "./requires.js";

const NS_PER_INSTRUCTION = 10;
const INSTRUCTION_LIMIT = 12e9;
const MARKER_SEEN: MachineEnd = {
  kind: "interrupted",
  route: "marker",
  status: 0,
  reason: "the marker was seen",
};

/** What a boot said, without carriage returns, and how it ended. */
export interface MarkedBoot {
  console: string;
  end: MachineEnd;
}

/** Plans and runs until the marker; a boot that ends without it fails the test. */
export async function bootUntil(
  t: TestContext,
  marker: string,
  options: BootOptions,
  registry = new LoaderRegistry(),
  engineOptions: EngineOptions = { jit: "on" },
): Promise<MarkedBoot> {
  const clock = { deterministic: { nsPerInstruction: NS_PER_INSTRUCTION } };
  let console = "";
  const report = runToEnd({
    plan: buildPlan({ ...options, clock }, { loaders: registry }),
    engine: await loadEngine("wasm", engineOptions),
    console: {
      write: (bytes) => void (console += Buffer.from(bytes).toString("latin1").replaceAll("\r", "")),
      read: () => new Uint8Array(0),
      inputOpen: () => false,
    },
    hostNow: () => performance.now() * 1e6,
    wait: () => assert.fail("deterministic time never waits"),
    poll: () => (console.includes(marker) ? MARKER_SEEN : undefined),
    maxInstructions: INSTRUCTION_LIMIT,
  });
  const { stats, hostMs, end } = report;
  t.diagnostic(`${(stats.instructions / 1e6).toFixed(0)} M instructions, ${hostMs.toFixed(0)} ms`);
  assert.ok(console.includes(marker), `no "${marker}"; ${lastWords(console)}`);
  return { console, end };
}

/** The kernel of a guest, or undefined after the test was skipped. */
export async function guestKernel(t: TestContext, name: string): Promise<BootOptions["kernel"] | undefined> {
  const guest = await requireGuest(t, name);
  if (guest === undefined) return undefined;
  const file = guest.files["kernel"];
  return { name: file, bytes: await readFile(file) };
}
