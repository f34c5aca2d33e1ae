/**
 * R1.1 the device of docs/devices.md, taken from the page and loaded by the command line: a driver that Debian's kernel has
 * built in binds to it.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { exitStatusIn } from "../../src/guests/index.js";
import { WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { pageFiles } from "../support/page-files.js";

const LIMIT = { timeout: 280_000 };
const COMMAND = [
  "dmesg | grep ttyS1",
  "stty -F /dev/ttyS1 raw -echo",
  "exec 3<>/dev/ttyS1",
  "echo hello >&3",
  "head -n 1 <&3",
  "grep ttyS1 /proc/interrupts",
].join("; ");

test("R1.1 Linux' 8250 driver binds to the device of docs/devices.md, and talks to it", LIMIT, async (t) => {
  const files = await kernelFiles(t, { command: COMMAND });
  if (files === undefined) return;
  const [[name, text], ...others] = [...pageFiles("docs/devices.md", "js")];
  assert.deepEqual(others, []);
  assert.ok(text.split("\n").length < 60, "the example is short");
  const device = path.join(files.folder, name);
  await writeFile(device, text);

  const words = ["--append", `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`, "--device", `${device},irq=7`];
  const run = locore(["boot", files.kernel, "--initrd", files.initrd, ...words]).during(t);
  run.child.stdin.end();
  const { status, out, err } = await run.ended;
  assert.equal(status, 0, out.slice(-2000) + err);
  assert.match(out, /ttyS1 at MMIO 0xd0000000 \(irq = 7, base_baud = 115200\) is a 16450/);
  assert.match(out, /^HELLO\r$/m);
  assert.match(out, /^ +7: +[1-9]\d* +IO-APIC +7-edge +ttyS1\r$/m);
  assert.equal(exitStatusIn(out), 0);
});
