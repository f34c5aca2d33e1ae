/** A missing guest or program skips a test, unless nothing may be skipped. */
import assert from "node:assert/strict";
import test from "node:test";
import type { TestContext } from "node:test";
import { requireGuest, requireTool } from "../support/requires.js";

/** A test context that only remembers why it was skipped. */
function recorder(): { context: TestContext; reasons: string[] } {
  const reasons: string[] = [];
  const context = { skip: (reason: string) => reasons.push(reason) } as unknown as TestContext;
  return { context, reasons };
}

function setRequired(t: TestContext, value: string): void {
  const before = process.env["LOCORE_REQUIRE_GUESTS"];
  process.env["LOCORE_REQUIRE_GUESTS"] = value;
  t.after(() => {
    if (before === undefined) delete process.env["LOCORE_REQUIRE_GUESTS"];
    else process.env["LOCORE_REQUIRE_GUESTS"] = before;
  });
}

test("requirements: what is missing skips the test and is named", async (t) => {
  setRequired(t, "");
  const { context, reasons } = recorder();
  assert.equal(requireTool(context, "no-such-program"), undefined);
  assert.equal(await requireGuest(context, "no-such-guest"), undefined);
  assert.match(reasons.join("\n"), /no-such-program is not installed\n.*no-such-guest cannot be had/);
});

test("requirements: with LOCORE_REQUIRE_GUESTS=1 what is missing fails the test", async (t) => {
  setRequired(t, "1");
  const { context, reasons } = recorder();
  assert.throws(() => requireTool(context, "no-such-program"), /no-such-program is not installed/);
  await assert.rejects(requireGuest(context, "no-such-guest"), /no-such-guest cannot be had/);
  assert.deepEqual(reasons, []);
});

test("requirements: what is there is returned as a path", (t) => {
  assert.equal(requireTool(t, "node")?.endsWith("node"), true);
});
