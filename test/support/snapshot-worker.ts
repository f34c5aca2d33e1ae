/**
 * A process that goes on with machines from their files: started with the jobs as one line of JSON, it prints what became of
 * each as one line of JSON.
 */
import { readFileSync } from "node:fs";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { TestConsole } from "./fake-machine.js";
import { digestOf, fromFile } from "./snapshot-moves.js";

/** One machine to go on with. */
export interface CutJob {
  file: string;
  compiled: boolean;
  /** Until so many instructions were executed since power-on; absent: to the end. */
  until?: number;
}

/** What became of it. */
export interface CutResult {
  text: string;
  instructions: number;
  clockNs: number;
  /** How it ended, or what it is where it was stopped. */
  end?: unknown;
  digest?: string;
}

function goOn({ file, compiled, until = Infinity }: CutJob): CutResult {
  const console = new TestConsole();
  const machine = fromFile(readFileSync(file), {
    console,
    engine: createWasmEngine({ jit: compiled ? "on" : "off" }),
  });
  const { instructions: from } = machine.stats();
  machine.run(until - from);
  const { instructions, clockNs } = machine.stats();
  const { end } = machine;
  const result = {
    text: console.text,
    instructions,
    clockNs,
    ...(end ? { end } : { digest: digestOf(machine) }),
  };
  machine.dispose();
  return result;
}

if (process.argv[2] !== undefined)
  for (const job of JSON.parse(process.argv[2]) as CutJob[])
    process.stdout.write(`${JSON.stringify(goOn(job))}\n`);
