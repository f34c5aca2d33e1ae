/** One run, from a machine that was kept where there is one that fits, otherwise from the start of its kernel. */
import { expectBoot } from "../../host/node/machine-thread.js";
import type { MachineCopy } from "../../snapshot/write.js";
import type { CommandContext } from "../command.js";
import { progressLine } from "../progress.js";
import { makeGuest, type StreamKinds } from "./guest.js";
import { isOfState, NotResumed } from "./not-resumed.js";
import { isLack } from "./outcome.js";
import type { RunRequest } from "./request.js";
import { RunTimer, type Timing } from "./timing.js";
import { runGuest, type RunGuestOptions, type RunResult } from "./run-guest.js";
import { findKept, keepCopy, roomToKeep, type Found, type WarmGuest } from "./warm/keeping.js";

/** Ends of a run whose kernel has no driver that it needs. */

/** Throws what makes a run impossible. */
export async function runOnce(
  request: RunRequest,
  kinds: StreamKinds,
  context: CommandContext,
): Promise<{ result: RunResult; timing: Timing }> {
  const timer = new RunTimer();
  const way: RunGuestOptions = { request, kinds, context, timer };
  const found = await findKept(request, kinds);
  const result = await (found.warm === undefined ? booted(way, found) : warmed(way, found, found.warm));
  timer.end("end");
  return { result, timing: timer.timing };
}

async function warmed(way: RunGuestOptions, found: Found, warm: WarmGuest): Promise<RunResult> {
  const forget = (): void => found.keep?.machines.forget(found.keep.key);
  const result = await resumed(way, warm, forget);
  if (!(result instanceof NotResumed)) return result;
  forget();
  return booted(way, { ...found, reason: `the machine that was kept did not go on: ${result.message}` });
}

/** `forget` throws the machine away that was kept. */
async function resumed(
  way: RunGuestOptions,
  resume: WarmGuest,
  forget: () => void,
): Promise<RunResult | NotResumed> {
  way.timer.begin(true);
  try {
    return await runGuest(way, () => Promise.resolve({ resume }));
  } catch (error) {
    if (error instanceof NotResumed) return error;
    // Damage that was found behind the command's start: the next run is not to find it again.
    if (isOfState(error)) forget();
    throw error;
  }
}

/** What a kernel without its modules cannot do is not the kernel's fault. */
async function explained(result: RunResult, modulesMissed: readonly string[]): Promise<RunResult> {
  if (!isLack(result.outcome.reason)) return result;
  const { modulesNotFound } = await import("./kernel.js");
  const why = modulesNotFound(modulesMissed);
  if (why === undefined) return result;
  const { message } = result.outcome;
  return { ...result, outcome: { ...result.outcome, message: [message, why].filter(Boolean).join("; ") } };
}

async function booted(way: RunGuestOptions, { keep, reason }: Found): Promise<RunResult> {
  expectBoot();
  const { request, kinds, context, timer } = way;
  timer.begin(false, reason);
  let modulesMissed: readonly string[] = [];
  const result = await runGuest(way, async (signal) => {
    const progress = progressLine(context.stderr);
    try {
      const by = keep === undefined ? "archive" : "hand";
      const boot = await makeGuest(request, kinds, { progress: progress.show, signal }, by);
      timer.end("pack");
      ({ modulesMissed } = boot);
      if (keep === undefined) return { boot };
      const { most, notKept } = roomToKeep(keep, boot);
      timer.notKept = notKept;
      if (most === 0) return { boot };
      const take = async (copy: MachineCopy): Promise<void> => {
        timer.notKept = await keepCopy(keep, boot, copy);
      };
      return { boot, keep: { most, take } };
    } finally {
      progress.done();
    }
  });
  return explained(result, modulesMissed);
}
