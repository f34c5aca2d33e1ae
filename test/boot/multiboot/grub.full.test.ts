// R1.3 The conformance guests under GRUB in QEMU: what the guest checks is what the reference loader gives.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { bootDiskInQemu, grubImage } from "../../support/grub.js";
import { requireTool } from "../../support/requires.js";
import { makeGuest, Report } from "./guest.js";
import { LINKED_AT } from "./images.js";
import { checkInformation1, checkInformation2, checkMachine, type Expected } from "./promises.js";
import { elfOf } from "./run.js";

const MODULE = new Uint8Array(5000).fill(3);
/** GRUB 2 hands over what it is given; names of files are words like any other. */
const EXPECTED: Expected = {
  commandLine: "guest.elf one two",
  modules: [{ bytes: MODULE, text: "module -v a b" }],
};
const LIMIT_MS = 60_000;

for (const [version, magic, command] of [
  [1, 0x2badb002, "multiboot"],
  [2, 0x36d76289, "multiboot2"],
] as const) {
  for (const form of ["ELF32", "ELF64", "load addresses"] as const) {
    test(`R1.3 multiboot${version}, ${form}, booted by GRUB: the specification's promises`, async (t) => {
      const qemu = requireTool(t, "qemu-system-x86_64");
      if (qemu === undefined) return;
      const guest = makeGuest({ version, address: LINKED_AT, flat: form === "load addresses" });
      const kernel = form === "load addresses" ? guest.bytes : elfOf(guest, form === "ELF32" ? 32 : 64);
      const module = version === 1 ? "module" : "module2";
      const disk = await grubImage(t, {
        format: "i386-pc",
        modules: ["biosdisk", "multiboot", "multiboot2", "boot"],
        files: { "guest.elf": kernel, module: MODULE },
        config: [
          `${command} (memdisk)/guest.elf ${EXPECTED.commandLine}`,
          `${module} (memdisk)/module ${EXPECTED.modules[0].text}`,
          "boot",
          "",
        ].join("\n"),
      });
      if (disk === undefined) return;
      const folder = await mkdtemp(path.join(tmpdir(), "locore-grub-"));
      t.after(() => rm(folder, { recursive: true, force: true }));
      const file = path.join(folder, "disk");
      await writeFile(file, disk);
      const report = new Report(bootDiskInQemu(qemu, file, LIMIT_MS));
      checkMachine(report, magic);
      if (version === 1) checkInformation1(report, EXPECTED);
      else checkInformation2(report, EXPECTED);
    });
  }
}
