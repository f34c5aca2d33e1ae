/** The README's commands as they stand: every entry and machine that it names. */
import assert from "node:assert/strict";
import test from "node:test";
import { FIRST, holds, newcomer, prepare, useBlocks, type Expected } from "./readme.js";

const UNAME = /^Linux locore 6\.1\.\S+-cloud-amd64 .* x86_64 GNU\/Linux\r?$/m;

const MORE: readonly Expected[] = [
  { command: "boot debian-cloud --initrd initrd.img -o loader.entry=32", shows: UNAME },
  { command: "boot debian-cloud --initrd initrd.img -o loader.name=pvh", shows: UNAME },
  { command: "boot debian-cloud --initrd initrd.img --cpu=-aes,-sha", shows: UNAME },
  { command: "boot debian-cloud --initrd initrd.img --jit off", shows: UNAME },
  { command: "boot debian-cloud --initrd initrd.img --jit check", shows: /instructionsChecked +[1-9]/ },
  {
    command: "boot debian-cloud --initrd initrd.img --snapshot-at",
    shows: /^locore: saved by snapshot: init\.snap/m,
  },
  { command: "restore init.snap", shows: UNAME },
  { command: "boot ipxe", shows: /iPXE/ },
  { command: "boot memtest86+", shows: /Memtest86\+ v6/, status: 124 },
  { command: "boot xen", shows: /^Linux locore 6\.1\.\S+-amd64 /m },
  { command: "inspect debian-armmp", shows: /^ +xl +yes/m },
  { command: "convert debian-armmp", shows: /^kernel: elf, \d+ bytes$/m },
  { command: "convert kernel", shows: /^kernel\.zImage: zimage, \d+ bytes$/m },
  { command: "export kernel.zImage", shows: /^arm\.cfg: written$/m },
  { command: "initramfs python3", shows: /^ +python3 /m },
];

test("R3.1 all of the README's commands run as they stand, after the first two", async (t) => {
  const [[run, pull, ...first], more, ...none] = useBlocks();
  assert.deepEqual(none, [], "every block of the section is run");
  const folder = await newcomer(t);
  if (folder === undefined || !(await prepare(t, folder, [run, pull]))) return;
  await holds(folder, [...first, ...more], [...FIRST, ...MORE]);
});
