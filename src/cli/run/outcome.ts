/**
 * What a run came to: the status that the process exits with, and the reason in one word. Pure: what the guest said, what its
 * kernel printed, and how the machine ended come in.
 */
import type { MachineEnd } from "../../machine/end.js";
import type { CommandEnding } from "./guest-control.js";

export type RunReason =
  /** The command ended by itself. */
  | "exited"
  /** A signal ended it. */
  | "signal"
  | "out-of-memory"
  | "panic"
  | "oops"
  | "lockup"
  | "no-init"
  | "no-virtio"
  | "no-module"
  /** What was asked for is not there in the guest: a share, a root, a user. */
  | "setup"
  | "timeout"
  | "interrupted"
  /** The guest switched the machine off or reset it before the command had ended. */
  | "machine-off"
  /** Anything else: a device or the engine. */
  | "machine-error"
  /** A kernel or a package cannot be had: the archive does not have it, or cannot be reached. */
  | "unavailable"
  /** It could not be begun: an image that is refused, a file that is not there. */
  | "not-started";

/** Whether the kernel lacks what a run needs: it may be in modules that were not found. */
export function isLack(reason: RunReason): boolean {
  return reason === "no-virtio" || reason === "no-module";
}

/** How a run ended. Plain data, printed with --json. */
export interface Outcome {
  status: number;
  reason: RunReason;
  /** Of reason signal: which. */
  signal?: number;
  /** For people: what was found. Absent where the command's status says it all. */
  message?: string;
}

/** What is known when a run has ended. */
export interface RunFacts {
  /** How the command ended; undefined: it did not come to an end. */
  ending: CommandEnding | undefined;
  /** What /init said that it cannot do. */
  failed: string | undefined;
  /** Whether the command was started. */
  started: boolean;
  end: MachineEnd;
  /** The last lines of the kernel's messages. */
  lines: readonly string[];
}

/** As docker has it: what is not the command's. */
export const RUN_STATUS = { ours: 125, timeout: 124 } as const;

const SIGNAL_BASE = 128;
const SIGKILL = 9;

/** What Linux prints, the most telling first: a panic may follow from any of the others. */
const SIGNS: readonly (readonly [RunReason, RegExp])[] = [
  [
    "no-init",
    /No working init found|Attempted to kill init! exitcode=0x0000(7f|7e)00|Requested init .* failed|Unable to mount root fs/,
  ],
  [
    "out-of-memory",
    /System is deadlocked on memory|Out of memory and no killable processes|Out of memory: (compulsory )?panic_on_oom/,
  ],
  ["lockup", /soft lockup|hard LOCKUP|Hard LOCKUP|softlockup: hung tasks|hung_task: blocked tasks/i],
  [
    "oops",
    /\bOops: |BUG: kernel NULL pointer|BUG: unable to handle|kernel BUG at |general protection fault.*\[#\d|Fatal exception/,
  ],
  ["panic", /Kernel panic - not syncing/],
];
const KILLED_FOR_MEMORY = /Out of memory: Killed process/;

function sign(lines: readonly string[]): { reason: RunReason; line: string } | undefined {
  for (const [reason, pattern] of SIGNS) {
    const line = lines.find((each) => pattern.test(each));
    if (line !== undefined) return { reason, line };
  }
  return undefined;
}

/** The word before the colon of what /init said. */
function failure(text: string): RunReason {
  if (text.startsWith("virtio:")) return "no-virtio";
  return text.startsWith("module ") ? "no-module" : "setup";
}

function ended(ending: CommandEnding, lines: readonly string[]): Outcome {
  const status = "status" in ending ? ending.status : SIGNAL_BASE + ending.signal;
  // A shell that ran what was killed says so by its status.
  const wasKilled = status === SIGNAL_BASE + SIGKILL;
  const starved = wasKilled ? lines.findLast((line) => KILLED_FOR_MEMORY.test(line)) : undefined;
  const signal = "signal" in ending && { signal: ending.signal };
  if (starved !== undefined) return { status, reason: "out-of-memory", ...signal, message: starved };
  return signal === false ? { status, reason: "exited" } : { status, reason: "signal", ...signal };
}

function broken(end: MachineEnd): Outcome {
  const message = `${end.kind} by ${end.route}${end.reason === undefined ? "" : `: ${end.reason}`}`;
  const ours = { status: RUN_STATUS.ours, message };
  if (end.kind === "stuck") return { ...ours, reason: "lockup" };
  if (end.kind === "off" || end.kind === "reset" || end.kind === "halted")
    return {
      ...ours,
      reason: "machine-off",
      message: `the guest ended the machine before the command: ${message}`,
    };
  return { ...ours, reason: "machine-error" };
}

/** What it came to. A time limit and a wish to end come first, then what the command came to, then why it came to nothing. */
export function outcomeOf({ ending, failed, end, lines }: RunFacts): Outcome {
  if (ending !== undefined) return ended(ending, lines);
  if (end.kind === "timeout")
    return { status: RUN_STATUS.timeout, reason: "timeout", message: `the time limit of ${end.reason}` };
  if (end.kind === "interrupted") return { status: end.status, reason: "interrupted", message: end.route };
  if (failed !== undefined) return { status: RUN_STATUS.ours, reason: failure(failed), message: failed };
  const found = sign(lines);
  if (found !== undefined) return { status: RUN_STATUS.ours, reason: found.reason, message: found.line };
  return broken(end);
}
