/** `locore run [KERNEL] -- COMMAND`: runs one command in a guest: its streams are this process's, its status is ours. */
import { RUN_STATUS, type Outcome, type RunReason } from "../run/outcome.js";
import { printLines, type Command, type CommandContext } from "../command.js";
import { readRunRequest, RUN_COMMAND_OPTIONS, RUN_OPERANDS, type RunRequest } from "../run/request.js";
import type { StreamKinds } from "../run/guest.js";
import { timingLines, type Timing } from "../run/timing.js";
import type { RunResult } from "../run/run-guest.js";
import { reasonOf } from "../run/refused.js";
import { isTerminalInput } from "../../host/node/terminal.js";
import { linkToMatrix } from "../matrix/cell-link.js";
import { MATRIX_OPTIONS, refuseMatrixOptions } from "../matrix/options.js";
import type { Arguments } from "../args.js";

/** How many of the kernel's last lines are shown when a run fails. */
const SHOWN_LINES = 60;

/** Ends at which the kernel had no part. */
const WITHOUT_MESSAGES: readonly RunReason[] = [
  "exited",
  "signal",
  "setup",
  "timeout",
  "interrupted",
  "unavailable",
  "not-started",
];

function streamKinds(): StreamKinds {
  const terminal = process.stdout.isTTY && isTerminalInput();
  return { terminal, separateErrors: terminal && !process.stderr.isTTY };
}

function jsonLine(outcome: Outcome, result?: RunResult, timing?: Timing): string {
  const { end, stats } = result?.report ?? {};
  return JSON.stringify({
    ...outcome,
    ...(end && { machine: { kind: end.kind, route: end.route }, instructions: stats?.instructions }),
    ...(result && { hostMs: Math.round(result.report.hostMs) }),
    ...(timing && { timing }),
  });
}

function report(result: RunResult, timing: Timing, request: RunRequest, { stderr }: CommandContext): void {
  const { outcome, lines } = result;
  const { status, reason, message } = outcome;
  // What is ours begins a line of its own.
  if (result.midLine && (request.json || request.timing || message !== undefined)) stderr.write("\n");
  if (!WITHOUT_MESSAGES.includes(reason) && lines.length > 0)
    printLines(stderr, [
      "locore: the kernel's last messages:",
      ...lines.slice(-SHOWN_LINES).map((line) => `  ${line}`),
    ]);
  const told = request.timing ? timing : undefined;
  if (request.json) stderr.write(`${jsonLine(outcome, result, told)}\n`);
  else if (message !== undefined) printLines(stderr, [`locore: ${reason}: ${message} (status ${status})`]);
  if (told !== undefined && !request.json) printLines(stderr, timingLines(told));
}

async function dryRun(
  request: RunRequest,
  kinds: StreamKinds,
  { stdout, stderr }: CommandContext,
): Promise<Outcome> {
  const [{ makeGuest }, { showingProgress }, { makePlan }, { planSections }] = await Promise.all([
    import("../run/guest.js"),
    import("../progress.js"),
    import("../../host/node/make-plan.js"),
    import("../render/plan.js"),
  ]);
  const { source } = await showingProgress(stderr, (pulling) => makeGuest(request, kinds, pulling));
  const { plan } = await makePlan(source);
  const summary = planSections(plan).find(({ name }) => name === "summary")?.lines ?? [];
  printLines(stdout, summary);
  return { status: 0, reason: "exited" };
}

async function runCommand(args: Arguments, context: CommandContext): Promise<Outcome> {
  const request = readRunRequest(args);
  const kinds = streamKinds();
  if (request.dryRun) return dryRun(request, kinds, context);
  const { runOnce } = await import("../run/run-once.js");
  const { result, timing } = await runOnce(request, kinds, context);
  report(result, timing, request, context);
  return result.outcome;
}

export const run: Command = {
  description: [
    "Without KERNEL the guest is Debian's cloud kernel, without --root it has busybox. Standard input, output and error are the " +
      "command's, byte for byte; on a terminal it has one of its own, with the size of yours. Ctrl-C and other signals go to the " +
      "command; a second one ends the guest, as Ctrl-A x does on a terminal.",
    "The status is the command's: its own, 128 and the number of the signal that ended it, 126 if it cannot be executed, 127 if it " +
      "is not found. 125 is ours: a kernel that panics, a file that is not there; 124 is --timeout. With --json a line on standard error says why: " +
      '{"status","reason","signal","message"}. The kernel\'s messages go to --log; the last ones are shown when it goes wrong.',
  ],
  operands: RUN_OPERANDS,
  usage: "[KERNEL] [options] -- COMMAND…",
  options: [...RUN_COMMAND_OPTIONS, ...MATRIX_OPTIONS],
  failureStatus: RUN_STATUS.ours,
  examples: [
    ["locore run -- uname -a", "a command in Debian's kernel"],
    ["locore run . --share .:/src -- make -C /src test", "the kernel that was just built here, and a folder"],
    ["locore run --root debian:gcc,libc6-dev -- gcc --version", "Debian packages as the root"],
    [
      "locore run bzImage --root disk.img --smp 2 --timeout 5m -- /test.sh",
      "the root on a disk, which stays as it is",
    ],
    [
      "locore run --matrix kernel=debian-12,sid smp=1,4 --report junit=out.xml -- ./test.sh",
      "four runs, one report",
    ],
  ],
  advice: async (words) => (await import("../run/misplaced.js")).misplacedCommand(words),
  async run(args, context) {
    if (args.has("matrix")) return (await import("../matrix/run-matrix.js")).runMatrix(args, context);
    const tell = linkToMatrix();
    try {
      refuseMatrixOptions(args);
      const outcome = await runCommand(args, context);
      await tell?.(outcome);
      return outcome.status;
    } catch (error) {
      const { explain, InputFileError } = await import("../failure.js");
      // Who forgot the dashes has named a command where a kernel is expected.
      const isBare = error instanceof InputFileError && args.before === args.operands.length;
      const advice = isBare ? await run.advice?.(args.operands) : undefined;
      const lines = [...explain(error).lines, ...(advice === undefined ? [] : [`        ${advice}`])];
      const reason = reasonOf(error);
      const outcome: Outcome = {
        status: RUN_STATUS.ours,
        reason,
        message: lines.join("\n").replace(/^locore: /, ""),
      };
      if (args.has("json")) context.stderr.write(`${jsonLine(outcome)}\n`);
      else
        printLines(
          context.stderr,
          lines.flatMap((line) => line.split("\n")),
        );
      await tell?.(outcome);
      return outcome.status;
    }
  },
};
