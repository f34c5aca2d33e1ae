/** Recognising a kernel's last words. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { ConsoleWatch } from "../../src/diagnose/console-watch.js";

function watch(...pieces: string[]): ConsoleWatch {
  const watcher = new ConsoleWatch();
  for (const piece of pieces) watcher.feed(Buffer.from(piece, "latin1"));
  return watcher;
}

const PANIC = "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)";

test("R3.8 a panic line is seen with or without time stamp and caller, also in pieces", () => {
  assert.equal(watch(`[    1.234567] ${PANIC}\r\n`).panic, PANIC);
  assert.equal(watch(`[    1.234567][    T1] ${PANIC}\n`).panic, PANIC);
  assert.equal(watch(`<0>${PANIC}\n`).panic, PANIC);
  assert.equal(
    watch("Kernel pan", "ic - not syncing: Attempted", " to kill init!\n").panic?.slice(-5),
    "init!",
  );
});

test("R3.8 the first panic line is kept; the end marker says that nothing more will come", () => {
  const watcher = watch(`${PANIC}\n`, "Kernel panic - not syncing: another\n");
  assert.equal(watcher.panic, PANIC);
  assert.equal(watcher.panicOver, false);
  watcher.feed(Buffer.from(`[ 2.0] ---[ end ${PANIC} ]---\r\n`));
  assert.equal(watcher.panicOver, true);
});

test("R3.8 the words inside another line are no panic", () => {
  assert.equal(watch(`# echo ${PANIC}\n`, `grep: ${PANIC}\n`).panic, undefined);
  assert.equal(watch(`---[ end ${PANIC} ]---\n`).panicOver, false);
});

test("R3.8 an endless line costs no memory and hides nothing after it", () => {
  assert.equal(watch("x".repeat(100_000), "\n", `${PANIC}\n`).panic, PANIC);
});
