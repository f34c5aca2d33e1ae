/** Entry of the machine's thread; everything it does is in `serve.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { loadEngine } from "./engines.js";
import type { PlannedSource, SnapshotToRestore, WorkerSetup } from "./messages.js";
import { serveMachine, type Planned } from "./serve.js";

/** Loaders are loaded while the engine is. */
const planning = import("./make-plan.js");

async function makePlan(source: PlannedSource, engine: string): Promise<Planned> {
  return (await planning).makePlan(source, engine);
}

/** What only a restored machine needs. */
async function restore(source: SnapshotToRestore): Promise<Planned> {
  return (await import("./restoring.js")).restore(source);
}

if (parentPort !== null) {
  void serveMachine(parentPort, workerData as WorkerSetup, {
    loadEngine,
    makePlan,
    restore,
    board: undefined,
  });
}
