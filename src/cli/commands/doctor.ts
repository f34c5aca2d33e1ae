/** `locore doctor`: which engines work here, and what is done without what this host lacks. */
import { probeEngines } from "../../host/node/engines.js";
import { nativeVerdict } from "../../host/node/native-calls.js";
import { EXIT_STATUS } from "../../machine/end.js";
import { JSON_OPTION, printLines, type Command } from "../command.js";

/** What is done instead where Node's own calls are all there are. */
const WITHOUT_NATIVE = [
  "disks are locked by files beside them, which keep away other machines of locore only, not QEMU",
  "what a guest discards stays in the disk's file",
  "folders are shared read-only, without extended attributes",
];

export const doctor: Command = {
  summary:
    "say which engines work on this host, and why others do not; what else it lacks, and what is done without",
  operands: [],
  options: [JSON_OPTION],
  async run(args, { stdout }) {
    const engines = await probeEngines();
    const native = await nativeVerdict();
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
