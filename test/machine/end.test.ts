/** The documented exit statuses. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { debugExitEnd, EXIT_STATUS, machineEnd, withPanic, type EndKind } from "../../src/machine/end.js";

test("R3.8 every kind of end has its documented status", () => {
  const documented: Record<EndKind, number> = {
    off: 0,
    reset: 0,
    halted: 0,
    saved: 0,
    crashed: 4,
    stuck: 10,
    failed: 12,
    timeout: 124,
    interrupted: 130,
    "io-error": 74,
  };
  for (const [kind, status] of Object.entries(documented)) {
    assert.equal(machineEnd(kind as EndKind, "x").status, status);
  }
});

test("R3.8 every status of ours is even: the odd ones are what a guest's debug exit gives", () => {
  for (const status of Object.values(EXIT_STATUS)) assert.equal(status % 2, 0);
  for (let value = 0; value < 256; value++) assert.equal(debugExitEnd("p", value).status % 2, 1);
});

test("R3.8 debug exit gives (value << 1) | 1, as a process status", () => {
  assert.deepEqual(
    [0, 1, 0x7f, 0x80, 0xffffffff].map((v) => debugExitEnd("p", v).status),
    [1, 3, 0xff, 1, 0xff],
  );
});

test("R3.8 a panic followed by the guest's own end is a crash; the route stays", () => {
  const line = "Kernel panic - not syncing: VFS";
  assert.deepEqual(withPanic(machineEnd("reset", "i8042"), line), {
    kind: "crashed",
    machine: "reset",
    route: "i8042",
    status: 4,
    reason: line,
  });
  for (const kind of ["off", "timeout", "interrupted"] as const) {
    assert.equal(withPanic(machineEnd(kind, "x"), line).kind, kind);
  }
  assert.equal(withPanic(machineEnd("reset", "x"), undefined).kind, "reset");
});
