/**
 * Which engines exist, whether they work here, and how one is loaded by name. Loading is lazy: a command that
 * runs nothing pays for nothing.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import type { DumpRegion } from "./jit-dump.js";
import { JIT_MODES, type Engine, type EngineVerdict, type JitMode } from "../../engine/contract.js";

const KVM_DEVICE = "/dev/kvm";
/** Environment variable that says whether to compile, where nobody else does. */
const JIT_VARIABLE = "LOCORE_JIT";
/** Environment variable that names a folder for what the compiler makes. */
const JIT_DUMP_VARIABLE = "LOCORE_JIT_DUMP";

/**
 * V8 allocates objects of one place in the code as old ones once most of them outlived a collection, as those of a
 * large region do; the compiler's garbage would then wait for a full collection, 40 MiB of it.
 */
const YOUNG_STAYS_YOUNG = "--no-allocation-site-pretenuring";

/**
 * Node 20's V8 11.3 joins and shortens moves without asking whether a stack slot holds 32 or 64 bits, and a guest's
 * register loses its upper half. Without that pass the code is right (RATIONALE.md).
 */
const MOVES_STAY_APART = "--no-turbo-move-optimization";
/** Major version of the first V8 that needs no `MOVES_STAY_APART`. */
const FIRST_SOUND_V8 = 12;

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
export const ENGINE_NAMES = ["auto", "wasm", "kvm"] as const;

async function wasmEngine({ jit = jitOfEnvironment(), statistics = false }: EngineOptions): Promise<Engine> {
  const { createWasmEngine } = await import("../../engine/wasm/engine.js");
  if (jit !== "off") prepareV8();
  const dumpRegion = jit === "off" ? undefined : await dumpOfEnvironment();
  return createWasmEngine({
    jit,
    ...(statistics && { statistics: { now: () => performance.now() } }),
    ...(dumpRegion && { dumpRegion }),
  });
}

/** Sets what V8 must know before it compiles a region. */
function prepareV8(): void {
  setFlagsFromString(YOUNG_STAYS_YOUNG);
  if (Number.parseInt(process.versions.v8, 10) < FIRST_SOUND_V8) setFlagsFromString(MOVES_STAY_APART);
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

function kvmVerdict(): EngineVerdict {
  if (!existsSync(KVM_DEVICE))
    return { usable: false, reason: `not supported yet; this host has no ${KVM_DEVICE}` };
  try {
    accessSync(KVM_DEVICE, constants.R_OK | constants.W_OK);
    return { usable: false, reason: `not supported yet; ${KVM_DEVICE} exists and may be opened` };
  } catch {
    return {
      usable: false,
      reason: `not supported yet; ${KVM_DEVICE} exists and may not be opened by this user`,
    };
  }
}

/** Every engine with its verdict on this host. */
export async function probeEngines(): Promise<EngineReport[]> {
  const wasm = await wasmEngine({ jit: "off" });
  return [
    { name: wasm.name, verdict: wasm.probe() },
    { name: "kvm", verdict: kvmVerdict() },
  ];
}

/** Refuses, before anything else is done, an engine that cannot work here. Throws `EngineUnavailable`. */
export function requireEngine(name: string): void {
  if (name !== "kvm") return;
  const verdict = kvmVerdict();
  throw new EngineUnavailable("kvm", verdict.usable ? verdict.detail : verdict.reason);
}

/** Refuses a machine that no engine here holds, without making it. Throws `EngineLimit`. */
export async function requireCapacity(machine: {
  ram: readonly { size: number }[];
  cpus: number;
}): Promise<void> {
  const { checkCpu, memoryPages } = await import("../../engine/wasm/limits.js");
  memoryPages(machine.ram.reduce((sum, { size }) => sum + size, 0));
  for (let id = 0; id < machine.cpus; id++) checkCpu(id);
}

/** What LOCORE_JIT says, else "on". Throws `EngineUnavailable`. */
function jitOfEnvironment(): JitMode {
  const value = process.env[JIT_VARIABLE] ?? "on";
  const mode = JIT_MODES.find((one) => one === value);
  if (mode === undefined)
    throw new EngineUnavailable("wasm", `${JIT_VARIABLE} is "${value}"; it can be ${JIT_MODES.join(", ")}`);
  return mode;
}

/** Loads the engine called `name` ("auto" takes the best that works). Throws `EngineUnavailable`. */
export async function loadEngine(name: string, options: EngineOptions = {}): Promise<Engine> {
  requireEngine(name);
  if (name !== "auto" && name !== "wasm")
    throw new EngineUnavailable(name, "there is no engine of this name");
  const engine = await wasmEngine(options);
  const verdict = engine.probe();
  if (!verdict.usable) throw new EngineUnavailable(engine.name, verdict.reason);
  return engine;
}
