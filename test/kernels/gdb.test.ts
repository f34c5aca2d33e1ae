/** R3.11: Debian's gdb at our machines: a small guest of two CPUs. A real kernel is in gdb.full.test.ts and test/docs/gdb.test.ts. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { symbolFile } from "../../src/diagnose/gdb/symbol-file.js";
import { DebuggedCommand, gdbFolder } from "../support/debian-gdb.js";
import { assertRestored, nodeOnTerminal, NO_TERMINAL, Running } from "../support/pseudo-terminal.js";
import { PROGRAM } from "../support/run-command.js";
import { COUNTER, debuggedGuest } from "../support/gdb-guest.js";

const LIMIT = { timeout: 170_000 };
const ENDLESS = 0xffff_ffff;
const SMALL = ["boot", "guest.elf", "--smp", "2", "-m", "8M"];

/** The small guest and its symbols in a folder, or undefined after the test was skipped. */
async function smallGuest(t: TestContext, rounds = ENDLESS): Promise<string | undefined> {
  const folder = await gdbFolder(t);
  if (folder === undefined) return undefined;
  const { bytes, at } = debuggedGuest(rounds);
  await writeFile(path.join(folder, "guest.elf"), bytes);
  const symbols = Object.entries({ ...at, counter: COUNTER })
    .map(([name, address]) => ({ name, address: BigInt(address) }))
    .sort((a, b) => Number(a.address - b.address));
  const code = [{ from: BigInt(at.second), to: BigInt(at.tick + 64) }];
  await writeFile(path.join(folder, "guest.sym"), symbolFile({ bits: 32, symbols, code }));
  return folder;
}

test(
  "R3.11 Debian's gdb: symbols, a breakpoint, a backtrace through an interrupt, a watched variable, two CPUs",
  LIMIT,
  async (t) => {
    const folder = await smallGuest(t);
    if (folder === undefined) return;
    const command = new DebuggedCommand(t, folder, SMALL, ",wait,arch=i386");
    const out = await command.commands(t, [
      "symbol-file guest.sym",
      "break work",
      "continue",
      "stepi",
      "info symbol $pc",
      "delete",
      "break tick",
      "continue",
      "bt",
      "delete",
      "watch *(int*)&counter",
      "continue",
      "delete",
      "break rest",
      "continue",
      "info threads",
      "thread 1",
      "p $cr0",
      "set $ebx = 0x1234",
      "p/x $ebx",
      "monitor translate 200000",
      "kill",
    ]);
    assert.match(out, /hit Breakpoint 1, 0x[0-9a-f]+ in work \(\)/);
    assert.match(out, /^counted in section \.text$/m);
    assert.match(out, /^#0 .* in tick \(\)\n#1 .* in timer \(\)\n#2 .* in (work|again|counted|first) \(\)/m);
    assert.match(
      out,
      /Hardware watchpoint \d+: \*\(int\*\)&counter[^]*Old value = \d+\nNew value = \d+\n.* in counted \(\)/,
    );
    assert.match(out, /^Thread 2 "CPU 1" hit Breakpoint \d+, 0x[0-9a-f]+ in rest \(\)$/m);
    assert.match(out, /^ {2}1 +Thread 1 "CPU 0" \(running\).*\n\* 2 +Thread 2 "CPU 1" \(running\)/m);
    assert.match(out, /^\$1 = \[ .*PE.*\]$/m);
    assert.match(out, /^\$2 = 0x1234$/m);
    assert.match(out, /0x200000 -> 0x200000 \(RAM\)/);
    const { status, err } = await command.ended;
    assert.equal(status, 130, err);
    assert.match(err, /interrupted by gdb kill/);
  },
);

test(
  "R3.11 Debian's gdb: Ctrl-C stops a machine that runs, detach lets it go on, and another gdb attaches; a second at once does not",
  LIMIT,
  async (t) => {
    const folder = await smallGuest(t);
    if (folder === undefined) return;
    const command = new DebuggedCommand(t, folder, SMALL, ",arch=i386");
    const first = await command.gdb(t, [
      "target remote g",
      "shell echo going",
      "continue",
      "info threads",
      "detach",
    ]);
    await first.shows("going");
    const second = await command.commands(t, ["info registers"]);
    assert.match(
      second,
      /this machine has a gdb already|Remote connection closed|closed/,
      second + first.out + first.err + command.machine.err,
    );
    first.child.kill("SIGINT");
    const { out } = await first.ended;
    assert.match(out, /received signal SIGINT/);
    assert.match(out, /\[Inferior 1 \(Remote target\) detached\]/);
    const again = await command.commands(t, ["p/x $cs", "x/1xw 0x200000", "detach"]);
    assert.match(again, /^\$1 = 0x[0-9a-f]+$/m);
    assert.match(again, /^0x200000:\t0x[0-9a-f]+$/m);
    command.machine.child.kill("SIGTERM");
    const { err } = await command.ended;
    assert.match(err, /a second one was turned away/);
  },
);

test("R3.11 Debian's gdb: a gdb that is killed lets the machine go on to its end", LIMIT, async (t) => {
  const folder = await smallGuest(t, 100_000);
  if (folder === undefined) return;
  const command = new DebuggedCommand(t, folder, SMALL, ",wait,arch=i386");
  const gdb = await command.gdb(t, ["target remote g", "echo attached\\n", "shell sleep 3"]);
  await gdb.shows("attached");
  gdb.child.kill("SIGKILL");
  const { status, err } = await command.ended;
  assert.equal(status, 1, err);
});

test(
  "R3.11 Ctrl-A g on a terminal lets gdb attach to a machine that was started without it, and says where",
  { ...LIMIT, skip: NO_TERMINAL },
  async (t) => {
    const folder = await smallGuest(t);
    if (folder === undefined) return;
    const words = ["boot", path.join(folder, "guest.elf"), "--smp", "2", "-m", "8M", "--timeout", "150"];
    const terminal = nodeOnTerminal([PROGRAM, ...words]).during(t);
    const started = await terminal.shows("Ctrl-A x quits");
    terminal.child.stdin.write("\x01g");
    const told = await terminal.shows("target remote :", started);
    await terminal.shows("attaches", told);
    const port = /target remote :(\d+)/.exec(terminal.out)?.[1] ?? "";
    const file = path.join(folder, "commands");
    await writeFile(file, `set architecture i386:x86-64\ntarget remote :${port}\ninfo threads\ndetach\n`);
    const { out } = await new Running("gdb", ["-nx", "-q", "-batch", "-x", file]).ended;
    assert.match(out, /^\* 1 +Thread 1 "CPU 0"/m);
    await terminal.shows("gdb: gone; the machine goes on");
    terminal.child.stdin.write("\x01x");
    assertRestored((await terminal.ended).out, 130);
  },
);
