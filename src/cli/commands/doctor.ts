/** `locore doctor`: which engines work here. */
import { probeEngines } from "../../host/node/engines.js";
import { EXIT_STATUS } from "../../machine/end.js";
import { JSON_OPTION, printLines, type Command } from "../command.js";

export const doctor: Command = {
  summary: "say which engines work on this host, and why others do not",
  operands: [],
  options: [JSON_OPTION],
  async run(args, { stdout }) {
    const engines = await probeEngines();
    const usable = engines.some(({ verdict }) => verdict.usable);
    if (args.has("json")) {
      stdout.write(`${JSON.stringify({ node: process.versions.node, engines })}\n`);
    } else {
      const lines = engines.map(({ name, verdict }) =>
        verdict.usable ? `${name}: works (${verdict.detail})` : `${name}: ${verdict.reason}`,
      );
      printLines(stdout, [`Node ${process.versions.node} on ${process.platform} ${process.arch}`, ...lines]);
    }
    return usable ? EXIT_STATUS.ok : EXIT_STATUS.engineUnavailable;
  },
};
