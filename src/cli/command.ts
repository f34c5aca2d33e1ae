/** What a command is: a row of the table in `commands.ts` and the module it loads. */
import type { Writable } from "node:stream";
import { inOneLine } from "../bytes/one-line.js";
import type { Arguments, ForeignWord, OperandSpec, OptionSpec } from "./args.js";

/** What a command may touch of the world; tests hand in their own. */
export interface CommandContext {
  stdout: Writable;
  stderr: Writable;
}

/** A command's description and action. */
export interface Command {
  /** Paragraphs below the usage line. */
  description?: readonly string[];
  operands: readonly OperandSpec[];
  /** The usage line behind the command's name; absent: operands, then options. */
  usage?: string;
  options: readonly OptionSpec[];
  /** Loads words of other programs that are understood besides. */
  foreign?: () => Promise<readonly ForeignWord[]>;
  /** Complete command lines with what they do. */
  examples?: readonly (readonly [line: string, what: string])[];
  /** The status of a wrong command line, where the usual one could be taken for something else. */
  failureStatus?: number;
  /** What to write instead of these words, which were refused; undefined where there is no more to say than what is wrong. */
  advice?(words: readonly string[]): Promise<string | undefined>;
  /** Runs it and returns the exit status. May throw `UsageError` and the typed errors of `failure.ts`. */
  run(args: Arguments, context: CommandContext): Promise<number>;
}

/**
 * Writes lines to a stream. They may hold text of files that nobody trusts: control characters are shown, not obeyed.
 */
export function printLines(stream: Writable, lines: readonly string[]): void {
  if (lines.length > 0) stream.write(`${lines.map(inOneLine).join("\n")}\n`);
}

/** `--json` as every command has it. */
export const JSON_OPTION: OptionSpec = { name: "json", help: "print facts as JSON instead of text" };
