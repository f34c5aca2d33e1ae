/** A worker that gives the hostile guest one machine after the other, so that a hang can be ended from outside. */
import { parentPort, workerData } from "node:worker_threads";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { HostileLives, type LivesReport } from "./hostile-lives.js";
import { everyRegister } from "./register-coverage.js";
import type { WatchedMessage } from "./watchdog.js";

export interface LivesOrder {
  firstSeed: number;
  /** At least so many lives, and so long. */
  lives: number;
  seconds: number;
}

export interface LivesResult extends LivesReport {
  /** Accesses that devices answered, counted by register. */
  accesses: number;
  /** Registers that were never read, or never written. */
  missed: string[];
  /** Resident memory after a tenth of the lives, and at the end, bytes. */
  residentEarly: number;
  residentLate: number;
}

const MS_PER_SECOND = 1000;

function run(order: LivesOrder, step: (name: string) => void): LivesResult {
  const lives = new HostileLives(createWasmEngine());
  const end = performance.now() + order.seconds * MS_PER_SECOND;
  let residentEarly = 0;
  for (let i = 0; i < order.lives || performance.now() < end; i++) {
    step(`life ${order.firstSeed + i}`);
    lives.live(order.firstSeed + i);
    if (i <= order.lives / 10) residentEarly = process.memoryUsage.rss();
  }
  const { coverage, report } = lives;
  return {
    ...report,
    accesses: [...coverage.counts.values()].reduce((sum, count) => sum + count, 0),
    missed: everyRegister().filter((register) => !coverage.has(register)),
    residentEarly,
    residentLate: process.memoryUsage.rss(),
  };
}

const post = (message: WatchedMessage<LivesResult>): void => parentPort?.postMessage(message);
post({ result: run(workerData as LivesOrder, (step) => post({ step })) });
