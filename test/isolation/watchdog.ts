/**
 * Runs work that may hang in a worker thread, and ends the thread when it has been silent for too long: a guest that
 * holds the monitor fails its test with a name instead of stopping the whole run.
 */
import { Worker } from "node:worker_threads";

/** What a watched worker posts: where it is, then its result. */
export type WatchedMessage<T> = { step: string } | { result: T };

/**
 * Starts the compiled module at `url` with `input` as its worker data. Resolves with its result; rejects with what
 * it throws, or with the last step it named when nothing is heard for `silenceMs`.
 */
export function watched<T>(url: URL, input: unknown, silenceMs: number): Promise<T> {
  const worker = new Worker(url, { workerData: input });
  let step = "start";
  return new Promise<T>((resolve, reject) => {
    const expire = (): void => {
      reject(new Error(`nothing happened for ${silenceMs} ms in ${step}`));
      void worker.terminate();
    };
    let timer = setTimeout(expire, silenceMs);
    worker.on("message", (message: WatchedMessage<T>) => {
      clearTimeout(timer);
      if ("result" in message) return resolve(message.result);
      step = message.step;
      timer = setTimeout(expire, silenceMs);
    });
    worker.on("error", (error: Error) => {
      clearTimeout(timer);
      reject(new Error(`${step}: ${error.message}`, { cause: error }));
    });
    worker.on("exit", () => {
      clearTimeout(timer);
      reject(new Error(`the worker ended without a result in ${step}`));
    });
  });
}
