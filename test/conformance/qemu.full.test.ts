/**
 * The conformance guests on QEMU (TCG): shows that what they expect is what a second implementation does. Where
 * the two must differ, the guest says who is right and is skipped here with that reason.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { qemuMissing } from "../support/qemu/run.js";
import { allGuests } from "./guests.js";
import { differencesOnQemu } from "./support/on-qemu.js";

const missing = qemuMissing();
const only = process.env.LOCORE_ONLY;

for (const group of allGuests()) {
  describe(`QEMU agrees with the conformance guests: ${group.name}`, { concurrency: 2 }, () => {
    for (const guest of group.guests) {
      if (only !== undefined && !`${group.name}: ${guest.name}`.includes(only)) continue;
      const skip = missing ?? guest.notOnQemu ?? false;
      test(`${guest.name} (${guest.cites})`, { skip }, async () => {
        assert.deepEqual(await differencesOnQemu(guest), []);
      });
    }
  });
}
