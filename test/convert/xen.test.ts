/**
 * R5.2 on a real Xen 4.17 (Debian's arm64 and armhf hypervisors, in QEMU): a converted kernel runs as a guest that it starts by itself;
 * the bare ELF file is refused. Its first domain, damaged images and other cases: xen.full.test.ts.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { convert } from "../../src/convert/index.js";
import { checkReport, readReport, UART, verdictOf } from "./guest.js";
import { GUEST_RAM, runAsDom0, runAsDomU } from "./xen.js";
import {
  freebsdShaped,
  LOADER,
  OFFSET,
  PANIC,
  REFUSED_DOM0,
  REFUSED_GUEST,
  REPORTED,
  TARGET,
} from "./xen-guests.js";

for (const bits of [32, 64] as const) {
  test(`R5.2 ${bits}-bit Xen: the same kernel runs as a dom0less guest`, async (t) => {
    const guest = freebsdShaped(bits, UART.XEN);
    const { bytes: kernel } = convert(guest.elf, { to: TARGET[bits] });
    const console = await runAsDomU(t, bits, { kernel, until: REPORTED });
    if (console === undefined) return;
    const report = checkReport(console, guest, GUEST_RAM + OFFSET[bits]);
    if (bits === 32) assert.deepEqual([report["0"], report["1"]], [0, 0xffff_ffff]);
    else assert.deepEqual([report["1"], report["2"], report["3"]], [0, 0, 0]);
  });

  test(`R5.2 ${bits}-bit Xen refuses the bare ELF file, as dom0 and as a guest`, async (t) => {
    const { elf: kernel } = freebsdShaped(bits, UART.XEN);
    const { outcome, prints } = verdictOf(kernel, LOADER[bits]);
    assert.deepEqual([outcome, [...prints].sort()], ["refuses", [REFUSED_DOM0, REFUSED_GUEST]]);
    const asGuest = await runAsDomU(t, bits, { kernel, until: PANIC });
    if (asGuest === undefined) return;
    assert.ok(asGuest.includes(REFUSED_GUEST), asGuest);
    assert.equal(readReport(asGuest), undefined);
    const asDom0 = await runAsDom0(t, bits, { kernel, until: PANIC });
    assert.ok(asDom0?.includes(REFUSED_DOM0), asDom0);
  });
}
