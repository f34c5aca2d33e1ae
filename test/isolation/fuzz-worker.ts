/**
 * A worker that runs lives of a fuzzed CPU, each twice: cut into pieces and interpreted, and whole and compiled. Both
 * must come out the same.
 */
import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { IN_PIECES, live, ONE_BY_ONE, WHOLE } from "./fuzz-cpu.js";
import type { WatchedMessage } from "./watchdog.js";

export interface FuzzOrder {
  firstSeed: number;
  lives: number;
}

export interface FuzzResult {
  /** Instructions executed in all runs. */
  instructions: number;
  modes: string[];
  shutdowns: number;
  halts: number;
  accesses: number;
}

/** Lives between two that are also run by single instructions. */
const ONE_BY_ONE_EVERY = 4;

function fuzz({ firstSeed, lives }: FuzzOrder, step: (name: string) => void): FuzzResult {
  const interpreter = createWasmEngine({ jit: "off" });
  const compilers = [createWasmEngine({ jit: "eager" }), createWasmEngine({ jit: "check", eager: true })];
  const result = { instructions: 0, shutdowns: 0, halts: 0, accesses: 0 };
  const modes = new Set<string>();
  for (let seed = firstSeed; seed < firstSeed + lives; seed++) {
    step(`life ${seed}`);
    const report = live(interpreter, seed, seed % ONE_BY_ONE_EVERY === 0 ? ONE_BY_ONE : IN_PIECES);
    assert.deepEqual(
      live(compilers[seed % compilers.length], seed, WHOLE),
      report,
      `life ${seed} depends on how it is run`,
    );
    modes.add(report.mode);
    result.instructions += 2 * report.instructions;
    result.shutdowns += report.shutdowns;
    result.halts += report.halts;
    result.accesses += report.accesses;
  }
  return { ...result, modes: [...modes].sort() };
}

const post = (message: WatchedMessage<FuzzResult>): void => parentPort?.postMessage(message);
post({ result: fuzz(workerData as FuzzOrder, (step) => post({ step })) });
