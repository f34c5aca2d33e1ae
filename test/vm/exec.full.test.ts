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

test(
  "R1.10 R3.10 a copy's command has the input that was handed over, in whole pieces, and then its end",
  TIME,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const machine = await Vm.start();
    t.after(() => machine.stop());
    const piece = 300_000;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) yield await Promise.resolve(new Uint8Array(piece).fill(97));
    }
    const running = machine.exec(
      "while dd bs=100000 count=1 iflag=fullblock >/tmp/part 2>/dev/null; [ -s /tmp/part ]; do cat /tmp/part >>/tmp/all; sleep 0.02; done; : >/tmp/over",
      {
        stdin: endless(),
      },
    );
    await machine.exec("until [ -s /tmp/all ]; do sleep 0.02; done").check();
    for (let i = 0; i < 3; i++) {
      // What is begun at the same time is there as well, or not at all, and is nobody else's.
      const beside = machine.exec("sleep 0.3; exit 9");
      const copy = await machine.fork();
      t.after(() => copy.stop());
      for (let status = 1; status < 6; status++)
        assert.equal((await copy.exec(`exit ${status}`)).status, status);
      await copy.exec("until [ -e /tmp/over ]; do sleep 0.02; done", { timeoutMs: 60_000 }).check();
      assert.equal((await copy.fs.stat("/tmp/all")).size % piece, 0);
      const four = await Promise.all([1, 2, 3, 4].map((n) => copy.exec(`sleep 0.2; echo ${n}`)));
      assert.deepEqual(
        four.map(({ stdout }) => stdout),
        ["1\n", "2\n", "3\n", "4\n"],
      );
      await copy.stop();
      assert.equal((await beside).status, 9);
    }
    assert.equal((await machine.exec("echo on")).stdout, "on\n");
    running.kill();
    await running;
  },
);

test(
  "R1.10 R3.10 a shell that is open goes on in its machine, and makes room for another in a copy",
  TIME,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const machine = await Vm.start();
    t.after(() => machine.stop());
    const shell = await machine.shell();
    await shell.send("own=1; cat & echo $((40 + 2))\n");
    await shell.expect("\n42");
    const copy = await machine.fork();
    t.after(() => copy.stop());
    await assert.rejects(Promise.all([copy.shell(), copy.shell()]), { fault: "guest" });
    await copy.stop();
    const other = await machine.fork();
    t.after(() => other.stop());
    const next = await other.shell();
    await next.send("echo own=$own. $((50 + 2)); exit 3\n");
    await next.expect("own=. 52", { timeoutMs: 60_000 });
    assert.equal(await next.end, 3);
    await shell.send("exit $own\n");
    assert.equal(await shell.end, 1);
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
