/** Entry of the machine's thread; everything it does is in `serve.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { unexpectingRegions } from "../../engine/wasm/host-compiler.js";
import { prepareInterpreter } from "../../engine/wasm/interpreter-module.js";
import { HOST_COMPILER, startEngine, type EngineOptions, type StartedEngine } from "./engines.js";
import { keepScripts } from "./kept-script.js";
import type { PlannedSource, SnapshotToRestore } from "./messages.js";
import type { Expectation } from "./machine-thread.js";
import { loadShares, serveMachine, type Planned } from "./serve.js";

/** What only a machine that boots waits for, and what only one that was saved does. */
async function makePlan(source: PlannedSource, engine: string): Promise<Planned> {
  return (await import("./make-plan.js")).makePlan(source, engine);
}

async function restore(source: SnapshotToRestore): Promise<Planned> {
  return (await import("./restoring.js")).restore(source);
}

/** The interpreter is compiled while the rest of the engine is loaded. */
const interpreter = prepareInterpreter();

async function startOwnEngine(name: string, options: EngineOptions): Promise<StartedEngine> {
  await interpreter;
  return startEngine(name, options);
}

const expectation = (workerData ?? undefined) as Expectation | undefined;

/** What cannot be loaded is said once it is needed. */
function foreseeBoot(): void {
  import("./make-plan.js").catch(() => undefined);
}

function foreseeRestoring(): void {
  import("./restoring.js").catch(() => undefined);
}

/** Loads at once what will be needed. */
function foresee(): void {
  if (expectation === undefined || expectation === "boot") foreseeBoot();
  else foreseeRestoring();
  if (expectation === "resume") loadShares().catch(() => undefined);
}

/** Where it was not what was expected, other things were called than will be the next time. */
function keepCode(boots: boolean): void {
  if (expectation === undefined || boots === (expectation === "boot"))
    keepScripts((make) => unexpectingRegions(HOST_COMPILER, make));
}

if (parentPort !== null) {
  foresee();
  void serveMachine(parentPort, {
    ...{ startEngine: startOwnEngine, makePlan, restore, board: undefined },
    ...{ keepCode, foreseeBoot },
  });
}
