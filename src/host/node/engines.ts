/**
 * Which engines exist, whether they work here, and how one is loaded by name. Loading is lazy: a command that
 * runs nothing pays for nothing.
 */
import type { DumpRegion } from "./jit-dump.js";
import { lateBuiltin } from "./late-builtin.js";
import {
  JIT_MODES,
  type Engine,
  type EngineCapabilities,
  type EngineVerdict,
  type JitMode,
} from "../../engine/contract.js";
import type { HostCompiler } from "../../engine/wasm/host-compiler.js";
import type { WasmEngine } from "../../engine/wasm/vm.js";

/** Environment variable that says whether to compile, where nobody else does. */
const JIT_VARIABLE = "LOCORE_JIT";
/** Environment variable that names a folder for what the compiler makes. */
const JIT_DUMP_VARIABLE = "LOCORE_JIT_DUMP";

/** No engine of that name works here; the message says why. */
export class EngineUnavailable extends Error {
  constructor(name: string, reason: string) {
    super(`engine ${name}: ${reason}`);
    this.name = "EngineUnavailable";
  }
}

/** One line of `locore doctor`. */
export interface EngineReport {
  name: string;
  verdict: EngineVerdict;
}

/** How an engine runs. */
export interface EngineOptions {
  /** Absent: what LOCORE_JIT says, else "on". */
  jit?: JitMode | undefined;
  /** Also counts what costs time to count. */
  statistics?: boolean;
}

/** What `--engine` accepts. */
export const ENGINE_NAMES = ["auto", "wasm"] as const;

/** What compiles WebAssembly here. */
export const HOST_COMPILER: HostCompiler = {
  v8: process.versions.v8,
  setFlag: (flag) => lateBuiltin("node:v8").setFlagsFromString(flag),
};

async function wasmEngine({
  jit = jitOfEnvironment(),
  statistics = false,
}: EngineOptions): Promise<WasmEngine> {
  const { WasmEngine } = await import("../../engine/wasm/vm.js");
  const dumpRegion = jit === "off" ? undefined : await dumpOfEnvironment();
  return new WasmEngine({
    jit,
    compiler: HOST_COMPILER,
    ...(statistics && { statistics: { now: () => performance.now() } }),
    ...(dumpRegion && { dumpRegion }),
  });
}

/** What of an engine a machine can begin without: it is the larger part of what would have to be loaded. */
async function loadCompiler(engine: WasmEngine): Promise<void> {
  engine.compileWith(await import("../../engine/region/index.js"));
}

/** An engine that runs machines, and is not whole yet. */
export interface StartedEngine {
  engine: Engine;
  /** Whether a machine can begin before; else it is to be made whole first. */
  canWait: boolean;
  /** Whether it wants to be, between the steps of a run. */
  wantsMore: () => boolean;
  /** Makes it whole; between the steps of a run, or before. */
  complete: () => Promise<void>;
}

/** Writes regions where LOCORE_JIT_DUMP says. Throws `EngineUnavailable` when that is no place to write to. */
async function dumpOfEnvironment(): Promise<DumpRegion | undefined> {
  const folder = process.env[JIT_DUMP_VARIABLE];
  if (folder === undefined || folder === "") return undefined;
  const { dumpInto } = await import("./jit-dump.js");
  try {
    return dumpInto(folder);
  } catch (error) {
    throw new EngineUnavailable("wasm", `${JIT_DUMP_VARIABLE}: ${(error as Error).message}`);
  }
}

/** Every engine with its verdict on this host. */
export async function probeEngines(): Promise<EngineReport[]> {
  const wasm = await wasmEngine({ jit: "on" });
  return [{ name: wasm.name, verdict: wasm.probe() }];
}

/** Refuses a machine that no engine here holds, without making it. Throws `EngineLimit`. */
export async function requireCapacity(machine: {
  ram: readonly { size: number }[];
  cpus: number;
}): Promise<void> {
  const { memoryPages } = await import("../../engine/wasm/limits.js");
  memoryPages(
    machine.ram.reduce((sum, { size }) => sum + size, 0),
    machine.cpus,
  );
}

/** What LOCORE_JIT says, else "on". Throws `EngineUnavailable`. */
function jitOfEnvironment(): JitMode {
  const value = process.env[JIT_VARIABLE] ?? "on";
  const mode = JIT_MODES.find((one) => one === value);
  if (mode === undefined)
    throw new EngineUnavailable("wasm", `${JIT_VARIABLE} is "${value}"; it can be ${JIT_MODES.join(", ")}`);
  return mode;
}

function checkName(name: string): void {
  if (ENGINE_NAMES.some((one) => one === name)) return;
  throw new EngineUnavailable(name, `there is no engine of this name; there are ${ENGINE_NAMES.join(", ")}`);
}

/** What the engine called `name` can do, without loading it: for a plan. Throws `EngineUnavailable`. */
export async function engineCapabilities(name: string): Promise<EngineCapabilities> {
  checkName(name);
  return (await import("../../engine/wasm/capabilities.js")).CAPABILITIES;
}

/** Loads the engine called `name` ("auto" takes the best that works). Throws `EngineUnavailable`. */
export async function loadEngine(name: string, options: EngineOptions = {}): Promise<Engine> {
  const { engine, complete } = await startEngine(name, options);
  await complete();
  return engine;
}

/** The same, but what a machine can begin without is loaded when it is asked for. */
export async function startEngine(name: string, options: EngineOptions = {}): Promise<StartedEngine> {
  checkName(name);
  const engine = await wasmEngine(options);
  const verdict = engine.probe();
  if (!verdict.usable) throw new EngineUnavailable(engine.name, verdict.reason);
  // The other modes are about compiled code: they are to have it from the first instruction on.
  const canWait = (options.jit ?? jitOfEnvironment()) === "on";
  return { engine, canWait, wantsMore: () => engine.wantsCompiler, complete: () => loadCompiler(engine) };
}
