/**
 * How long locore takes to start, beside what Node takes for itself: until it has said its version, and from the start of its process to
 * the first instruction of a small kernel and of Debian's, as it says itself on runs that end after that one instruction. And how long the
 * shortest run takes as a whole, with its boot and from a machine that was kept.
 */
import { bootCases } from "./boot-cases.js";
import { instructionCases } from "./compute-cases.js";
import type { Case } from "./case.js";
import { measure } from "./measure.js";
import type { Run } from "./measure.js";
import {
  emptyWorkerCommand,
  nothingCommand,
  startCommand,
  trueCommand,
  versionCommand,
  vmStartCommand,
} from "./peers.js";
import { runCommandCases } from "./run-cases.js";
import type { Boot, NodeBinary, Peer } from "./peers.js";

export const START_UP = "start-up";

/** All in ms, a sample a round. */
export interface StartUpSamples {
  /** A Node that does nothing, from its start to its end. */
  nothingMs: number[];
  /** `locore --version`, likewise. */
  versionMs: number[];
  /** A Node with an empty worker, to the worker's first line. */
  emptyMs: number[];
  /** Process start to the first instruction of a small kernel. */
  smallMs: number[];
  /** The same of Debian's; empty where it is not there. */
  debianMs: number[];
  /** `run -- true` from its start to its end, with its boot; empty where its guest is not there. */
  coldMs: number[];
  /** The same of one that goes on from a machine that was kept. */
  warmMs: number[];
  /** `Vm.start` and a command, in a program that has loaded the library, with a boot and without. */
  vmColdMs: number[];
  vmWarmMs: number[];
}

interface StartUpOptions {
  runs: number;
  timeoutMs: number;
  nodes: readonly NodeBinary[];
}

function firstInstruction({ stderr }: Run): number {
  const ms = /first instruction\s+([\d,]+) ms/.exec(stderr)?.[1];
  if (ms === undefined) throw new Error(`locore says nothing of its start:\n${stderr}`);
  return Number(ms.replaceAll(",", ""));
}

/** How long a run took that must have been of this kind. */
function tookAs(kind: "warm" | "cold", { status, stderr, wallMs }: Run): number {
  if (status === 0 && new RegExp(String.raw`^locore: [\d,]+ ms, ${kind}`, "m").test(stderr)) return wallMs;
  throw new Error(`a run was not ${kind}:\n${stderr}`);
}

/** The same of a program with a machine. */
function vmTookAs(kind: "warm" | "cold", { status, stderr, lines }: Run): number {
  const [ms, found] = (lines.at(0)?.text ?? "").split(" ");
  if (status === 0 && found === kind) return Number(ms);
  throw new Error(`a machine was not ${kind}:\n${stderr}`);
}

async function prepared(one: Case, folder: string): Promise<Boot | undefined> {
  const boot = await one.prepare(folder);
  return "skip" in boot ? undefined : boot;
}

/** A start lasts less than what else a machine does now and then: of so few as of other cases the median would be one of those. */
const ROUNDS_A_RUN = 3;

/** By name of the judged peer. */
export async function measureStartUp(
  peers: readonly Peer[],
  { nodes, runs, timeoutMs }: StartUpOptions,
  folder: string,
): Promise<Map<string, StartUpSamples>> {
  const found = new Map<string, StartUpSamples>();
  const small = (await prepared(instructionCases()[0], folder))!;
  const debian = await prepared(bootCases()[0], folder);
  const hasRuns = (await prepared(runCommandCases()[0], folder)) !== undefined;
  const run = (command: Parameters<typeof measure>[0]): Promise<Run> =>
    measure(command, { marks: [], timeoutMs });
  // The first round of a build keeps what was compiled, which is no part of a start: it does not count.
  for (let round = 0; round <= runs * ROUNDS_A_RUN; round++) {
    for (const peer of peers.filter((p) => p.judged)) {
      const node = nodes.find((n) => n.version === peer.node)!.path;
      const none = {
        ...{ nothingMs: [], versionMs: [], emptyMs: [], smallMs: [], debianMs: [], coldMs: [], warmMs: [] },
        ...{ vmColdMs: [], vmWarmMs: [] },
      };
      const samples: StartUpSamples = (round > 1 && found.get(peer.name)) || none;
      samples.nothingMs.push((await run(nothingCommand(node))).wallMs);
      samples.versionMs.push((await run(versionCommand(node))).wallMs);
      samples.emptyMs.push(Number((await run(emptyWorkerCommand(node))).lines[0].text));
      samples.smallMs.push(firstInstruction(await run(startCommand(node, small))));
      if (debian !== undefined)
        samples.debianMs.push(firstInstruction(await run(startCommand(node, debian))));
      if (hasRuns) {
        // It takes a second or more, of which others take no share that counts.
        if (round <= runs) samples.coldMs.push(tookAs("cold", await run(trueCommand(node, true))));
        // The first one of a build keeps its machine.
        if (round === 0) await run(trueCommand(node, false));
        samples.warmMs.push(tookAs("warm", await run(trueCommand(node, false))));
        if (round <= runs) samples.vmColdMs.push(vmTookAs("cold", await run(vmStartCommand(node, true))));
        if (round === 0) await run(vmStartCommand(node, false));
        samples.vmWarmMs.push(vmTookAs("warm", await run(vmStartCommand(node, false))));
      }
      found.set(peer.name, samples);
    }
  }
  return found;
}
