/** What every program with a thread pays: a Node with a worker that does nothing. Prints after how many ms the worker ran. */
import { isMainThread, parentPort, Worker } from "node:worker_threads";

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  worker.on("message", (at: number) => process.stdout.write(`${at - performance.timeOrigin}\n`));
} else parentPort?.postMessage(performance.timeOrigin + performance.now());
