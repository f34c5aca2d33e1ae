/**
 * What a person does with a disk that boots to `login:`: logs in, reads another disk, reboots, logs in again, switches off; through
 * the command line, on an image and on qcow2 over it (R3.6).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { constants, copyFileSync, createReadStream, writeFileSync } from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { locore } from "./kernel-files.js";
import { checkFileSystem, ROOT_PASSWORD } from "./login-image.js";
import type { Running } from "./pseudo-terminal.js";
import { randomBytes } from "./random.js";
import { requireTool } from "./requires.js";

const MIB = 2 ** 20;
/** Not a whole number of the blocks that dd reads. */
const SECOND_SIZE = 4 * MIB + 512;

/** What a shell tells the terminal, and carriage returns. */
const TERMINAL_WORDS = new RegExp("\\u001b\\[[?\\d;]*[a-z]|\\r", "g");

async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/** Waits for `login:` behind `from` and logs in; returns where the shell's prompt ends. */
async function logIn(machine: Running, from = 0): Promise<number> {
  let at = await machine.shows("login: ", from);
  machine.child.stdin.write("root\n");
  at = await machine.shows("Password: ", at);
  machine.child.stdin.write(`${ROOT_PASSWORD}\n`);
  return machine.shows("# ", at);
}

/** Types a command and waits until the prompt is back; returns what came in between, and where the prompt ends. */
async function type(machine: Running, command: string, from: number): Promise<{ said: string; at: number }> {
  machine.child.stdin.write(`${command}\n`);
  const at = await machine.shows("# ", await machine.shows("\n", from));
  return { said: machine.out.slice(from, at).replaceAll(TERMINAL_WORDS, ""), at };
}

export interface SessionOptions {
  /** Seconds until a run is given up. */
  limit: number;
  /** Commands that are typed as well, and what each must show. */
  more?: readonly (readonly [command: string, shows: RegExp])[];
  /** Whether a copy of the image has a session as well, at the same time. */
  copy: boolean;
}

/** Boots, logs in, reads the second disk, leaves a file behind, reboots, logs in again and switches off; gives the console. */
async function session(
  t: TestContext,
  disk: string,
  second: string,
  options: SessionOptions,
): Promise<string> {
  const machine = locore([
    ...["boot", `${disk},rw`, "--disk", `${second},ro`],
    ...["--max-resets", "1", "--timeout", String(options.limit)],
  ]).during(t);
  let at = await logIn(machine);
  let said;
  ({ said, at } = await type(machine, "dd if=/dev/vdb bs=64k | sha256sum", at));
  assert.match(said, new RegExp(`^${await sha256OfFile(second)} `, "m"));
  for (const [command, shows] of options.more ?? []) {
    ({ said, at } = await type(machine, command, at));
    assert.match(said, shows);
  }
  ({ at } = await type(machine, "echo kept >/root/note", at));
  machine.child.stdin.write("reboot\n");
  at = await logIn(machine, at);
  ({ said, at } = await type(machine, "cat /root/note", at));
  assert.match(said, /^kept$/m);
  machine.child.stdin.write("poweroff\n");
  const { status, out, err } = await machine.ended;
  assert.equal(status, 0, `${out}${err}`);
  return out;
}

/**
 * Sessions with a qcow2 over an image, which is only read, and with a copy of it, which is written. e2fsck must have nothing to say of
 * the file systems afterwards. What is made lies in a folder. Gives what the sessions showed; none after a skip.
 */
export async function loginSessions(
  t: TestContext,
  image: string,
  folder: string,
  options: SessionOptions,
): Promise<string[]> {
  const qemuImg = requireTool(t, "qemu-img");
  if (qemuImg === undefined) return [];
  const second = path.join(folder, "second.img");
  writeFileSync(second, randomBytes(17, SECOND_SIZE));
  const over = path.join(folder, "over.qcow2");
  const made = spawnSync(qemuImg, ["create", "-q", "-f", "qcow2", "-b", image, "-F", "raw", over]);
  assert.equal(made.status, 0, String(made.stderr));

  const own = options.copy ? [path.join(folder, "own.img")] : [];
  for (const each of own) copyFileSync(image, each, constants.COPYFILE_FICLONE);

  const before = await sha256OfFile(image);
  const shown = await Promise.all([over, ...own].map((disk) => session(t, disk, second, options)));
  assert.equal(await sha256OfFile(image), before, "what backs an image is only read");
  const flat = path.join(folder, "flat.img");
  assert.equal(spawnSync(qemuImg, ["check", "-q", over]).status, 0, "qemu-img finds the qcow2 sound");
  assert.equal(spawnSync(qemuImg, ["convert", "-O", "raw", over, flat]).status, 0);
  for (const each of [flat, ...own]) {
    const checked = checkFileSystem(t, each, ["-fn"]);
    if (checked !== undefined) assert.equal(checked.status, 0, checked.text);
  }
  return shown;
}
