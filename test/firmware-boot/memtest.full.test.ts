/** memtest86+ of three Debian releases, 64-bit and 32-bit, by every entry that each offers, until its tests run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoaderOptions } from "../../src/boot/options.js";
import { runImage } from "./real-images.js";

const ENTRIES: Record<string, readonly NonNullable<LoaderOptions["entry"]>[]> = {
  kernel: ["16", "32", "64"],
  "kernel-i386": ["16", "32"],
};

for (const [guest, version] of [
  ["memtest86+", /Memtest86\+ v6\.\d+/],
  ["memtest86+-7", /Memtest86\+ v7\.\d+/],
  ["memtest86+-8", /Memtest86\+ v8\.\d+/],
] as const) {
  for (const [role, entries] of Object.entries(ENTRIES)) {
    for (const entry of entries) {
      const how = entry === "16" ? "under SeaBIOS" : "without any BIOS";
      test(`R1.2 ${guest} (${role}) by the ${entry}-bit entry ${how} completes its first tests on the screen`, async (t) => {
        const ran = await runImage(t, {
          guest,
          role,
          ...(entry === "16" ? { bios: "seabios" } : {}),
          screen: true,
          // Test #3 begins when #0, the first, and #1 and #2 are over.
          marker: /Test #[3-9] /,
          instructions: 8e9,
          options: { memory: 2 ** 24, commandLine: "", loader: { entry } },
        });
        if (ran === undefined) return;
        assert.match(ran.screen, version);
        assert.match(ran.screen, /Pass: +0 +Errors: 0/);
      });
    }
  }
}

test("R1.2 R3.4 memtest86+-8 by the 64-bit entry tests on two CPUs at once, at the rate that the clock has", async (t) => {
  const ran = await runImage(t, {
    guest: "memtest86+-8",
    screen: true,
    marker: /Test #[3-9] /,
    instructions: 8e9,
    options: { memory: 2 ** 24, commandLine: "", cpus: 2 },
  });
  if (ran === undefined) return;
  assert.match(ran.screen, /CPU: 2 Cores 2 Threads +SMP: 2T \(PAR\)/);
  assert.match(ran.screen, /CLK\/Temp: 1000MHz/);
  assert.match(ran.screen, /Pass: +0 +Errors: 0/);
});
