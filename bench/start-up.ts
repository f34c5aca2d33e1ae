/**
 * How long locore takes from the start of its process to the first instruction of a Debian kernel, as it says itself
 * on runs that end after that one instruction.
 */
import { bootCases } from "./boot-cases.js";
import { measure } from "./measure.js";
import { startCommand } from "./peers.js";
import type { NodeBinary, Peer } from "./peers.js";

export const START_UP = "start-up";

interface StartUpOptions {
  runs: number;
  timeoutMs: number;
  nodes: readonly NodeBinary[];
}

/** Milliseconds by name of the judged peer; empty where there is no kernel to start. */
export async function measureStartUp(
  peers: readonly Peer[],
  options: StartUpOptions,
  folder: string,
): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  const boot = await bootCases()[0].prepare(folder);
  if ("skip" in boot) return found;
  for (let round = 0; round < options.runs; round++) {
    for (const peer of peers.filter((p) => p.judged)) {
      const node = options.nodes.find((n) => n.version === peer.node)!;
      const run = await measure(startCommand(node.path, boot), { marks: [], timeoutMs: options.timeoutMs });
      const ms = /first instruction\s+([\d,]+) ms/.exec(run.stderr)?.[1];
      if (ms === undefined) throw new Error(`locore says nothing of its start:\n${run.stderr}`);
      found.set(peer.name, [...(found.get(peer.name) ?? []), Number(ms.replaceAll(",", ""))]);
    }
  }
  return found;
}
