/**
 * The program: finds the command, reads its options, runs it, exits with its status. Knows no command by itself.
 */
import { endProcess } from "../host/node/end-process.js";
import { EXIT_STATUS } from "../machine/end.js";
import { checkOperands, parseArguments, UsageError, type OptionSpec } from "./args.js";
import { printLines, type CommandContext } from "./command.js";
import { COMMANDS } from "./commands.js";
import { findCommand } from "./commands/help.js";

const HELP_OPTION = { name: "help", aliases: ["h", "?"], help: "show this help" };

/** Runs one command line and returns the exit status; every error is explained on `stderr`. */
export async function runCommandLine(args: readonly string[], context: CommandContext): Promise<number> {
  try {
    return await dispatch(args, context);
  } catch (error) {
    const { explain, failureJson } = await import("./failure.js");
    const explained = explain(error);
    const [name, ...words] = args;
    const command = COMMANDS.find((row) => row.name === name);
    const loaded = await command?.load();
    const status = loaded?.failureStatus ?? explained.status;
    if (args.includes("--json")) {
      context.stderr.write(`${failureJson(error, status)}\n`);
      return status;
    }
    const { lines } = explained;
    const isUsage = error instanceof UsageError;
    const advice = isUsage ? await loaded?.advice?.(words) : undefined;
    const more = isUsage ? [advice, `locore help ${command?.name ?? ""}`.trimEnd()] : [];
    printLines(
      context.stderr,
      [...lines, ...more.flatMap((line) => (line === undefined ? [] : [`        ${line}`]))].flatMap((line) =>
        line.split("\n"),
      ),
    );
    return status;
  }
}

async function dispatch(args: readonly string[], context: CommandContext): Promise<number> {
  const [first, ...rest] = args;
  if (first === undefined) {
    await runHelp([], { ...context, stdout: context.stderr });
    return EXIT_STATUS.usage;
  }
  if (first === "--version" || first === "-V") return dispatch(["version", ...rest], context);
  if (["--help", "-h", "-?"].includes(first)) return runHelp(rest, context);
  if (first.startsWith("-")) throw optionFirst(first, rest);
  const command = await findCommand(first).load();
  const options = [...command.options, HELP_OPTION];
  const foreign = areNames(rest, options) ? [] : await command.foreign?.();
  const parsed = parseArguments(rest, options, foreign);
  if (parsed.has("help")) return runHelp([first], context);
  checkOperands(parsed.operands, command.operands);
  printLines(
    context.stderr,
    parsed.notes.map((note) => `locore: note: ${note}`),
  );
  return command.run(parsed, context);
}

/** Whether all words that look like options are some of these, whatever their values are. */
function areNames(words: readonly string[], options: readonly OptionSpec[]): boolean {
  const ours = options.filter(({ values }) => values === undefined);
  const names = new Set(ours.flatMap(({ name, aliases = [] }) => [name, ...aliases]));
  return words.every((word) => {
    const [, name] = /^--?([^=]*)/.exec(word) ?? [];
    return name === undefined || names.has(name);
  });
}

/** An option where the command is to stand. */
function optionFirst(option: string, rest: readonly string[]): UsageError {
  const name = rest.find((word) => COMMANDS.some((row) => row.name === word));
  return new UsageError(
    `${option} stands where a command is expected`,
    `options come behind it: locore ${name ?? "COMMAND"} ${option} …`,
  );
}

async function runHelp(args: readonly string[], context: CommandContext): Promise<number> {
  const { help } = await import("./commands/help.js");
  return help.run(parseArguments(args, help.options), context);
}

/** How long a stalled reader may hold up a process that was asked to end, ms. */
const FLUSH_PATIENCE_MS = 200;

/** The first failure of standard output, if there was one. */
let outputFailure: Error | undefined;

/** Waits until everything written to a stream has left, or cannot leave any more. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) resolve();
    else stream.write("", () => resolve());
  });
}

/**
 * Ends the process with `status` once its output has left; one that was asked to end does not wait for long. Output that
 * did not reach its file is no success.
 */
export async function exitWith(status: number): Promise<never> {
  const asked = status === EXIT_STATUS.interrupted || status === EXIT_STATUS.timeout;
  if (asked) setTimeout(() => endProcess(status), FLUSH_PATIENCE_MS);
  await flushed(process.stdout);
  if (outputFailure === undefined || status !== EXIT_STATUS.ok) return leave(status);
  const { fileReason } = await import("./failure.js");
  process.stderr.write(`locore: standard output: ${fileReason(outputFailure)}\n`);
  return leave(EXIT_STATUS.ioFailed);
}

async function leave(status: number): Promise<never> {
  await flushed(process.stderr);
  endProcess(status);
}

/** A reader that went away is no failure. */
function noteOutputFailure(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") outputFailure ??= error;
}

/** What nobody foresaw, thrown where nobody waits for it: one line as for any error. */
async function endByBug(error: unknown): Promise<void> {
  const { explain } = await import("./failure.js");
  const { lines, status } = explain(error);
  printLines(process.stderr, lines);
  await exitWith(status);
}

/** Runs the command line of this process and ends it. */
export async function runProgram(): Promise<never> {
  process.stdout.on("error", noteOutputFailure);
  // There is nobody left to tell.
  process.stderr.on("error", () => undefined);
  process.on("uncaughtException", (error) => void endByBug(error));
  process.on("unhandledRejection", (error) => void endByBug(error));
  return exitWith(await runCommandLine(process.argv.slice(2), process));
}
