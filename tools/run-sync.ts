/**
 * Boots a kernel inline: no thread, no terminal, no input. For experiments on the engine and for finding where a
 * guest goes wrong. `node dist/tools/run-sync.js KERNEL [--initrd F] [--append S] [-m SIZE] [--smp N] [-o k=v]
 * [--deterministic] [--jit MODE] [--counts] [--instructions N]`
 */
import { parseArguments } from "../src/cli/args.js";
import { BOOT_OPTIONS, readBootRequest } from "../src/cli/boot-request.js";
import { makePlan } from "../src/cli/make-plan.js";
import { endLine, statsLines, unimplementedLine } from "../src/cli/render/end.js";
import { JIT_MODES, type JitMode } from "../src/engine/contract.js";
import { parseCount } from "../src/cli/values.js";
import { loadEngine } from "../src/host/node/engines.js";
import { runToEnd, type RunOptions } from "../src/host/run.js";

const OPTIONS = [
  ...BOOT_OPTIONS,
  { name: "jit", value: "MODE", choices: JIT_MODES, help: "whether hot guest code is compiled" },
  { name: "counts", help: "also count what costs time to count: regions' ways out, compiling" },
  { name: "instructions", value: "N", help: "stop after this many" },
];

const NS_PER_MS = 1e6;
const sleeper = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

const args = parseArguments(process.argv.slice(2), OPTIONS);
const options: RunOptions = {
  plan: await makePlan(readBootRequest(args)),
  engine: await loadEngine("wasm", {
    jit: args.value("jit") as JitMode | undefined,
    statistics: args.has("counts"),
  }),
  console: {
    write: (bytes) => process.stdout.write(bytes.slice()),
    read: () => new Uint8Array(0),
    inputOpen: () => false,
  },
  hostNow: () => performance.now() * NS_PER_MS,
  wait: (milliseconds) => void Atomics.wait(sleeper, 0, 0, milliseconds),
  events: {
    unimplemented: (_cpu, rip, bytes, text) => console.error(unimplementedLine(text, rip, bytes)),
  },
};
const limit = args.value("instructions");
if (limit !== undefined)
  options.maxInstructions = parseCount("--instructions", limit, 1, Number.MAX_SAFE_INTEGER);
const report = runToEnd(options);
console.error([endLine(report), ...statsLines(report, undefined)].join("\n"));
process.exitCode = report.end.status;
