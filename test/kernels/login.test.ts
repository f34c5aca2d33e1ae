/**
 * A disk to `login:` and back (R3.6), as a person types it: `locore boot small.img`, a login, a second disk read, a reboot, the
 * power switched off. e2fsck says what became of the disk.
 */
import { test, type TestContext } from "node:test";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { locore } from "../support/kernel-files.js";
import { checkFileSystem, ROOT_PASSWORD, smallLoginImage } from "../support/login-image.js";
import type { Running } from "../support/pseudo-terminal.js";
import { randomBytes } from "../support/random.js";
import { requireTool } from "../support/requires.js";

const MIB = 2 ** 20;
/** Not a whole number of the blocks that dd reads. */
const SECOND_SIZE = 4 * MIB + 512;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
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
  const at = await machine.shows("# ", await machine.shows(command, from));
  return { said: machine.out.slice(from, at), at };
}

/** Boots, logs in, reads the second disk, leaves a file behind, reboots, logs in again and switches off. */
async function session(t: TestContext, disk: string, second: string): Promise<void> {
  const machine = locore([
    ...["boot", `${disk},rw`, "--disk", `${second},ro`],
    ...["--max-resets", "1", "--timeout", "120"],
  ]).during(t);
  let at = await logIn(machine);
  let said;
  ({ said, at } = await type(machine, "dd if=/dev/vdb bs=64k | sha256sum", at));
  assert.match(said, new RegExp(`^${sha256(readFileSync(second))} `, "m"));
  ({ at } = await type(machine, "echo kept >/root/note", at));
  machine.child.stdin.write("reboot\n");
  at = await logIn(machine, at);
  ({ said, at } = await type(machine, "cat /root/note", at));
  assert.match(said, /^kept\r?$/m);
  machine.child.stdin.write("poweroff\n");
  const { status, err } = await machine.ended;
  assert.equal(status, 0, `${machine.out}${err}`);
}

function assertClean(t: TestContext, image: string): void {
  const checked = checkFileSystem(t, image, ["-fn"]);
  if (checked !== undefined) assert.equal(checked.status, 0, checked.text);
}

test("R3.6 locore boot DISK: to login:, a second disk is read as it is, reboot, a second login:, poweroff; raw, and qcow2 over it", async (t) => {
  const image = await smallLoginImage(t);
  if (image === undefined) return;
  const folder = path.dirname(image);
  const second = path.join(folder, "second.img");
  writeFileSync(second, randomBytes(17, SECOND_SIZE));
  const qemuImg = requireTool(t, "qemu-img");
  if (qemuImg === undefined) return;
  const over = path.join(folder, "over.qcow2");
  const made = spawnSync(qemuImg, ["create", "-q", "-f", "qcow2", "-b", image, "-F", "raw", over]);
  assert.equal(made.status, 0, String(made.stderr));

  const before = sha256(readFileSync(image));
  await session(t, over, second);
  assert.equal(sha256(readFileSync(image)), before, "what backs an image is only read");
  const flat = path.join(folder, "flat.img");
  assert.equal(spawnSync(qemuImg, ["check", "-q", over]).status, 0, "qemu-img finds the qcow2 sound");
  assert.equal(spawnSync(qemuImg, ["convert", "-O", "raw", over, flat]).status, 0);
  assertClean(t, flat);

  await session(t, image, second);
  assertClean(t, image);
});
