/** `locore version`. */
import { JSON_OPTION, type Command } from "../command.js";
import { packageVersion, versionLine } from "../version.js";

export const version: Command = {
  operands: [],
  options: [JSON_OPTION],
  run(args, { stdout }) {
    const facts = { locore: packageVersion(), node: process.versions.node, platform: process.platform };
    stdout.write(args.has("json") ? `${JSON.stringify(facts)}\n` : `${versionLine()}\n`);
    return Promise.resolve(0);
  },
};
