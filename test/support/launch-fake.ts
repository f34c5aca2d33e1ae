/**
 * A program that launches a scripted machine (see fake-worker.ts) with the real terminal, signals and pipes:
 * `SCRIPT [TIMEOUT_MS]`. The script "plan" never gets as far as a machine.
 */
import { launch } from "../../src/cli/launch.js";
import { exitWith } from "../../src/cli/command-line.js";
import { emptyPlan } from "./fake-machine.js";

const [script, timeoutMs] = process.argv.slice(2);
const plan = emptyPlan({ clock: { tscHz: 1e9, apicHz: 1e9, rtcStart: 0 } });
const boot = { kernel: { name: "slow", bytes: new Uint8Array(1) } };

const status = await launch(
  {
    engine: script === "plan" ? "hello" : script,
    ...(timeoutMs === undefined ? {} : { timeoutMs: Number(timeoutMs) }),
    worker: new URL("./fake-worker.js", import.meta.url),
    tripleFault: "crash",
    stats: false,
    json: false,
    input: true,
    source: () => Promise.resolve(script === "plan" ? { boot } : { plan }),
  },
  process,
);
await exitWith(status);
