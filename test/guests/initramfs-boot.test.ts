/**
 * The initramfs under Debian's kernel in QEMU: what /init promises on the console holds on a machine that is not
 * ours. Our own machine is judged elsewhere by the same lines.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import type { TestContext } from "node:test";
import { buildInitramfs, EXIT_LINE, exitStatusIn, INIT_LINE } from "../../src/guests/index.js";
import type { InitramfsOptions } from "../../src/guests/index.js";
import { requireGuest, requireTool } from "../support/requires.js";

const BOOT_LIMIT_MS = 120_000;
/** QEMU's microvm is not used: on a busy host this kernel sometimes hangs there, before or after its console. */
const QEMU_WORDS = [
  "-M",
  "pc",
  "-m",
  "256M",
  "-nodefaults",
  "-display",
  "none",
  "-no-reboot",
  "-serial",
  "stdio",
];

/** What a guest is told while it runs: text to type once the console shows something. */
interface Typing {
  after: RegExp;
  text: string;
}

/** Behind its prompt the shell asks where the cursor is. */
const CURSOR_QUESTION = "\x1b[6n";

function asText(console: string): string {
  return console.replaceAll("\r", "").replaceAll(CURSOR_QUESTION, "");
}

/** Boots the initramfs and returns the console; undefined after the test was skipped. */
async function consoleOf(
  t: TestContext,
  options: Omit<InitramfsOptions, "busybox">,
  typing: readonly Typing[] = [],
): Promise<string | undefined> {
  const qemu = requireTool(t, "qemu-system-x86_64");
  const kernel = await requireGuest(t, "debian-cloud");
  const busybox = await requireGuest(t, "busybox");
  if (!qemu || !kernel || !busybox) return undefined;
  const folder = await mkdtemp(path.join(tmpdir(), "locore-boot-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const initrd = path.join(folder, "initrd");
  await writeFile(initrd, buildInitramfs({ busybox: busybox.files["busybox"], ...options }));
  const boot = ["-kernel", kernel.files["kernel"], "-initrd", initrd, "-append", "console=ttyS0 quiet"];
  const child = spawn(qemu, [...QEMU_WORDS, ...boot], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), BOOT_LIMIT_MS);
  const waiting = [...typing];
  let shown = "";
  child.stdout.on("data", (chunk: Buffer) => {
    shown += chunk.toString("latin1");
    if (waiting.length > 0 && waiting[0].after.test(asText(shown)))
      child.stdin.write(waiting.shift()?.text ?? "");
  });
  await once(child, "close");
  clearTimeout(limit);
  return shown.replaceAll("\r", "");
}

test("initramfs: a command's lines stand between the init line and its exit status, the last line of all", async (t) => {
  const shown = await consoleOf(t, {
    command: "cat /data/greeting; tty; [ -w /dev/null ] && mount | wc -l; exit 7",
    files: [{ to: "/data/greeting", bytes: new TextEncoder().encode("hello from the host\n") }],
    end: "reboot",
  });
  if (shown === undefined) return;
  const lines = shown.slice(shown.indexOf(INIT_LINE)).trimEnd().split("\n");
  assert.deepEqual(lines, [INIT_LINE, "hello from the host", "/dev/ttyS0", "4", `${EXIT_LINE}7`]);
});

test("initramfs: a shell has job control and Ctrl-C on the console, and its exit ends the machine", async (t) => {
  const shown = await consoleOf(t, { end: "reboot" }, [
    { after: /~ # $/, text: "sleep 100 & jobs; echo sum=$((6*7))\n" },
    // What is typed while the shell changes the terminal's mode, before its prompt, may be lost.
    { after: /^sum=42$[^]*~ # $/m, text: "sh -c 'echo begun; sleep 99; echo late'\n" },
    { after: /^begun$/m, text: "\x03" },
    { after: /\^C[^]*~ # $/, text: "echo code=$?\n" },
    { after: /^code=130$[^]*~ # $/m, text: "exit 3\n" },
  ]);
  if (shown === undefined) return;
  assert.match(shown, /^\[1\]\+ +Running +sleep 100$/m);
  assert.doesNotMatch(shown, /can't access tty|^late$/m);
  assert.equal(exitStatusIn(shown), 3);
});
