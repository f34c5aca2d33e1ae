/**
 * The thread that `off-thread.ts` starts: does one of the long computations here and sends back what came of it.
 */
import { errorData, type ErrorData } from "../bytes/error-data.js";
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { filesFromDeb } from "./archives/deb.js";
import type { PackageFile } from "./archives/deb.js";
import { initramfsBytes } from "./initramfs/initramfs.js";
import type { InitramfsOptions } from "./initramfs/initramfs.js";
import { modulesFromDebs } from "./kernel-modules/modules-from-debs.js";

/** The computations by their names. What they take and return can be cloned. */
const JOBS = {
  filesFromDeb: (bytes: Uint8Array, wanted: Readonly<Record<string, RegExp>>): Record<string, PackageFile> =>
    filesFromDeb(bytes, wanted),
  initramfsBytes: (options: InitramfsOptions): Promise<Uint8Array> => initramfsBytes(options),
  modulesFromDebs,
};
export type Jobs = typeof JOBS;

/** What the thread is started with. */
export interface Job<Name extends keyof Jobs = keyof Jobs> {
  name: Name;
  args: Parameters<Jobs[Name]>;
}

/** How a computation ended. */
export type Outcome<Value> = { value: Value } | { error: ErrorData };

async function outcomeOf({ name, args }: Job): Promise<Outcome<unknown>> {
  try {
    return { value: await (JOBS[name] as (...args: unknown[]) => unknown)(...args) };
  } catch (thrown) {
    return { error: errorData(thrown) };
  }
}

/** Large results are moved, not copied. */
function transferable(outcome: Outcome<unknown>): ArrayBuffer[] {
  const bytes = "value" in outcome && outcome.value instanceof Uint8Array ? outcome.value.buffer : undefined;
  return bytes instanceof ArrayBuffer ? [bytes] : [];
}

async function work(port: MessagePort): Promise<void> {
  const outcome = await outcomeOf(workerData as Job);
  port.postMessage(outcome, transferable(outcome));
}

if (parentPort !== null) void work(parentPort);
