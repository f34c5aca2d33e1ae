/** What the command line says of a kernel that nobody hears. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { requireGuest } from "../support/requires.js";
import { locore } from "../support/cli.js";

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
