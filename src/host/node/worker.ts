/** Entry of the machine's thread; everything it does is in `serve.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import type { BootOptions } from "../../boot/options.js";
import type { Plan } from "../../boot/plan.js";
import { loadEngine } from "./engines.js";
import type { WorkerSetup } from "./messages.js";
import { serveMachine } from "./serve.js";

/** Loaders are loaded while the engine is. */
const loaders = import("../../boot/index.js");

async function makePlan(boot: BootOptions): Promise<Plan> {
  return (await loaders).buildPlan(boot);
}

if (parentPort !== null) {
  void serveMachine(parentPort, workerData as WorkerSetup, { loadEngine, makePlan, board: undefined });
}
