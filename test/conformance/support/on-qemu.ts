/** Runs a conformance guest on QEMU, to judge the guest's expectations by a second implementation. */
import { stateLoaderElf } from "../../support/qemu/state-loader.js";
import { runQemu } from "../../support/qemu/run.js";
import type { Guest } from "./guest.js";
import * as layout from "./layout.js";
import { differences } from "./outcome.js";
import type { Outcome } from "./outcome.js";

/** A halted guest never ends QEMU: it is stopped after this long. */
const HALT_TIMEOUT_MS = 2_000;

function ending(status: number | undefined, stderr: string): Outcome["ending"] {
  if (stderr.trim() !== "") return { kind: "other", detail: `QEMU says: ${stderr.trim()}` };
  if (status === undefined) return { kind: "halt", interruptible: false };
  if ((status & 1) === 1) return { kind: "exit", code: status >> 1 };
  return { kind: "shutdown" };
}

/** What differs on QEMU from what the guest expects. */
export async function differencesOnQemu(guest: Guest): Promise<string[]> {
  const events = guest.events.map((e) => ({ ...e, ...e.onQemu }));
  const elf = stateLoaderElf(guest.start, guest.chunks, layout.RUNNER_PAGE);
  const timeoutMs = guest.ending.kind === "halt" ? HALT_TIMEOUT_MS : 15_000;
  const run = await runQemu(elf, { exitPort: layout.EXIT_PORT, timeoutMs });
  try {
    const end = ending(run.status, run.stderr);
    if (end.kind === "halt" && guest.ending.kind === "halt") end.interruptible = guest.ending.interruptible;
    return differences({ ...guest, events }, { ending: end, read: run.read });
  } finally {
    run.dispose();
  }
}
