/** R3.11: Debian's gdb at Debian's kernel: what takes it some seconds to come to. */
import assert from "node:assert/strict";
import test from "node:test";
import { debuggedKernel, KERNEL_SYMBOLS } from "../support/debian-gdb.js";

test("R3.11 Debian's kernel: a watched variable, a backtrace out of the timer's interrupt, the other CPU's start, the log", async (t) => {
  const command = await debuggedKernel(t);
  if (command === undefined) return;
  const out = await command.commands(t, [
    ...KERNEL_SYMBOLS,
    "break start_kernel",
    "continue",
    "delete",
    "watch *(long *)&jiffies",
    "continue",
    "bt 3",
    "delete",
    "break start_secondary",
    "continue",
    "info threads",
    "thread 1",
    "delete",
    "hbreak do_idle",
    "continue",
    "monitor log",
    "detach",
  ]);
  assert.match(out, /Old value = \d+\nNew value = \d+\n/);
  assert.match(out, /^#1 .* in tick_periodic \(\)$/m);
  assert.match(out, /^Thread 2 "CPU 1" hit Breakpoint \d+, 0xffffffff8[0-9a-f]+ in start_secondary \(\)$/m);
  assert.match(out, /^\* 2 +Thread 2 "CPU 1" \(running\) +0xffffffff8[0-9a-f]+ in start_secondary \(\)$/m);
  assert.match(out, /hit Breakpoint \d+, 0xffffffff8[0-9a-f]+ in do_idle \(\)$/m);
  assert.match(out, /^\[ +0\.000000\] Linux version 6\.1\./m);
  // Nothing of the debugger is left: the kernel comes to where it finds no root.
  const { out: console } = await command.ended;
  assert.match(console, /Unable to mount root fs/);
});
