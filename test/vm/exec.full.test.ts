/** R1.10 R3.10 Commands in copies of a guest, and files that are large. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Vm } from "../../src/vm/index.js";
import { hasRunGuests } from "../support/run-command.js";

const TIME = { timeout: 600_000 };
const LARGE = 64 << 20;

test("R1.10 R3.10 a copy goes on by itself with all that runs, and serves commands", TIME, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const machine = await Vm.start();
  t.after(() => machine.stop());
  const exec: Vm["exec"] = (...words) => machine.exec(...words);
  const running = exec("echo on; while [ ! -e /tmp/end ]; do sleep 0.02; done; echo off");
  for await (const _ of running) break;
  const copy = await machine.fork();
  t.after(() => copy.stop());
  assert.equal((await copy.exec("echo copy >/tmp/who; cat /tmp/who")).stdout, "copy\n");
  assert.equal((await exec("cat /tmp/who")).status, 1);
  // The copy has the command of before, too: its place there is free once it has ended.
  await copy.exec(": >/tmp/end");
  const four = await Promise.all([1, 2, 3, 4].map((n) => copy.exec(`sleep 0.2; echo ${n}`)));
  assert.deepEqual(
    four.map(({ stdout }) => stdout),
    ["1\n", "2\n", "3\n", "4\n"],
  );
  await exec(": >/tmp/end");
  assert.equal((await running).stdout, "on\noff\n");
});

test(
  "R1.10 commands of a copy are killed by their own number, whatever time the host has",
  TIME,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const machine = await Vm.start();
    t.after(() => machine.stop());
    for (let i = 0; i < 8; i++) await machine.exec("true");
    t.mock.method(Date, "now", () => 1);
    let last = machine;
    for (let life = 0; life < 2; life++) {
      const copy = await last.fork();
      t.after(() => copy.stop());
      const four = [1, 2, 3, 4].map(() => copy.exec("sleep 1004"));
      for (const one of four) one.kill();
      for (const one of four) assert.equal((await one).status, 137);
      last = copy;
    }
  },
);

test("R1.10 fs: 64 MiB there and back, byte for byte", TIME, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const machine = await Vm.start({ memory: "512M" });
  t.after(() => machine.stop());
  const bytes = Buffer.alloc(LARGE);
  for (let at = 0; at < LARGE; at += 4) bytes.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
  await machine.fs.write("/tmp/large", bytes);
  assert.ok(bytes.equals(await machine.fs.read("/tmp/large")));
});
