/** What main and worker tell each other by message; everything frequent goes through shared memory instead. */
import type { Plan } from "../../boot/plan.js";
import type { RunReport } from "../run.js";
import type { SharedMemory } from "../shared.js";

/** Given to the worker when it is started, before a plan exists. */
export interface WorkerSetup {
  engine: string;
  shared: SharedMemory;
}

/** main → worker, once. */
export interface StartMessage {
  plan: Plan;
  tripleFault: "crash" | "reset";
  maxInstructions?: number;
}

/** worker → main. */
export type WorkerMessage =
  /** Look at the rings. */
  | { kind: "wake" }
  /** The first instruction runs now, at this time in ms since 1970 (fractions). */
  | { kind: "started"; at: number }
  /** An instruction the engine lacks raised #UD. */
  | { kind: "unimplemented"; cpu: number; rip: bigint; bytes: Uint8Array; text: string }
  | { kind: "ended"; report: RunReport }
  /** The machine could not be made, or something broke. `engine` tells the engine's fault from others. */
  | { kind: "failed"; what: "engine" | "plan" | "internal"; message: string; stack?: string };
