/** R3.2: over a minute of real time every clock agrees with the host's within 0.1 %. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { measureClocks } from "../../../src/cli/doctor/measure-clocks.js";

test("R3.2 TSC, local APIC timer, PIT, PM timer and real-time clock go with the host's over 60 s", async (t) => {
  const { signal } = new AbortController();
  const { clocks } = await measureClocks("auto", { seconds: 60, signal, progress: () => undefined });
  t.diagnostic(JSON.stringify(clocks));
  const [rtc, others] = [clocks.slice(4), clocks.slice(0, 4)];
  assert.deepEqual([...new Set(others.map(({ verdict }) => verdict))], ["agrees"]);
  assert.notEqual(rtc[0].verdict, "off");
});
