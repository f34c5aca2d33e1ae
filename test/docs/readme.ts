/**
 * The README's "Use" section: its commands as they stand, with a program `npx` that stands for npm's, in one empty folder
 * and with an empty cache. The tests say what each command must show.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { testFolder } from "../convert/machines.js";
import { repositoryText } from "../support/repository.js";
import { missing, requireTool } from "../support/requires.js";
import { commandsOf, putProgram, runShell, shellBlocks } from "./pages.js";

/** A command's beginning, what it must print, and its status where that is not 0. */
export interface Expected {
  command: string;
  shows: RegExp;
  status?: number;
}

/** One command may fetch packages, or boot on a busy machine. */
const LIMIT_MS = 240_000;

/** The two blocks of the section: what a newcomer runs first, and more. */
export function useBlocks(): string[][] {
  const section = /^## Use\n(.*?)^## /ms.exec(repositoryText("README.md"));
  return shellBlocks(section?.[1] ?? "").map(commandsOf);
}

/** A folder in which the section's commands find what they need; undefined after the test was skipped. */
export async function newcomer(t: TestContext): Promise<string | undefined> {
  if (requireTool(t, "apt-get") === undefined) return undefined;
  const folder = await testFolder(t);
  await putProgram(folder, "npx", '[ "$1" = locore ] || exit 99\nshift\n');
  return folder;
}

function run(folder: string, command: string): ReturnType<typeof runShell> {
  return runShell(command, { folder, limitMs: LIMIT_MS, environment: { XDG_CACHE_HOME: `${folder}/cache` } });
}

/** Runs commands that others need first. False after the test was skipped: what they fetch cannot be had. */
export async function prepare(t: TestContext, folder: string, commands: readonly string[]): Promise<boolean> {
  for (const command of commands) {
    const { output, status } = await run(folder, command);
    if (status === 0) continue;
    missing(t, `${command} failed: ${output}`);
    return false;
  }
  return true;
}

/** Runs commands in order and holds each to what is expected of it. */
export async function holds(
  folder: string,
  commands: readonly string[],
  expected: readonly Expected[],
): Promise<void> {
  assert.equal(commands.length, expected.length, "every command of the README has a row here");
  for (const [i, command] of commands.entries()) {
    const { command: start, shows, status = 0 } = expected[i];
    assert.ok(command.startsWith(`npx locore ${start}`), `${command}: the row here is for ${start}`);
    const made = await run(folder, command);
    assert.equal(made.status, status, `${command}\n${made.output.slice(-4000)}`);
    assert.match(made.output, shows, command);
  }
}
