/** R1.10 Time limits that a library's user gives: any length, none, and what is none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { afterPatience, checkPatience } from "../../src/vm/patience.js";

const MONTH_MS = 31 * 24 * 3600 * 1000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

test("R1.10 a limit longer than a timer of the host's is kept, Infinity is none, and one may be called off", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const over: string[] = [];
  afterPatience(MONTH_MS, () => over.push("month"));
  afterPatience(Infinity, () => over.push("never"));
  afterPatience(undefined, () => over.push("never"));
  afterPatience(0, () => over.push("now"));
  const cancel = afterPatience(2 * MONTH_MS, () => over.push("cancelled"));
  t.mock.timers.tick(1);
  assert.deepEqual(over, ["now"]);
  t.mock.timers.tick(LONGEST_TIMER_MS - 1);
  assert.deepEqual(over, ["now"]);
  t.mock.timers.tick(MONTH_MS - 1 - LONGEST_TIMER_MS);
  assert.deepEqual(over, ["now"]);
  t.mock.timers.tick(1);
  assert.deepEqual(over, ["now", "month"]);
  cancel();
  t.mock.timers.tick(2 * MONTH_MS);
  assert.deepEqual(over, ["now", "month"]);
});

test("R1.10 what is no length of time is refused with what is one", () => {
  for (const right of [undefined, 0, 0.5, 2 ** 40, Infinity]) checkPatience("timeoutMs", right);
  for (const wrong of [NaN, -1, -Infinity, "5", null])
    assert.throws(() => checkPatience("timeoutMs", wrong), { name: "VmError", fault: "option" });
});
