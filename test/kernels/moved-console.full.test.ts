/** R1.6 a plan that was written, edited and booted: Debian's kernel finds the serial port where the edit put it. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { exitStatusIn } from "../../src/guests/index.js";
import { kernelFiles, locore } from "../support/kernel-files.js";

const LIMIT = { timeout: 280_000 };

interface PlanJson {
  devices: { type: string; ports?: { start: number; size: number }[]; irqs?: number[] }[];
}

test("R1.6 a serial port moved to 0x2f8 in the JSON is Linux' ttyS1, and its console", LIMIT, async (t) => {
  const files = await kernelFiles(t, { command: "cat /proc/cmdline; grep ttyS /proc/interrupts" });
  if (files === undefined) return;
  const written = await locore(["plan", files.kernel, "--initrd", files.initrd, "--json"]).during(t).ended;
  assert.equal(written.status, 0, written.err);
  const plan = JSON.parse(written.out) as PlanJson;
  const uart = plan.devices.find(({ type }) => type === "uart16550");
  assert.ok(uart);
  uart.ports = [{ start: 0x2f8, size: 8 }];
  uart.irqs = [3];
  const file = path.join(files.folder, "p.json");
  await writeFile(file, JSON.stringify(plan, undefined, 2));

  const run = locore(["boot", "--plan", file]).during(t);
  run.child.stdin.end();
  const { status, out, err } = await run.ended;
  assert.equal(status, 0, out.slice(-2000) + err);
  assert.match(out, /ttyS1 at I\/O 0x2f8 \(irq = 3, base_baud = 115200\) is a 16550A/);
  assert.match(out, /^console=ttyS1\r$/m);
  assert.match(out, /^ +3: +[1-9]\d* +IO-APIC +3-edge +ttyS1\r$/m);
  assert.doesNotMatch(out, /ttyS0 at/);
  assert.equal(exitStatusIn(out), 0);

  await writeFile(files.initrd, Buffer.concat([await readFile(files.initrd), Buffer.of(0)]));
  const changed = await locore(["boot", "--plan", file]).during(t).ended;
  assert.equal(changed.status, 8);
  assert.match(changed.err, /initrd: found other bytes than those that the plan was made from/);
});
