/** What to write where a command was given without the `--` before it. */
import { existsSync } from "node:fs";
import { allGuestNames } from "../../guests/index.js";

/** Words that no shell changes. */
const PLAIN = /^[\w./:=@%+,-]+$/;

/** `words` stand behind `locore run`. Undefined where that is not what went wrong. */
export function misplacedCommand(words: readonly string[]): string | undefined {
  const [first, ...rest] = words as readonly [string?, ...string[]];
  if (first === undefined || first.startsWith("-") || words.includes("--")) return undefined;
  const isKernel = first.includes("/") || existsSync(first) || allGuestNames().includes(first);
  const before = isKernel ? [first] : [];
  const command = isKernel ? rest : words;
  if (command.length === 0) return undefined;
  const shown = command.every((word) => PLAIN.test(word)) ? command : ["COMMAND…"];
  return `the command stands behind --: ${["locore run", ...before, "--", ...shown].join(" ")}`;
}
