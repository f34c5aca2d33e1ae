/** Entry of the machine's thread; everything it does is in `serve.ts`. */
import { parentPort, workerData } from "node:worker_threads";
// Every machine needs it: it comes in the same few files as the rest.
import "../../engine/wasm/vm.js";
import { unexpectingRegions } from "../../engine/wasm/host-compiler.js";
import { HOST_COMPILER, startEngine } from "./engines.js";
import { keepScript } from "./kept-script.js";
import type { PlannedSource } from "./messages.js";
import type { Expectation } from "./machine-thread.js";
import { restore } from "./restoring.js";
import { serveMachine, type Planned } from "./serve.js";

/** What a machine that was saved need not wait for. */
async function makePlan(source: PlannedSource, engine: string): Promise<Planned> {
  return (await import("./make-plan.js")).makePlan(source, engine);
}

/** Loads at once what will be needed; what cannot be loaded is said once it is needed. */
function expect(expectation: Expectation | undefined): void {
  if (expectation === "restore") return;
  import("./make-plan.js").catch(() => undefined);
}

function keepCode(): void {
  keepScript((make) => unexpectingRegions(HOST_COMPILER, make));
}

if (parentPort !== null) {
  expect(workerData as Expectation | undefined);
  void serveMachine(parentPort, { startEngine, makePlan, restore, board: undefined, keepCode });
}
