/** R5.2 under U-Boot (Debian's, on QEMU's virt machines): bootz and booti start converted kernels and refuse the ELF file. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { convert } from "../../src/convert/index.js";
import { requireGuest } from "../support/requires.js";
import { checkReport, makeGuest, UART, verdictOf } from "./guest.js";
import { QEMU, RAM, runMachine } from "./machines.js";

const LOADED = RAM + 0x100_0000;

/** Stops U-Boot at its prompt and gives it one command for the kernel in memory. */
async function atPrompt(
  t: test.TestContext,
  bits: 32 | 64,
  command: string,
  kernel: Uint8Array,
  until: RegExp,
): Promise<string | undefined> {
  const uBoot = await requireGuest(t, bits === 32 ? "u-boot-arm" : "u-boot-arm64");
  if (uBoot === undefined) return undefined;
  const machine = ["-M", "virt", "-cpu", QEMU[bits].cpu, "-m", "256", "-bios", "@bios"];
  return runMachine(t, {
    bits,
    args: [...machine, "-device", `loader,file=@kernel,addr=${LOADED},force-raw=on`],
    files: { bios: await readFile(uBoot.files["bios"]), kernel },
    typed: [
      [/stop autoboot/, " "],
      [/=> /, `${command} ${LOADED.toString(16)} - \${fdtcontroladdr}\r`],
    ],
    until,
  });
}

const CASES = [
  { bits: 32, command: "bootz", to: "zimage", refusal: /zimage: Bad magic!\s/ },
  { bits: 64, command: "booti", to: "arm64-image", refusal: /Bad Linux ARM64 Image magic!\s/ },
] as const;

for (const { bits, command, to, refusal } of CASES) {
  test(`R5.2 U-Boot's ${command} starts a converted kernel at a fixed address`, async (t) => {
    const address = RAM + 0x300_0000;
    const guest = makeGuest({ bits, link: BigInt(address), uart: UART.QEMU });
    const console = await atPrompt(t, bits, command, convert(guest.elf, { to }).bytes, /x=0+\r?\n/);
    if (console === undefined) return;
    const report = checkReport(console, guest, address);
    if (bits === 32) assert.equal(report["1"], 0);
  });

  test(`R5.2 U-Boot's ${command} starts a converted kernel relative to the start of memory`, async (t) => {
    const link = bits === 32 ? 0xc040_0000n : 0xffff_0000_0008_0000n;
    const guest = makeGuest({ bits, link, uart: UART.QEMU, freebsd: true });
    const console = await atPrompt(t, bits, command, convert(guest.elf, { to }).bytes, /x=0+\r?\n/);
    if (console === undefined) return;
    checkReport(console, guest, RAM + (bits === 32 ? 0x40_0000 : 0x8_0000));
  });

  test(`R5.2 U-Boot's ${command} refuses the bare ELF file`, async (t) => {
    const { elf } = makeGuest({ bits, link: BigInt(LOADED), uart: UART.QEMU });
    const { outcome, prints } = verdictOf(elf, `u-boot-${command}`);
    assert.deepEqual([outcome, prints.length], ["refuses", 1]);
    const console = await atPrompt(t, bits, command, elf, refusal);
    if (console === undefined) return;
    assert.match(console, refusal);
    assert.ok(console.includes(prints[0]), console);
  });
}
