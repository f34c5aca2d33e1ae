/** What main and worker tell each other by message; everything frequent goes through shared memory instead. */
import type { Plan } from "../../boot/plan.js";
import type { Screen } from "../../machine/screen.js";
import type { RunReport } from "../run.js";
import type { SharedMemory } from "../shared.js";
import type { EngineOptions } from "./engines.js";

/** Given to the worker when it is started, before a plan exists. */
export interface WorkerSetup {
  engine: string;
  options: EngineOptions;
  shared: SharedMemory;
}

/** Below this a buffer is copied to the worker: Node keeps small ones in a shared pool that cannot be moved. */
const SMALLEST_TRANSFER = 65536;

function largeBuffers(contents: readonly Uint8Array[]): Set<ArrayBuffer> {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer } of contents) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= SMALLEST_TRANSFER) buffers.add(buffer);
  }
  return buffers;
}

function regionContents(plan: Plan): Uint8Array[] {
  return plan.regions.flatMap(({ content }) => (content.kind === "bytes" ? [content.bytes] : []));
}

/** What a device reads while the guest runs. */
function lastingContents({ fwCfg = [] }: Plan): Uint8Array[] {
  return fwCfg.map(({ bytes }) => bytes);
}

/** Buffers worth moving instead of copying; every view of them in `plan` goes along. */
export function transferable(plan: Plan): ArrayBuffer[] {
  return [...largeBuffers([...regionContents(plan), ...lastingContents(plan)])];
}

/** Buffers that nobody needs once guest memory is filled. */
export function spent(plan: Plan): ArrayBuffer[] {
  const lasting = largeBuffers(lastingContents(plan));
  return [...largeBuffers(regionContents(plan))].filter((buffer) => !lasting.has(buffer));
}

/** main → worker, once. */
export interface StartMessage {
  plan: Plan;
  tripleFault: "crash" | "reset";
  maxInstructions?: number;
  /** Whether main wants to hear of changes of the screen. */
  watchScreen?: boolean;
}

/** worker → main. */
export type WorkerMessage =
  /** Look at the rings. */
  | { kind: "wake" }
  /** The first instruction runs now, at this time in ms since 1970 (fractions). */
  | { kind: "started"; at: number }
  /** An instruction the engine lacks raised #UD. */
  | { kind: "unimplemented"; cpu: number; rip: bigint; bytes: Uint8Array; text: string }
  /** The screen has changed. */
  | { kind: "screen"; screen: Screen }
  | { kind: "ended"; report: RunReport }
  /** The machine could not be made, or something broke. `engine` tells the engine's fault from others. */
  | { kind: "failed"; what: "engine" | "plan" | "internal"; message: string; stack?: string };
