/** Some guests of the seeded suite, and of the healthy ones; all of them in the full tier. */
import { test } from "node:test";
import { HEALTHY, SEEDED } from "./seeded-guests.js";
import { expectCause, expectHealth } from "./seeded-run.js";

for (const guest of SEEDED.filter(({ quick }) => quick === true))
  test(`R3.9 diagnose: ${guest.name}: the first sentence names the cause`, (t) => expectCause(t, guest));

for (const guest of HEALTHY.filter(({ quick }) => quick === true))
  test(`R3.9 diagnose: ${guest.name}: nothing is wrong`, (t) => expectHealth(t, guest));
