/**
 * R5.2 on a real Xen 4.17 (Debian's arm64 and armhf hypervisors, in QEMU): converted kernels run as its first domain and
 * as guests that it starts by itself; the bare ELF file is refused, and so are damaged images. RAM of the first domain is
 * where the machine's is and Xen left room, that of a guest begins at 1 GiB: the same file must run in both.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { convert } from "../../src/convert/index.js";
import { ARM64_IMAGE, ZIMAGE } from "../../src/spec/arm-boot.js";
import { checkReport, makeGuest, readReport, UART, verdictOf } from "./guest.js";
import { GUEST_RAM, runAsDom0, runAsDomU } from "./xen.js";
import {
  freebsdShaped,
  FREEBSD_LINK,
  LOADER,
  OFFSET,
  PANIC,
  REFUSED_GUEST,
  REPORTED,
  TARGET,
} from "./xen-guests.js";

for (const bits of [32, 64] as const) {
  test(`R5.2 ${bits}-bit Xen: a converted FreeBSD-shaped kernel runs as dom0`, async (t) => {
    const guest = freebsdShaped(bits, UART.HYPERCALL);
    const { bytes: kernel, placement } = convert(guest.elf, { to: TARGET[bits] });
    assert.equal(placement.kind, "relative");
    assert.equal(verdictOf(kernel, LOADER[bits]).outcome, "takes");
    const console = await runAsDom0(t, bits, { kernel, until: /Hardware Dom0 halted|Reboot in/ });
    if (console === undefined) return;
    const bank = /BANK\[0\] (0x[0-9a-f]+)-/.exec(console)?.[1];
    assert.ok(bank !== undefined, console);
    checkReport(console, guest, Number(bank) + OFFSET[bits]);
    assert.match(console, /Hardware Dom0 halted/);
  });

  test(`R5.2 ${bits}-bit Xen: a kernel with a fixed address runs there as a guest`, async (t) => {
    const address = GUEST_RAM + 0x200_0000;
    const guest = makeGuest({ bits, link: BigInt(address), uart: UART.XEN });
    const { bytes: kernel, placement } = convert(guest.elf, { to: TARGET[bits] });
    assert.equal(placement.kind, "absolute");
    const console = await runAsDomU(t, bits, { kernel, until: REPORTED });
    if (console !== undefined) checkReport(console, guest, address);
  });

  test(`R5.2 ${bits}-bit Xen: one flipped bit in the magic number, and the image is refused`, async (t) => {
    const kernel = convert(freebsdShaped(bits, UART.XEN).elf, { to: TARGET[bits] }).bytes;
    kernel[bits === 32 ? ZIMAGE.MAGIC : ARM64_IMAGE.MAGIC] ^= 1;
    const console = await runAsDomU(t, bits, { kernel, until: PANIC });
    if (console !== undefined) assert.ok(console.includes(REFUSED_GUEST), console);
  });

  test(`R5.2 ${bits}-bit Xen: one flipped bit in the contents, and the guest reports it`, async (t) => {
    const guest = freebsdShaped(bits, UART.XEN);
    const kernel = convert(guest.elf, { to: TARGET[bits] }).bytes;
    kernel[kernel.length - 0x1000] ^= 1;
    const console = await runAsDomU(t, bits, { kernel, until: REPORTED });
    if (console === undefined) return;
    const report = readReport(console);
    assert.ok(report !== undefined && report["q"] !== guest.checksum, console);
  });
}

test("R5.2 32-bit Xen: a kernel over a device tree near the end of memory has it moved down, not out of memory", async (t) => {
  const small = freebsdShaped(32, UART.XEN);
  // Xen loads a zImage as high as 128 MiB of memory let it, and puts the device tree below that.
  const bss = 0x7d0_0000 - OFFSET[32] - small.contents;
  const guest = makeGuest({ bits: 32, link: FREEBSD_LINK[32], uart: UART.XEN, freebsd: true, bss });
  const { bytes: kernel } = convert(guest.elf, { to: "zimage" });
  const console = await runAsDomU(t, 32, { kernel, until: REPORTED });
  if (console === undefined) return;
  const report = checkReport(console, guest, GUEST_RAM + OFFSET[32]);
  assert.equal(report["2"], GUEST_RAM + 0x20_0000);
});

test("R5.2 32-bit Xen refuses a zImage whose end lies beyond the file", async (t) => {
  const kernel = convert(freebsdShaped(32, UART.XEN).elf, { to: "zimage" }).bytes;
  new DataView(kernel.buffer).setUint32(ZIMAGE.END, kernel.length + 1, true);
  const { outcome, prints } = verdictOf(kernel, LOADER[32]);
  assert.deepEqual([outcome, prints.includes(REFUSED_GUEST)], ["refuses", true]);
  const console = await runAsDomU(t, 32, { kernel, until: PANIC });
  if (console !== undefined) assert.ok(console.includes(REFUSED_GUEST), console);
});
