// R1.2, R3.10: Debian's installer, as a person starts it: kernel and initrd, to the first menu.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { bootUntil, guestKernel } from "../support/marked-boot.js";
import { requireGuest } from "../support/requires.js";

const MIB = 0x10_0000;

// What V8 optimises from the start always showed the lost upper half of a register that its flag in
// src/host/node/engines.ts prevents; what it optimises when hot showed it in some runs.
setFlagsFromString("--no-liftoff");

test("R1.2 Debian's installer comes to its language menu on the serial console", async (t) => {
  const kernel = await guestKernel(t, "debian-installer");
  const guest = await requireGuest(t, "debian-installer");
  if (!kernel || !guest) return;
  const initrd = guest.files["initrd"];
  const options = {
    kernel,
    memory: 1024 * MIB,
    commandLine: "console=ttyS0 quiet",
    initrd: { name: initrd, bytes: await readFile(initrd) },
  };
  const menu = "Choose the language to be used for the installation";
  const { console } = await bootUntil(t, menu, options);
  assert.match(console, /Select a language/);
});
