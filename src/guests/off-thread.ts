/**
 * Runs a long computation in a thread of its own, so that this one hears signals at once and keeps the cache's lock
 * fresh meanwhile.
 */
import { type ErrorData, withErrorData } from "../bytes/error-data.js";
import { Worker } from "node:worker_threads";
import { GuestError, type GuestFault } from "./errors.js";
import type { InitramfsOptions } from "./initramfs/initramfs.js";
import type { Job, Jobs, Outcome } from "./thread-jobs.js";

function rebuilt(data: ErrorData): Error {
  const isGuestError = data.name === GuestError.name;
  const error = isGuestError
    ? new GuestError(data.facts.fault as GuestFault, data.message)
    : new Error(data.message);
  return withErrorData(error, data);
}

type Value<Name extends keyof Jobs> = Awaited<ReturnType<Jobs[Name]>>;

/** What a computation of the thread returns, or throws. An abort ends it at once with the signal's reason. */
export async function offThread<Name extends keyof Jobs>(
  name: Name,
  args: Parameters<Jobs[Name]>,
  signal?: AbortSignal,
): Promise<Value<Name>> {
  signal?.throwIfAborted();
  const job: Job<Name> = { name, args };
  const worker = new Worker(new URL("./thread-jobs.js", import.meta.url), { workerData: job });
  const stop = (): void => void worker.terminate();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise<Value<Name>>((resolve, reject) => {
      worker.on("message", (outcome: Outcome<Value<Name>>) => {
        if ("error" in outcome) reject(rebuilt(outcome.error));
        else resolve(outcome.value);
      });
      worker.on("error", reject);
      worker.on("exit", () => reject(signal?.reason ?? new Error(`the thread of ${name} ended early`)));
    });
  } finally {
    signal?.removeEventListener("abort", stop);
    await worker.terminate();
  }
}

/** `initramfsBytes` in a thread of its own, ended by `signal`. Throws as that does. */
export function packInitramfs(options: InitramfsOptions, signal?: AbortSignal): Promise<Uint8Array> {
  return offThread("initramfsBytes", [options], signal);
}
