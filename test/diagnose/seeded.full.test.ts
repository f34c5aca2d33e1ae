/** The guests of the seeded suite that `npm test` leaves out. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { HEALTHY, SEEDED, type SeededGuest } from "./seeded-guests.js";
import { expectCause, expectHealth, runSeeded } from "./seeded-run.js";

for (const guest of SEEDED.filter(({ quick }) => quick !== true))
  test(`R3.9 diagnose: ${guest.name}: the first sentence names the cause`, (t) => expectCause(t, guest));

for (const guest of HEALTHY.filter(({ quick }) => quick !== true))
  test(`R3.9 diagnose: ${guest.name}: nothing is wrong`, (t) => expectHealth(t, guest));

/** FreeBSD's kernels are in no package that can be fetched: LOCORE_FREEBSD names a folder with some. */
const folder = process.env["LOCORE_FREEBSD"];
const kernels =
  folder === undefined ? [] : readdirSync(folder).filter((name) => /^(?!.*root).*\.kernel$/.test(name));
for (const name of kernels)
  test(`R3.9 diagnose: ${name} without a disk asks for its root: the first sentence says so`, (t) =>
    expectCause(t, {
      name,
      image: { name, bytes: readFileSync(path.join(folder!, name)) },
      commandLine: "boot_serial=1 hw.uart.console=io:0x3f8",
      instructions: 4e9,
      until: /mountroot>/,
      cause: "root-missing",
      sentence: /FreeBSD finds no root file system.* asks for one/,
    }));

/** The disk of these kernels that has a root file system; its init is in no place that is named here. */
const ROOT = "freebsd-root.ufs";
if (folder !== undefined && existsSync(path.join(folder, ROOT)))
  for (const name of kernels.filter((one) => one.includes("acpi")))
    test(`R3.9 diagnose: ${name} with an init_path where nothing is: the first sentence says so, and the remedy is tried`, async (t) => {
      const guest: SeededGuest = {
        name,
        image: { name, bytes: readFileSync(path.join(folder, name)) },
        commandLine: "boot_serial=1 vfs.root.mountfrom=ufs:/dev/vtbd0 init_path=/sbin/nothing",
        diskContent: readFileSync(path.join(folder, ROOT)),
        instructions: 4e9,
        until: /^db> /m,
        cause: "init-missing",
        sentence: /no init on the root file system .*FreeBSD has tried \/sbin\/nothing/,
        remedy: /--append "boot_serial=1 vfs\.root\.mountfrom=ufs:\/dev\/vtbd0 (?!.*init_path)/,
      };
      await expectCause(t, guest);
      const commandLine = guest.commandLine.replace(" init_path=/sbin/nothing", "");
      const after = await runSeeded(t, { ...guest, commandLine, until: /locore-init: children ok/ });
      assert.match(after?.console ?? "", /locore-init: children ok/);
    });

test("R3.9 diagnose: the suite has 50 guests with a fault at least", () => {
  assert.ok(SEEDED.length + kernels.length >= 50);
});

/** The line that a remedy gives. */
const APPEND = /^--append "(.*)"$/;

for (const guest of SEEDED.filter(({ remedy }) => remedy?.source.includes("--append") === true))
  test(`R3.9 diagnose: ${guest.name}: the remedy is tried and works`, async (t) => {
    const before = await runSeeded(t, guest);
    if (before === undefined) return;
    const line = before.found.causes[0].remedy.map((text) => APPEND.exec(text)?.[1]).find(Boolean);
    assert.ok(line !== undefined, "a remedy is a command line");
    const after = await runSeeded(t, { ...guest, commandLine: line });
    assert.ok(after);
    assert.ok(after.found.causes.every(({ id }) => id !== guest.cause));
    assert.ok(after.console.length > before.console.length);
  });
