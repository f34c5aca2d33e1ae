/** `locore help [COMMAND]`. */
import { UsageError } from "../args.js";
import { closest } from "../closest.js";
import { printLines, type Command } from "../command.js";
import { COMMANDS } from "../commands.js";
import { commandHelp, programHelp } from "../help-text.js";

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

export const help: Command = {
  summary: "show what locore can do, or the options of one command",
  operands: [{ name: "COMMAND", required: false, help: "the command to explain" }],
  options: [],
  async run(args, { stdout }) {
    const [name] = args.operands;
    if (name !== undefined) {
      printLines(stdout, commandHelp(name, await findCommand(name).load()));
      return 0;
    }
    const rows = await Promise.all(
      COMMANDS.map(async (row) => [row.name, (await row.load()).summary] as const),
    );
    printLines(stdout, programHelp(rows));
    return 0;
  },
};
