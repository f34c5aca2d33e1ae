/** A program that launches a scripted machine (see fake-worker.ts) with the real terminal, signals and pipes. */
import { launch } from "../../src/cli/launch.js";
import { exitWith } from "../../src/cli/main.js";
import { emptyPlan } from "./fake-machine.js";

const status = await launch(
  {
    engine: process.argv[2],
    worker: new URL("./fake-worker.js", import.meta.url),
    tripleFault: "crash",
    stats: false,
    json: false,
    input: true,
    source: () =>
      Promise.resolve({ plan: emptyPlan({ clock: { tscHz: 1e9, apicHz: 1e9, rtcStart: 0 } }) }),
  },
  process,
);
await exitWith(status);
