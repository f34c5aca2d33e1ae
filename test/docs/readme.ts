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

const UNAME = /^Linux locore 6\.1\.\S+-cloud-amd64 .* x86_64 GNU\/Linux\r?$/m;

/** The first block, but for its first two commands, which fetch what the others need. */
export const FIRST: readonly (Expected & { fullTier?: true })[] = [
  { command: "initramfs", shows: /^initrd\.img: [\d.]+ MiB/m },
  { command: "boot debian-cloud", shows: UNAME },
  { command: "boot -M microvm", shows: UNAME, fullTier: true },
  { command: "boot seabios", shows: /^firmware: SeaBIOS \(version /m, fullTier: true },
  { command: "plan", shows: /"regions": \[/ },
  { command: "inspect", shows: /vmlinuz-\S+: Linux bzImage, x86-64/, fullTier: true },
  { command: "export", shows: /^guest\.cfg: written$/m, fullTier: true },
  { command: "doctor", shows: /^wasm: works/m },
];

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

/** What commands print that others need first; undefined after the test was skipped: what they fetch cannot be had. */
export async function prepare(
  t: TestContext,
  folder: string,
  commands: readonly string[],
): Promise<string[] | undefined> {
  const outputs: string[] = [];
  for (const command of commands) {
    const { output, status } = await run(folder, command);
    if (status !== 0) {
      missing(t, `${command} failed: ${output}`);
      return undefined;
    }
    outputs.push(output);
  }
  return outputs;
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
