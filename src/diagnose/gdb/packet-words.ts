/** The words of packets that have a grammar of their own: threads and the actions of vCont. Pure; what makes no sense is undefined. */
import { hexAddress, hexNumber } from "./packets.js";
import type { CpuAction } from "./execution.js";

/** A thread as a packet names it: one, any, or all of them. Threads are numbered from 1. */
export type ThreadName = number | "any" | "all";

const PROCESS_AND_THREAD = /^p([0-9a-f]+|-1)(?:\.(.+))?$/i;

/** "1", "p1.1", "-1": the process is always the same one. */
export function threadName(text: string): ThreadName | undefined {
  const process = PROCESS_AND_THREAD.exec(text);
  const thread = process === null ? text : (process.at(2) ?? "-1");
  if (thread === "-1") return "all";
  const id = hexNumber(thread);
  return id === 0 ? "any" : id;
}

const RANGE = /^r([0-9a-f]+),([0-9a-f]+)$/i;

function action(text: string): CpuAction | undefined {
  const range = RANGE.exec(text);
  if (range !== null) {
    const [from, to] = [hexAddress(range[1]), hexAddress(range[2])];
    return from === undefined || to === undefined ? undefined : { kind: "step", from, to };
  }
  // A signal has no meaning to a machine.
  if (/^(s|S[0-9a-f]{2})$/.test(text)) return { kind: "step" };
  return /^(c|C[0-9a-f]{2})$/.test(text) ? { kind: "continue" } : undefined;
}

/**
 * What each CPU is to do by what stands behind `vCont;`, where the first that is about a thread counts. `current`: the CPU that
 * "any" is.
 */
export function vContActions(
  text: string,
  cpus: number,
  current: number,
): (CpuAction | undefined)[] | undefined {
  const actions = Array.from({ length: cpus }, (): CpuAction | undefined => undefined);
  for (const part of text.split(";")) {
    const [word, name] = part.split(":", 2) as [string, string?];
    const found = action(word);
    const thread = name === undefined ? "all" : threadName(name);
    if (found === undefined || thread === undefined) return undefined;
    if (thread === "all") for (let cpu = 0; cpu < cpus; cpu++) actions[cpu] ??= found;
    else {
      const cpu = thread === "any" ? current : thread - 1;
      if (cpu >= cpus) return undefined;
      actions[cpu] ??= found;
    }
  }
  return actions.some((one) => one !== undefined) ? actions : undefined;
}
