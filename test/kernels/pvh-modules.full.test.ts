// R2.1 Boot modules by PVH, as a real kernel sees them: Linux takes the first one for its initrd.
import assert from "node:assert/strict";
import { test } from "node:test";
import { initramfsBytes } from "../../src/guests/index.js";
import { WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { bootUntil, guestKernel } from "../support/marked-boot.js";
import { requireGuest } from "../support/requires.js";

test("R2.1 Linux by PVH finds its initrd in the module list, given as a module", async (t) => {
  const kernel = await guestKernel(t, "debian-cloud");
  const busybox = await requireGuest(t, "busybox");
  if (!kernel || !busybox) return;
  const bytes = await initramfsBytes({ busybox: busybox.files["busybox"], command: "echo sum=$((6*7))" });
  const { console } = await bootUntil(t, "locore: exit 0", {
    kernel,
    commandLine: `console=ttyS0 ${WITHOUT_CRYPTO_TESTS}`,
    modules: [
      { name: "initrd", bytes, commandLine: "not read by Linux" },
      { name: "second", bytes: new Uint8Array(5000) },
    ],
  });
  assert.match(console, /^sum=42$/m);
});
