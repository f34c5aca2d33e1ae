/** R3.11 docs/gdb.md: its commands make Debian's kernel an unpacked one and debug it, as they stand. */
import assert from "node:assert/strict";
import test from "node:test";
import { runMonitorCommand } from "../../src/diagnose/gdb/monitor.js";
import { DebuggedCommand, gdbFolder } from "../support/debian-gdb.js";
import { smallMachine } from "../support/gdb-client.js";
import { debuggedGuest } from "../support/gdb-guest.js";
import { locore } from "../support/kernel-files.js";
import { repositoryText } from "../support/repository.js";
import { requireGuest } from "../support/requires.js";
import { commandsOf, shellBlocks } from "./pages.js";

const PAGE = repositoryText("docs/gdb.md");
const PLACE = " --gdb 1234,wait";
const LIMIT = { timeout: 170_000 };

/** The words of a command of ours. */
function wordsOf(command: string): string[] {
  const [program, ...words] = command.split(" ");
  assert.equal(program, "locore");
  return words;
}

test(
  "R3.11 the page's commands: from Debian's kernel to its symbols, start_kernel, a step",
  LIMIT,
  async (t) => {
    const folder = await gdbFolder(t);
    if (folder === undefined || (await requireGuest(t, "debian-cloud")) === undefined) return;
    const [convert, boot] = commandsOf(shellBlocks(PAGE)[0]);
    const converted = await locore(wordsOf(convert), { cwd: folder }).during(t).ended;
    assert.equal(converted.status, 0, converted.err);
    assert.ok(boot.endsWith(PLACE), boot);
    // Another program may have the port.
    const command = new DebuggedCommand(t, folder, wordsOf(boot.slice(0, -PLACE.length)), ",wait");
    const block = /^```gdb\n(.*?)^```$/ms.exec(PAGE)?.[1] ?? "";
    const [attach, ...commands] = commandsOf(block);
    assert.equal(attach, "target remote :1234");
    const out = await command.commands(t, commands);
    assert.match(out, /^\d{5,} symbols; now write: symbol-file k\.sym$/m);
    assert.match(out, /^Thread 1 "CPU 0" hit Breakpoint 1, 0xffffffff8[0-9a-f]+ in start_kernel \(\)$/m);
    assert.match(out, /^#1 .* in secondary_startup_64/m);
    assert.match(out, /^__fentry__ in section \.text/m);
    assert.match(
      out,
      /^\* 1 +Thread 1 "CPU 0" \(running\).*\n {2}2 +Thread 2 "CPU 1" \(waits to be started\)/m,
    );
    assert.match(out, /^0xffffffff81000000 -> 0x1000000 \(RAM\): /m);
    assert.match(out, /^8259 master: /m);
    assert.match(out, /^\[Inferior 1 \(Remote target\) detached\]$/m);
    command.machine.child.kill("SIGTERM");
    await command.ended;
  },
);

test("R3.11 the page lists the commands that monitor help lists", async (t) => {
  const machine = await smallMachine(debuggedGuest(1).bytes, { deterministic: true });
  t.after(() => machine.dispose());
  const help = runMonitorCommand("help", machine.debugging()!, 0, {});
  const listed = [...PAGE.matchAll(/^\| `monitor (.+?)` +\|/gm)].map(([, command]) => command);
  const shown = help
    .trimEnd()
    .split("\n")
    .map((line) => line.split("  ", 1)[0]);
  assert.deepEqual(listed, shown);
});
