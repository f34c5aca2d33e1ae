/** R3.11: Debian's lldb at a machine, in short: it speaks gdb's protocol with words of its own. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { DebuggedCommand, gdbFolder } from "../support/debian-gdb.js";
import { COUNTER, debuggedGuest } from "../support/gdb-guest.js";
import { Running } from "../support/pseudo-terminal.js";

const ENDLESS = 0xffff_ffff;
const hex = (value: number): string => `0x${value.toString(16)}`;

test(
  "R3.11 Debian's lldb: a breakpoint, a step, a watched variable, two CPUs, memory, the monitor, detach",
  { timeout: 170_000 },
  async (t) => {
    const folder = await gdbFolder(t, "lldb");
    if (folder === undefined) return;
    const { bytes, at } = debuggedGuest(ENDLESS);
    await writeFile(path.join(folder, "guest.elf"), bytes);
    const machine = ["boot", "guest.elf", "--smp", "2", "-m", "8M"];
    const command = new DebuggedCommand(t, folder, machine, ",wait,arch=i386");
    await command.listens();
    const commands = [
      "process connect unix-connect://g",
      `breakpoint set --address ${hex(at.work)}`,
      "continue",
      "thread step-inst",
      "register read eip",
      "breakpoint delete --force",
      `watchpoint set expression -w write -s 4 -- ${hex(COUNTER)}`,
      "continue",
      "thread list",
      `memory read -s4 -fx -c1 ${hex(COUNTER)}`,
      "watchpoint delete --force",
      "process plugin packet monitor translate 200000",
      "detach",
      "",
    ];
    await writeFile(path.join(folder, "commands"), commands.join("\n"));
    const { out, err } = await new Running("lldb", ["-x", "-b", "-s", "commands"], { cwd: folder }).during(t)
      .ended;
    assert.match(
      out,
      new RegExp(`stop reason = breakpoint 1\\.1[^]*frame #0: 0x0*${at.work.toString(16)}`),
      err,
    );
    // PUSH EBP is one byte.
    assert.match(out, new RegExp(`eip = 0x0*${(at.work + 1).toString(16)}$`, "m"));
    assert.match(out, /Watchpoint 1 hit:\nold value: 0\nnew value: 1$/m);
    assert.match(
      out,
      /^\* thread #1: tid = 0x0001, .*stop reason = watchpoint 1\n {2}thread #2: tid = 0x0002/m,
    );
    assert.match(out, /^0x0*200000: 0x00000001$/m);
    assert.match(out, /0x200000 -> 0x200000 \(RAM\)/);
    assert.match(out, /^Process 1 detached$/m);
    command.machine.child.kill("SIGTERM");
    const { err: said } = await command.ended;
    assert.match(said, /gdb: gone; the machine goes on/);
  },
);
