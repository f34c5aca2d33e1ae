/**
 * Boots a kernel twice in step, interpreted and compiled, and says after which instruction the two differ. Both
 * machines are deterministic, so at equal counts everything must be equal: registers after every chunk, all memory
 * from time to time. `node dist/tools/jit-compare.js KERNEL [--initrd F] [--append S] [-m SIZE] [--instructions N]
 * [--chunk N] [--from N]`
 */
import { createHash } from "node:crypto";
import { parseArguments } from "../src/cli/args.js";
import { BOOT_OPTIONS, readBootRequest } from "../src/cli/boot-request.js";
import { makePlan } from "../src/cli/make-plan.js";
import { parseCount } from "../src/cli/values.js";
import type { JitMode } from "../src/engine/contract.js";
import { loadEngine } from "../src/host/node/engines.js";
import { Machine } from "../src/machine/machine.js";

const COUNTS = ["instructions", "chunk", "from", "memory-every"];
const OPTIONS = [...BOOT_OPTIONS, ...COUNTS.map((name) => ({ name, value: "N", help: "a count" }))];
const MOST_SHOWN = 12;

const args = parseArguments([...process.argv.slice(2), "--deterministic"], OPTIONS);
const request = readBootRequest(args);

function count(name: string, otherwise: number): number {
  const value = args.value(name);
  return value === undefined ? otherwise : parseCount(`--${name}`, value, 0, Number.MAX_SAFE_INTEGER);
}

async function machine(jit: JitMode): Promise<Machine> {
  return new Machine({
    plan: await makePlan(request),
    engine: await loadEngine("wasm", { jit }),
    console: { write: () => undefined, read: () => new Uint8Array(0), inputOpen: () => false },
    hostNow: () => performance.now() * 1e6,
  });
}

function flat(value: unknown, path = ""): [string, string][] {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array)
    return [[path, String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, path === "" ? key : `${path}.${key}`));
}

function differences(one: Machine, other: Machine): string[] {
  const right = new Map(flat(other.cpuState(0)));
  return flat(one.cpuState(0))
    .filter(([key, value]) => right.get(key) !== value)
    .map(([key, value]) => `${key}: interpreted ${hex(value)}, compiled ${hex(right.get(key) ?? "")}`);
}

function hex(value: string): string {
  return /^-?\d+$/.test(value) ? `0x${BigInt(value).toString(16)}` : value;
}

function digest(of: Machine): string {
  const hash = createHash("sha1");
  for (const { start, size } of of.memory.ranges) hash.update(of.memory.read(start, size));
  return hash.digest("hex");
}

/** Runs one machine `instructions` further; false when it ended or sleeps for ever. */
function advance(one: Machine, instructions: number): boolean {
  for (let left = instructions; left > 0;) {
    const step = one.run(left);
    if (step.state === "ended") return false;
    if (step.state === "idle" && step.until === undefined) return false;
    if (step.state === "ran") left -= step.instructions;
  }
  return true;
}

const chunk = count("chunk", 1_000_000);
const most = count("instructions", Infinity);
const from = count("from", 0);
const memoryEvery = count("memory-every", 64);
const one = await machine("off");
const other = await machine("on");
let at = 0;
let alive = advance(one, from) && advance(other, from);
at = from;
for (let round = 0; alive && at < most; round++, at += chunk) {
  alive = advance(one, chunk);
  if (advance(other, chunk) !== alive) throw new Error(`after ${at}: only one machine ended`);
  const found = differences(one, other);
  if (found.length === 0 && round % memoryEvery === 0 && digest(one) !== digest(other)) found.push("memory");
  if (found.length > 0) {
    console.log(
      `differ between instructions ${at} and ${at + chunk}\n${found.slice(0, MOST_SHOWN).join("\n")}`,
    );
    process.exit(1);
  }
}
console.log(`equal for ${one.stats().instructions} instructions`);
