/** `locore doctor`: which engines work here, and what is done without what this host lacks. */
import { probeEngines } from "../../host/node/engines.js";
import { abortOnEndingSignal } from "../../host/node/signals.js";
import { nativeVerdict } from "../../host/node/native-calls.js";
import { EXIT_STATUS } from "../../machine/end.js";
import { UsageError, type Arguments } from "../args.js";
import { JSON_OPTION, printLines, type Command, type CommandContext } from "../command.js";
import { progressLine } from "../progress.js";
import { parseCount } from "../values.js";

/** What is done instead where Node's own calls are all there are. */
const WITHOUT_NATIVE = [
  "disks are locked by files beside them, which keep away other machines of locore only, not QEMU",
  "what a guest discards stays in the disk's file",
  "folders are shared read-only, without extended attributes",
  "there are no taps: --net tap= is refused",
];

const USUAL_SECONDS = 60;
/** The timer of the local APIC goes round in 92 minutes, and rests then. */
const MOST_SECONDS = 3600;

/** `--clocks`: 0 where all agree with the host's. */
async function checkClocks(args: Arguments, { stdout, stderr }: CommandContext): Promise<number> {
  const text = args.value("seconds");
  const seconds = text === undefined ? USUAL_SECONDS : parseCount("--seconds", text, 1, MOST_SECONDS);
  const { measureClocks } = await import("../doctor/measure-clocks.js");
  const { clockLines } = await import("../render/clocks.js");
  const progress = progressLine(stderr);
  const { signal, forget } = abortOnEndingSignal();
  const show = (fraction: number): void =>
    progress.show({ guest: "clocks", step: "measuring", detail: `for ${seconds} s`, fraction });
  const lint = await measureClocks("auto", { seconds, signal, progress: show }).finally(() => {
    forget();
    progress.done();
  });
  if (args.has("json")) stdout.write(`${JSON.stringify(lint)}\n`);
  else printLines(stdout, clockLines(lint));
  return lint.clocks.some(({ verdict }) => verdict === "off") ? EXIT_STATUS.deviceFailed : EXIT_STATUS.ok;
}

export const doctor: Command = {
  operands: [],
  options: [
    {
      name: "clocks",
      help:
        "have a guest read every clock of the machine for a while, and hold them to this host's time: 0.1 % is what they may differ by; " +
        `the status is ${EXIT_STATUS.deviceFailed} where one differs by more`,
    },
    {
      name: "seconds",
      value: "N",
      help: `with --clocks: how long, 1 to ${MOST_SECONDS}; ${USUAL_SECONDS} if nobody says`,
    },
    JSON_OPTION,
  ],
  async run(args, context) {
    const { stdout } = context;
    if (args.has("clocks")) return checkClocks(args, context);
    if (args.has("seconds"))
      throw new UsageError("--seconds: it says how long --clocks measures", "--clocks --seconds 10");
    const engines = await probeEngines();
    const native = nativeVerdict();
    const lacking = native.usable ? [] : WITHOUT_NATIVE;
    const usable = engines.some(({ verdict }) => verdict.usable);
    if (args.has("json")) {
      stdout.write(`${JSON.stringify({ node: process.versions.node, engines, native, lacking })}\n`);
    } else {
      const lines = engines.map(({ name, verdict }) =>
        verdict.usable ? `${name}: works (${verdict.detail})` : `${name}: ${verdict.reason}`,
      );
      const nativeLines = native.usable
        ? [`system calls that Node lacks: ${native.detail}`]
        : [`system calls that Node lacks: none (${native.reason})`, ...lacking.map((line) => `  ${line}`)];
      printLines(stdout, [
        `Node ${process.versions.node} on ${process.platform} ${process.arch}`,
        ...lines,
        ...nativeLines,
      ]);
    }
    return usable ? EXIT_STATUS.ok : EXIT_STATUS.engineUnavailable;
  },
};
