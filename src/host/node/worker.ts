/** Entry of the machine's thread; everything it does is in `serve.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { loadEngine } from "./engines.js";
import type { WorkerSetup } from "./messages.js";
import { serveMachine } from "./serve.js";

if (parentPort !== null) {
  void serveMachine(parentPort, workerData as WorkerSetup, { loadEngine, wire: undefined });
}
