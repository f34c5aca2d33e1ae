/**
 * Run as a program: has a thread in a system call that does not come back, and ends with a status nevertheless.
 * Arguments: a FIFO that nobody writes to, the status, and of what: "thread" or "session".
 */
import { Worker } from "node:worker_threads";
import { endProcess, noteStandardStreams, prepareToEnd } from "../../src/host/node/end-process.js";
import { Session } from "../../src/host/node/session.js";
import { machineEnd } from "../../src/machine/end.js";
import { emptyPlan } from "./fake-machine.js";

const [, , fifo, status, of] = process.argv;
const BLOCKED = new URL("blocked-thread.js", import.meta.url);

noteStandardStreams();
process.stdin.resume();
process.stdout.write("begun\n");
await prepareToEnd();
process.env["LOCORE_TEST_FIFO"] = fifo;
if (of === "session") {
  const session = new Session({ engine: "none", worker: BLOCKED, output: () => Promise.resolve() });
  const run = session.run({ source: { plan: emptyPlan() } });
  setTimeout(() => session.stop(machineEnd("timeout", "time limit")), 200);
  const { end } = await run;
  process.stdout.write(`${end.kind} by ${end.route}\n`);
  endProcess(Number(status));
} else {
  const thread = new Worker(BLOCKED);
  thread.once("message", () => setTimeout(() => endProcess(Number(status)), 50));
}
