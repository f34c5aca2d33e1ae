/** `locore help [COMMAND]`, `locore help qemu`. */
import { UsageError } from "../args.js";
import { closest } from "../closest.js";
import { printLines, type Command } from "../command.js";
import { COMMANDS } from "../commands.js";
import { pageWidth } from "../render/wrap.js";
import { commandHelp, foreignHelp, programHelp } from "../help-text.js";

/** The row of a command, or a usage error that guesses what was meant. */
export function findCommand(name: string): (typeof COMMANDS)[number] {
  const row = COMMANDS.find((candidate) => candidate.name === name);
  if (row !== undefined) return row;
  const guess = closest(
    name,
    COMMANDS.map((candidate) => candidate.name),
  );
  throw new UsageError(`unknown command ${name}`, guess && `did you mean locore ${guess}?`);
}

/** What is no command and has a page of its own. */
const QEMU_TOPIC = "qemu";

export const help: Command = {
  operands: [{ name: "COMMAND", required: false, help: "the command to explain, or qemu" }],
  options: [],
  async run(args, { stdout }) {
    const [name] = args.operands;
    const page = pageWidth(stdout);
    if (name === QEMU_TOPIC) {
      printLines(stdout, foreignHelp((await import("../qemu/words.js")).QEMU_WORDS, page));
      return 0;
    }
    if (name !== undefined) {
      const row = findCommand(name);
      printLines(stdout, commandHelp(row, await row.load(), page));
      return 0;
    }
    printLines(stdout, programHelp(COMMANDS, page));
    return 0;
  },
};
