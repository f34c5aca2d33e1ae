// R1.3 Xen with Linux as its first domain, to userspace and off again; unstable's Xen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { initramfsBytes } from "../../src/guests/index.js";
import { WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { bootUntil, guestKernel } from "../support/marked-boot.js";
import { requireGuest } from "../support/requires.js";

const XEN_COMMAND_LINE = "console=com1 com1=115200,8n1 noreboot no-real-mode";
const MIB = 0x10_0000;

for (const [xen, loader, cpus] of [
  ["xen", "multiboot2", 1],
  ["xen", "multiboot1", 2],
  ["xen-sid", "multiboot2", 2],
] as const) {
  test(`R1.3 ${xen} by ${loader} with Debian's kernel as dom0, ${cpus} CPU(s): userspace, then off by ACPI through Xen`, async (t) => {
    const kernel = await guestKernel(t, xen);
    const dom0 = await guestKernel(t, "debian-amd64");
    const busybox = await requireGuest(t, "busybox");
    if (!kernel || !dom0 || !busybox) return;
    const command = "cat /sys/hypervisor/type; echo cpus=$(nproc); echo sum=$((6*7))";
    const initrd = await initramfsBytes({ busybox: busybox.files["busybox"], command });
    const boot = await bootUntil(t, "Entering ACPI S5 state", {
      kernel,
      memory: 512 * MIB,
      cpus,
      commandLine: XEN_COMMAND_LINE,
      loader: { name: loader },
      modules: [
        { ...dom0, commandLine: `console=hvc0 ${WITHOUT_CRYPTO_TESTS}` },
        { name: "initrd", bytes: initrd },
      ],
    });
    assert.match(boot.console, /^\(XEN\) Xen version 4\./m);
    assert.match(boot.console, /^locore: init$/m);
    assert.match(boot.console, /^xen$/m);
    assert.match(boot.console, new RegExp(`^cpus=${cpus}$`, "m"));
    assert.doesNotMatch(boot.console, /inconsistent/, "the CPUs agree about memory types");
    assert.match(boot.console, /^sum=42$/m);
    assert.match(boot.console, /^locore: exit 0$/m);
  });
}

for (const loader of ["multiboot2", "multiboot1"]) {
  test(`R1.3 unstable's Xen by ${loader}: its banner`, async (t) => {
    const kernel = await guestKernel(t, "xen-sid");
    if (kernel === undefined) return;
    const options = { kernel, commandLine: XEN_COMMAND_LINE, loader: { name: loader } };
    const { console } = await bootUntil(t, "dom0 kernel not specified", options);
    assert.match(console, /^\(XEN\) Xen version 4\.\d+\.\d+\S* \(Debian/m);
    assert.match(console, /^\(XEN\) Bootloader: locore$/m);
  });
}
