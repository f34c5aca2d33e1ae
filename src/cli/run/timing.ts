/** Where the time of a run went: what it came to, in the order in which it did. Knows no machine. */
import { hostNs, sinceProcessStart } from "../../host/node/host-time.js";

/** What a run comes to, one behind the other; a warm one skips some. Each ends the stage that is named after it. */
export const STAGES = {
  look: "look for a machine that was kept",
  pack: "find the kernel, pack its archive",
  start: "make the machine",
  boot: "boot until it takes the command",
  copy: "copy its memory",
  setUp: "hand the command over, mount and start it",
  command: "the command",
  end: "end, and keep the machine",
} as const;
export type Stage = keyof typeof STAGES;

/** Ms of each stage that there was, and of all since the start of the process. */
export interface Timing {
  warm: boolean;
  /** Why it booted. */
  reason?: string;
  /** Why its machine was not kept, though it could have been. */
  notKept?: string;
  stages: Partial<Record<Stage, number>>;
  totalMs: number;
}

/** Takes the time of one run. */
export class RunTimer {
  readonly #ended = new Map<Stage, number>();
  #warm = false;
  #reason: string | undefined;
  /** Why the machine was not kept. */
  notKept: string | undefined;

  /** The stage has ended now, or `ns` of the host's time; the first time counts. */
  end(stage: Stage, ns = hostNs()): void {
    if (!this.#ended.has(stage)) this.#ended.set(stage, ns);
  }

  /** It begins to go on from a machine that was kept, or to boot: what another attempt came to is part of its first stage. */
  begin(warm: boolean, reason?: string): void {
    this.#ended.clear();
    this.#warm = warm;
    this.#reason = reason;
    this.end("look");
  }

  get timing(): Timing {
    const stages: Partial<Record<Stage, number>> = {};
    let before = 0;
    for (const stage of Object.keys(STAGES) as Stage[]) {
      const ns = this.#ended.get(stage);
      if (ns === undefined) continue;
      const at = sinceProcessStart(ns);
      stages[stage] = Math.round(at - before);
      before = at;
    }
    return {
      warm: this.#warm,
      ...(this.#reason !== undefined && { reason: this.#reason }),
      ...(this.notKept !== undefined && { notKept: this.notKept }),
      stages,
      totalMs: Math.round(before),
    };
  }
}

/** The same for people. */
export function timingLines({ warm, reason, notKept, stages, totalMs }: Timing): string[] {
  const rows = (Object.keys(STAGES) as Stage[]).flatMap((stage) => {
    const ms = stages[stage];
    return ms === undefined ? [] : [`  ${String(ms).padStart(6)} ms  ${STAGES[stage]}`];
  });
  const kind = warm ? "warm" : `cold${reason === undefined ? "" : `: ${reason}`}`;
  const kept = notKept === undefined ? [] : [`  its machine was not kept: ${notKept}`];
  return [`locore: ${totalMs} ms, ${kind}`, ...rows, ...kept];
}
