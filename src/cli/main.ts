#!/usr/bin/env node
/**
 * The program: finds the command, reads its options, runs it, exits with its status. Knows no command by itself.
 */
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { EXIT_STATUS } from "../machine/end.js";
import { checkOperands, parseArguments, UsageError } from "./args.js";
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
    if (args.includes("--json")) {
      context.stderr.write(`${failureJson(error)}\n`);
      return explain(error).status;
    }
    const { lines, status } = explain(error);
    const command = COMMANDS.find(({ name }) => name === args[0])?.name ?? "";
    const more = error instanceof UsageError ? [`        locore help ${command}`.trimEnd()] : [];
    printLines(
      context.stderr,
      [...lines, ...more].flatMap((line) => line.split("\n")),
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
  const command = await findCommand(first).load();
  const parsed = parseArguments(rest, [...command.options, HELP_OPTION]);
  if (parsed.has("help")) return runHelp([first], context);
  checkOperands(parsed.operands, command.operands);
  return command.run(parsed, context);
}

async function runHelp(args: readonly string[], context: CommandContext): Promise<number> {
  const { help } = await import("./commands/help.js");
  return help.run(parseArguments(args, help.options), context);
}

/** How long a stalled reader may hold up a process that was asked to end, ms. */
const FLUSH_PATIENCE_MS = 500;

/** Waits until everything written to a stream has left, or cannot leave any more. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) resolve();
    else stream.write("", () => resolve());
  });
}

/** Ends the process with `status` once its output has left; one that was asked to end does not wait for long. */
export async function exitWith(status: number): Promise<never> {
  const asked = status === EXIT_STATUS.interrupted || status === EXIT_STATUS.timeout;
  if (asked) setTimeout(() => process.exit(status), FLUSH_PATIENCE_MS);
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(status);
}

/** A reader that went away is no reason to print a stack. */
function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

async function main(): Promise<void> {
  process.stdout.on("error", ignoreBrokenPipe);
  process.stderr.on("error", ignoreBrokenPipe);
  await exitWith(await runCommandLine(process.argv.slice(2), process));
}

/** Whether this file is the program that was started, also through the link in node_modules/.bin. */
function isProgram(): boolean {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url);
}

if (isProgram()) void main();
