/** The option ROM: its header, its code against GNU as, what it copies, and states that it cannot enter. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  COPY,
  ENTER_32,
  ENTER_64,
  ENTER_REAL,
  INIT,
  LEAVE_REAL,
} from "../../src/boot/bios/option-rom-code.js";
import { buildOptionRom } from "../../src/boot/bios/option-rom.js";
import { BootError } from "../../src/boot/boot-error.js";
import { codeBytes, listing } from "../../src/x86/code-listing.js";
import { byteSum } from "../../src/firmware/checksum.js";
import { longMode64, protectedMode32, realMode16 } from "../../src/x86/entry-states.js";
import { bootGdt } from "../../src/x86/gdt.js";
import type { Region } from "../../src/memory/regions.js";
import { assertAssembled } from "../support/assembled-listing.js";

const GDT_AT = 0x7000;

function gdtRegion(width: 32 | 64): Region {
  const { bytes } = bootGdt(width);
  const content = { kind: "bytes", bytes } as const;
  return { name: "gdt", start: GDT_AT, size: bytes.length, e820: "ram", content, owner: "test" };
}

for (const [name, lines, bits] of [
  ["INIT", INIT, 16],
  ["COPY", COPY, 16],
  ["ENTER_REAL", ENTER_REAL, 16],
  ["LEAVE_REAL", LEAVE_REAL, 16],
  ["ENTER_32", ENTER_32, 32],
  ["ENTER_64", ENTER_64, 64],
] as const) {
  test(`R1.8 option ROM: the bytes of ${name} are what GNU as makes of the assembly beside them`, (t) =>
    assertAssembled(t, lines, bits));
}

test("R1.8 option ROM: header, Plug and Play header and both sums are what POST looks for", () => {
  const cpu = realMode16(0x3020, 0, 0x3000, {});
  const rom = buildOptionRom({ transfers: [{ key: 0x29, address: 0x30000, size: 0x100 }], cpu, regions: [] });
  const view = new DataView(rom.buffer);
  assert.equal(view.getUint16(0, true), 0xaa55);
  assert.equal(rom[2] * 512, rom.length);
  assert.equal(byteSum(rom), 0);
  const pnp = view.getUint16(0x1a, true);
  assert.equal(Buffer.from(rom.subarray(pnp, pnp + 4)).toString(), "$PnP");
  assert.equal(byteSum(rom, pnp, rom[pnp + 5] * 16), 0);
  const boot = view.getUint16(pnp + 0x1a, true);
  assert.equal(rom[boot], 0xfa, "the boot entry begins with CLI");
});

test("R1.8 option ROM: one DMA descriptor a region, big-endian, with key, length and address", () => {
  const cpu = realMode16(0x3020, 0, 0x3000, {});
  const rom = Buffer.from(
    buildOptionRom({ transfers: [{ key: 0x29, address: 0x12345678, size: 0xabcd }], cpu, regions: [] }),
  );
  assert.ok(rom.includes(Buffer.from("0029000a0000abcd0000000012345678", "hex")));
});

test("R1.8 option ROM: protected and long mode take their segments from the loader's table", () => {
  for (const width of [32, 64] as const) {
    const entry = { entry: 0x100000n, gdtBase: GDT_AT, registers: { rbx: 0x6000n } };
    const cpu = width === 32 ? protectedMode32(entry) : longMode64(entry, 0x9000n);
    assert.equal(byteSum(buildOptionRom({ transfers: [], cpu, regions: [gdtRegion(width)] })), 0);
  }
});

test("R1.8 option ROM: a state whose segments are not in its table is refused with the descriptor's address", () => {
  const cpu = protectedMode32({ entry: 0x100000n, gdtBase: GDT_AT, registers: {} });
  assert.throws(
    () => buildOptionRom({ transfers: [], cpu, regions: [gdtRegion(64)] }),
    (error) =>
      error instanceof BootError && /guest-physical 0x7010: found code64 .*for cs/.test(error.message),
  );
  assert.throws(() => buildOptionRom({ transfers: [], cpu, regions: [] }), /found nothing for es/);
});

test("R1.8 listing: a line without bytes and a value that is missing are errors", () => {
  assert.throws(() => listing("mov ax, bx"), /not a line/);
  assert.throws(() => codeBytes(listing("be <table:2>  mov si, <table>"), {}), /wants a value "table"/);
  assert.deepEqual(
    codeBytes(listing("be <table:2>  mov si, <table>"), { table: 0x1234n }),
    [0xbe, 0x34, 0x12],
  );
});
