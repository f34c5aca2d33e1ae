/** Entry of the machine's thread; everything it does is in `serve.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { loadEngine } from "./engines.js";
import type { PlannedSource, WorkerSetup } from "./messages.js";
import { serveMachine, type Planned } from "./serve.js";

/** Loaders are loaded while the engine is. */
const planning = import("./make-plan.js");

async function makePlan(source: PlannedSource, engine: string): Promise<Planned> {
  return (await planning).makePlan(source, engine);
}

if (parentPort !== null) {
  void serveMachine(parentPort, workerData as WorkerSetup, { loadEngine, makePlan, board: undefined });
}
