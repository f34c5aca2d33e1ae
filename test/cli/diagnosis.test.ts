/** What the command line says of a kernel that nobody hears. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { resettingGuest } from "../diagnose/bare-guests.js";
import { Running } from "../support/pseudo-terminal.js";
import type { Diagnosis } from "../../src/diagnose/diagnosis.js";
import { requireGuest } from "../support/requires.js";
import { locore } from "../support/cli.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const SILENT = ["--append", "quiet console=tty0 cryptomgr.notests=1", "--deterministic"];

test("R3.9 locore boot: an end by a limit says that a kernel cannot reach the console, what to write, and what its log says", async (t) => {
  const guest = await requireGuest(t, "debian-cloud");
  if (guest === undefined) return;
  const limit = ["--instructions", "1500000000"];
  const { err: stderr, out, status } = await locore("boot", guest.files["kernel"], ...SILENT, ...limit);
  assert.equal(out, "");
  assert.equal(status, 124);
  const lines = stderr.split("\n");
  assert.equal(
    lines.find((line) => line.startsWith("locore: diagnosis: ")),
    "locore: diagnosis: nothing of this kernel can reach the serial port: the command line says console=tty0, which is a screen that this machine does not have",
  );
  assert.ok(stderr.includes('try: --append "quiet cryptomgr.notests=1 console=ttyS0"'));
  assert.match(stderr, /the kernel's own log \(printk\), the last 25 of \d+ lines:/);
  assert.match(stderr, /Kernel panic - not syncing: VFS: Unable to mount root fs/);
  assert.match(stderr, /also: there is no root file system: the machine has neither a disk nor an initrd/);
  assert.match(lines.at(-2)!, /^locore: timeout by instruction limit/);
});

test("R3.9 locore boot: a guest that resets once more than it may is explained, one that resets once is not", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "locore-resets-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = path.join(folder, "kernel");
  await writeFile(file, resettingGuest());
  const loop = await locore("boot", file, "--max-resets", "2");
  assert.match(loop.err, /diagnosis: the guest resets the machine again and again: 2 times so far/);
  const once = await locore("boot", file, "--no-reboot");
  assert.doesNotMatch(once.err, /diagnosis/);
});

test("R3.9 locore boot: SIGQUIT asks where a guest is, which goes on; its crash is explained", async (t) => {
  const guest = await requireGuest(t, "debian-cloud");
  if (guest === undefined) return;
  const words = ["--append", "console=ttyS0 cryptomgr.notests=1"];
  const run = new Running(process.execPath, [PROGRAM, "boot", guest.files["kernel"], ...words]).during(t);
  await run.shows("Linux version");
  run.child.kill("SIGQUIT");
  const { status, out, err } = await run.ended;
  assert.equal(status, 4, err);
  assert.match(out, /Kernel panic - not syncing: VFS/);
  const heads = err.split("\n").filter((line) => line.startsWith("locore: diagnosis: "));
  assert.equal(heads.length, 2, err);
  assert.match(heads[0], /nothing is known to be wrong; CPU 0 is \w+ at \S+/);
  assert.match(heads[1], /there is no root file system/);
  assert.match(err, /kernel: Linux version 6\.1/);
});

test("R3.9 locore boot --json: the diagnosis is data", async (t) => {
  const guest = await requireGuest(t, "debian-cloud");
  if (guest === undefined) return;
  const limit = ["--instructions", "20000000", "--json"];
  const { err } = await locore("boot", guest.files["kernel"], ...SILENT, ...limit);
  const { diagnosis } = JSON.parse(err.trim().split("\n").at(-1)!) as { diagnosis: Diagnosis };
  assert.deepEqual(diagnosis.causes, []);
  assert.equal(diagnosis.cpus[0].activity, "executing");
  assert.equal(diagnosis.commandLine, "quiet console=tty0 cryptomgr.notests=1");
  assert.equal(diagnosis.log, undefined, "no kernel was unpacked yet");
});
