/**
 * What the machine's thread does. It is started early, loads the engine while main reads the kernel, takes one message with
 * the plan and then runs the machine synchronously to its end; from there on it hears of the world through shared
 * memory only. Its console, signals and files are main's business.
 */
import type { MessagePort } from "node:worker_threads";
import type { Plan } from "../../boot/plan.js";
import { EngineLimit, type Engine } from "../../engine/contract.js";
import { PlanError } from "../../machine/fill.js";
import { machineEnd } from "../../machine/end.js";
import { runToEnd, type RunOptions } from "../run.js";
import { WorkerSide } from "../shared.js";
import { EngineUnavailable, type EngineOptions } from "./engines.js";
import { spent, type StartMessage, type WorkerMessage, type WorkerSetup } from "./messages.js";

const NS_PER_MS = 1e6;

/** Turns whatever was thrown into a message that names its source. */
function failure(error: unknown): WorkerMessage {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const engineFault = error instanceof EngineUnavailable || error instanceof EngineLimit;
  const what = engineFault ? "engine" : error instanceof PlanError ? "plan" : "internal";
  return stack === undefined ? { kind: "failed", what, message } : { kind: "failed", what, message, stack };
}

/** A buffer where the JavaScript engine has ArrayBuffer.prototype.transfer (ES2024; Node 22 and later). */
type Transferable = ArrayBuffer & { transfer?: (length: number) => ArrayBuffer };

/**
 * Gives back what guest memory was filled from. Dropping the references alone would leave it to a collection that a
 * running machine, which allocates next to nothing, may never cause.
 */
function discard(plan: Plan): void {
  for (const buffer of spent(plan) as Transferable[]) buffer.transfer?.(0);
  plan.regions = [];
}

/** What a thread brings along: how it gets its engine, and how it wires devices. */
export interface WorkerParts {
  loadEngine: (name: string, options: EngineOptions) => Promise<Engine>;
  wire: RunOptions["wire"];
}

function runOptions(
  start: StartMessage,
  engine: Engine,
  side: WorkerSide,
  tell: (message: WorkerMessage) => void,
  wire: RunOptions["wire"],
): RunOptions {
  const options: RunOptions = {
    plan: start.plan,
    engine,
    wire,
    console: side,
    tripleFault: start.tripleFault,
    hostNow: () => performance.now() * NS_PER_MS,
    random32: () => crypto.getRandomValues(new Uint32Array(1))[0],
    poll: () => (side.stopRequested ? machineEnd("interrupted", "host") : undefined),
    wait: (milliseconds) => side.wait(milliseconds),
    onStart: () => {
      discard(start.plan);
      tell({ kind: "started", at: performance.timeOrigin + performance.now() });
    },
    events: {
      unimplemented: (cpu, rip, bytes, text) => tell({ kind: "unimplemented", cpu, rip, bytes, text }),
    },
  };
  if (start.watchScreen === true) options.onScreen = (screen) => tell({ kind: "screen", screen });
  if (start.maxInstructions !== undefined) options.maxInstructions = start.maxInstructions;
  return options;
}

/** Serves one machine on `port`: loads the engine, waits for the plan, runs it, reports, closes the port. */
export async function serveMachine(port: MessagePort, setup: WorkerSetup, parts: WorkerParts): Promise<void> {
  const tell = (message: WorkerMessage): void => port.postMessage(message);
  const side = new WorkerSide(setup.shared, () => tell({ kind: "wake" }));
  const plan = new Promise<StartMessage>((resolve) => port.once("message", resolve));
  try {
    const engine = await parts.loadEngine(setup.engine, setup.options);
    const report = runToEnd(runOptions(await plan, engine, side, tell, parts.wire));
    tell({ kind: "ended", report });
  } catch (error) {
    tell(failure(error));
  } finally {
    port.close();
  }
}
