/** R3.2: clocks of a machine beside the host's time, by readings that are made up, and by those of the guest that is made for it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ANSWER, HANDLER, SET_UP } from "../../../src/diagnose/clocks/clock-guest.js";
import { lintClocks, type ClockSample } from "../../../src/diagnose/clocks/clock-lint.js";
import { measureClocks } from "../../../src/cli/doctor/measure-clocks.js";
import { assertAssembled } from "../../support/assembled-listing.js";

const RATES = { tscHz: 1e9, apicHz: 1e8 };
const MIDNIGHT_S = 86_400;
const EPOCH_MS = 1_700_000_000_000;

interface Rates {
  tsc?: number;
  pit?: number;
  pm?: number;
  apic?: number;
  rtc?: number;
}

/** Readings each 30 ms for so many seconds, of clocks that are fast by so many parts of 1; the answer takes `slack` ms each way. */
function readings(seconds: number, fast: Rates = {}, slack = 0.05, rtcAt = 0): ClockSample[] {
  const samples: ClockSample[] = [];
  for (let at = 0; at <= seconds * 1000; at += 30) {
    const passed = (rate: number | undefined): number => (at / 1000) * (1 + (rate ?? 0));
    samples.push({
      at,
      slack,
      readings: {
        tag: 0,
        tsc: BigInt(Math.round(passed(fast.tsc) * 1e9)),
        rtc: (rtcAt + Math.floor(passed(fast.rtc))) % MIDNIGHT_S,
        pit: 0xffff - (Math.round(passed(fast.pit) * 1_193_182) % 0x1_0000),
        pmTimer: Math.round(passed(fast.pm) * 3_579_545) % 2 ** 24,
        apic: 2 ** 32 - 1 - (Math.round((passed(fast.apic) * 1e8) / 128) % 2 ** 32),
      },
    });
  }
  return samples;
}

function verdicts(samples: readonly ClockSample[]): Record<string, string> {
  const { clocks } = lintClocks(samples, RATES, EPOCH_MS);
  return Object.fromEntries(clocks.map(({ clock, verdict }) => [clock, verdict]));
}

describe("R3.2 clock lint", () => {
  test("clocks that go with the host's agree, however often they went round", () => {
    assert.deepEqual(verdicts(readings(600)), {
      TSC: "agrees",
      "local APIC timer": "agrees",
      PIT: "agrees",
      "ACPI PM timer": "agrees",
      "real-time clock": "agrees",
    });
  });

  for (const [clock, name] of [
    ["TSC", "tsc"],
    ["local APIC timer", "apic"],
    ["PIT", "pit"],
    ["ACPI PM timer", "pm"],
    ["real-time clock", "rtc"],
  ] as const)
    for (const rate of [0.0013, -0.0013, 0.3, -0.3])
      test(`${clock} that is ${rate * 100} % fast is off, and no other`, () => {
        const found = verdicts(readings(300, { [name]: rate }));
        assert.deepEqual(
          Object.entries(found).filter(([, verdict]) => verdict !== "agrees"),
          [[clock, "off"]],
        );
      });

  test("what was read too coarsely for a verdict has none", () => {
    const found = verdicts(readings(2, { tsc: 0.0015 }, 2));
    assert.deepEqual([found["TSC"], found["PIT"]], ["unknown", "unknown"]);
  });

  test("a real-time clock may pass midnight, and is ahead or behind by seconds, not days", () => {
    const hostDay = (EPOCH_MS / 1000) % MIDNIGHT_S;
    for (const ahead of [-2, 0, 3]) {
      const lint = lintClocks(readings(300, {}, 0.05, hostDay + ahead), RATES, EPOCH_MS);
      assert.ok(Math.abs(lint.ahead! - ahead) < 0.05, `${lint.ahead}, expected ${ahead}`);
    }
    const late = lintClocks(readings(300, {}, 0.05, MIDNIGHT_S - 20), RATES, EPOCH_MS);
    assert.equal(late.clocks.find(({ clock }) => clock === "real-time clock")?.verdict, "agrees");
  });

  test("a clock whose second does not change is said to be neither ahead nor behind", () => {
    assert.equal(lintClocks(readings(0.5), RATES, EPOCH_MS).ahead, undefined);
  });

  test("the guest's bytes are what GNU as makes of the assembly beside them", (t) =>
    assertAssembled(t, [...SET_UP, ...ANSWER, ...HANDLER], 32));

  test("the guest reads every clock of a machine that runs", async () => {
    const fractions: number[] = [];
    const { signal } = new AbortController();
    const asked = { seconds: 2, signal, progress: (done: number) => void fractions.push(done) };
    const { clocks, ahead } = await measureClocks("auto", asked);
    assert.equal(clocks.length, 5);
    // A host that does much else at once lets a machine wait for parts of a second; the minute's measurement is the other tier's.
    for (const { clock, deviation } of clocks.slice(0, 4))
      assert.ok(Math.abs(deviation) < 0.2, `${clock}: ${deviation}`);
    assert.ok(Math.abs(ahead!) < 60);
    assert.ok(fractions.length > 10 && fractions.at(-1) === 1);
  });

  test("a measurement that is given up ends at once, with the reason", async () => {
    const controller = new AbortController();
    const reason = new Error("given up");
    const asked = { seconds: 3600, signal: controller.signal, progress: () => controller.abort(reason) };
    await assert.rejects(measureClocks("auto", asked), reason);
  });
});
