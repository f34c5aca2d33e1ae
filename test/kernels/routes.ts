/** The ways into Debian's kernel and the ways out of it, and the test of one of each. */
import test from "node:test";
import { INIT_LINE, type GuestEnd } from "../../src/guests/index.js";
import { assertEnd, bootKernel, lastWords, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import type { KernelBootOptions } from "../support/kernel-boot.js";
import { assertWork, WORK, WORK_FILES } from "../support/guest-work.js";
import assert from "node:assert/strict";

/** Every boot protocol that Debian's kernel can be entered by. */
export const ENTRIES = {
  "R1.2 bzImage by its 64-bit entry": {},
  "R1.2 bzImage by its 32-bit entry": { loader: { entry: "32" } },
  "R2.1 bzImage through PVH": { loader: { name: "pvh" } },
  "R2.1 R4.1 vmlinux through PVH": { vmlinux: true, loader: { name: "pvh" } },
  "R1.2 vmlinux by the 64-bit ELF protocol": { vmlinux: true, loader: { name: "elf64" } },
} satisfies Record<string, Pick<KernelBootOptions, "vmlinux" | "loader">>;

export type Entry = keyof typeof ENTRIES;

/** What each way out is reported as. */
const ENDS: Record<GuestEnd, [kind: string, route: string, status: number]> = {
  poweroff: ["off", "acpi-s5", 0],
  // The ACPI reset register is port 0xCF9.
  reboot: ["reset", "port-cf9", 0],
  halt: ["halted", "interrupts-off", 0],
};

/** Boots by `entry` to userspace, lets the guest compute and checks it, and leaves by `end`. */
export function testRoute(entry: Entry, end: GuestEnd): void {
  test(`${entry}: userspace computes what the host computes; ${end} is ${ENDS[end].join(" ")}`, async (t) => {
    const boot = await bootKernel(t, {
      ...ENTRIES[entry],
      commandLine: `console=ttyS0 ${WITHOUT_CRYPTO_TESTS}`,
      initramfs: { command: WORK, files: WORK_FILES, end },
    });
    if (boot === undefined) return;
    assert.ok(boot.console.includes(INIT_LINE), lastWords(boot.console));
    assertWork(boot);
    assertEnd(boot, ...ENDS[end]);
  });
}
