/** A thread that waits in read(2) for good. */
import { openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";

// Opened for both, which does not wait.
const descriptor = openSync(process.env["LOCORE_TEST_FIFO"]!, "r+");
parentPort!.postMessage({ kind: "wake" });
readSync(descriptor, new Uint8Array(1));
