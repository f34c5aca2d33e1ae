/**
 * The README's commands as they stand, with a program `npx` that stands for npm's, in one empty folder and with an empty cache:
 * what each of them must show, in the order of the page.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { testFolder } from "../convert/machines.js";
import { repositoryText } from "../support/repository.js";
import { missing, requireTool } from "../support/requires.js";
import { commandsOf, putProgram, runShell, shellBlocks } from "./pages.js";

/** A command's beginning, what it must print, and its status where that is not 0. */
interface Expected {
  command: string;
  shows: RegExp;
  status?: number;
  /** It waits for somebody: it is ended once it has printed what it must show. */
  waits?: true;
  /** Others need what it fetches: where that cannot be had, nothing can be tested. */
  fetches?: true;
  /** It runs in the first tier, too. */
  first?: true;
}

const UNAME = /^Linux locore 6\.1\.\S+-cloud-amd64 .* x86_64 GNU\/Linux\r?$/m;
const CLOUD = "boot debian-cloud --initrd initrd.img";

const COMMANDS: readonly Expected[] = [
  { command: "guests pull debian-cloud busybox", shows: /vmlinuz/, fetches: true, first: true },
  { command: "initramfs --command", shows: /^initrd\.img: [\d.]+ MiB/m, first: true },
  { command: `${CLOUD} --append`, shows: UNAME, first: true },
  { command: "boot -M microvm", shows: UNAME },
  { command: `${CLOUD} -o loader.name=pvh`, shows: UNAME },
  { command: `${CLOUD} --cpu=-aes,-sha`, shows: UNAME },
  { command: "boot xen", shows: /^Linux locore 6\.1\.\S+-amd64 /m },
  { command: "boot seabios", shows: /^firmware: SeaBIOS \(version /m },
  { command: "boot ipxe", shows: /iPXE/ },
  { command: "boot memtest86+", shows: /Memtest86\+ v6/, status: 124 },
  { command: "initramfs python3", shows: /^ +python3 /m },
  {
    command: "boot debian-cloud --append",
    shows: /diagnosis: nothing of this kernel can reach/,
    status: 124,
  },
  { command: `${CLOUD} --gdb wait`, shows: /gdb.*:1234/, waits: true },
  { command: `${CLOUD} --trace irq,virtio`, shows: UNAME },
  { command: `${CLOUD} -o loader.entry=32`, shows: UNAME },
  { command: `${CLOUD} --jit check`, shows: /instructionsChecked +[1-9]/ },
  { command: "doctor", shows: /^wasm: works/m, first: true },
  { command: "doctor --clocks", shows: /^TSC .* agrees$/m },
  { command: "run -- uname", shows: /^Linux vm 6\.1\.\S+-cloud-amd64 .* x86_64 GNU\/Linux$/m, first: true },
  { command: "run --net user", shows: /inet 10\.0\.2\.15\// },
  { command: "inspect debian-cloud", shows: /vmlinuz-\S+: Linux bzImage, x86-64/ },
  { command: "plan", shows: /"regions": \[/, first: true },
  { command: "export debian-cloud", shows: /^guest\.cfg: written$/m },
  { command: "run --matrix smp=1,2", shows: /^2 cells: 2 ok/m },
  { command: `${CLOUD} --jit off`, shows: UNAME },
  { command: `${CLOUD} --snapshot-at`, shows: /^locore: saved by snapshot: init\.snap/m },
  { command: "restore init.snap", shows: UNAME },
  { command: "inspect debian-armmp", shows: /^ +xl +yes/m },
  { command: "convert debian-armmp", shows: /^kernel: elf, \d+ bytes$/m },
  { command: "convert kernel", shows: /^kernel\.zImage: zimage, \d+ bytes$/m },
  { command: "export kernel.zImage", shows: /^arm\.cfg: written$/m },
];

/** One command may fetch packages, or boot on a busy machine. */
const LIMIT_MS = 240_000;

/** A folder in which the commands find what they need; undefined after the test was skipped. */
async function newcomer(t: TestContext): Promise<string | undefined> {
  if (requireTool(t, "apt-get") === undefined) return undefined;
  const folder = await testFolder(t);
  await putProgram(folder, "npx", '[ "$1" = locore ] || exit 99\nshift\n');
  return folder;
}

/** Runs one command. False after the test was skipped: what it fetches cannot be had. */
async function holds(t: TestContext, folder: string, command: string, expected: Expected): Promise<boolean> {
  const { shows, waits, fetches, status = 0 } = expected;
  const environment = { XDG_CACHE_HOME: `${folder}/cache` };
  const until = waits && { until: shows };
  const made = await runShell(command, { folder, limitMs: LIMIT_MS, environment, ...until });
  if (fetches && made.status !== 0) {
    missing(t, `${command} failed: ${made.output}`);
    return false;
  }
  assert.equal(made.status, waits ? null : status, `${command}\n${made.output.slice(-4000)}`);
  assert.match(made.output, shows, command);
  return true;
}

/** Runs the page's commands in order, or only those of the first tier, and holds each to what is expected of it. */
export async function runReadme(t: TestContext, tier: "first" | "full"): Promise<void> {
  const commands = shellBlocks(repositoryText("README.md")).flatMap(commandsOf);
  const starts = commands.map((command, i) =>
    command.slice(0, `npx locore ${COMMANDS.at(i)?.command}`.length),
  );
  assert.deepEqual(
    starts,
    COMMANDS.map(({ command }) => `npx locore ${command}`),
    "every command of the README has a row here",
  );
  const folder = await newcomer(t);
  if (folder === undefined) return;
  for (const [i, command] of commands.entries()) {
    const expected = COMMANDS[i];
    if (tier === "first" && !expected.first) continue;
    if (!(await holds(t, folder, command, expected))) return;
  }
}
