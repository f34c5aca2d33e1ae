/** `locore version`. */
import { readFileSync } from "node:fs";
import { JSON_OPTION, type Command } from "../command.js";

/** package.json stands four folders above the compiled file. */
const PACKAGE_URL = new URL("../../../../package.json", import.meta.url);

/** Version of the package this file belongs to. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(PACKAGE_URL, "utf8")) as { version: string }).version;
}

export const version: Command = {
  summary: "print the versions of locore and of Node",
  operands: [],
  options: [JSON_OPTION],
  run(args, { stdout }) {
    const facts = { locore: packageVersion(), node: process.versions.node, platform: process.platform };
    stdout.write(
      args.has("json")
        ? `${JSON.stringify(facts)}\n`
        : `locore ${facts.locore} (Node ${facts.node}, ${facts.platform})\n`,
    );
    return Promise.resolve(0);
  },
};
