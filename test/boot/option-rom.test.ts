/** The option ROM: its header, its code against GNU as, what it copies, and states that it cannot enter. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { codeBytes, codeSize, listing, type ListedLine } from "../../src/boot/bios/listing.js";
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
import { byteSum } from "../../src/firmware/checksum.js";
import { longMode64, protectedMode32, realMode16 } from "../../src/x86/entry-states.js";
import { bootGdt } from "../../src/x86/gdt.js";
import type { Region } from "../../src/memory/regions.js";
import { requireTool } from "../support/requires.js";

const GDT_AT = 0x7000;

function gdtRegion(width: 32 | 64): Region {
  const { bytes } = bootGdt(width);
  const content = { kind: "bytes", bytes } as const;
  return { name: "gdt", start: GDT_AT, size: bytes.length, e820: "ram", content, owner: "test" };
}

/** A value for every name of a listing: such that no assembler finds a shorter form. */
function sampleValues(lines: readonly ListedLine[]): Record<string, bigint> {
  const values: Record<string, bigint> = {};
  for (const { parts } of lines)
    for (const part of parts)
      if (typeof part !== "number")
        values[part.value] = { 2: 0x1234n, 4: 0x12345678n }[part.size] ?? 0x123456789abcdef0n;
  return values;
}

/** What GNU as makes of a listing's assembly, or undefined after the test was skipped. */
function assembled(as: string, lines: readonly ListedLine[], bits: 16 | 32 | 64): Uint8Array {
  const values = sampleValues(lines);
  const text = lines.map(({ assembly }) =>
    assembly.replace(/<(\w+)>/g, (_, name: string) => `0x${values[name].toString(16)}`),
  );
  // GNU as writes a far jump as ljmp selector, offset.
  const source = text.map((line) => line.replace(/^jmp (0x\w+):(0x\w+)$/, "ljmp $1, $2"));
  const folder = mkdtempSync(path.join(tmpdir(), "locore-as-"));
  try {
    const [file, object, binary] = ["a.s", "a.o", "a.bin"].map((name) => path.join(folder, name));
    writeFileSync(file, [".intel_syntax noprefix", `.code${bits}`, ...source, ""].join("\n"));
    const made = spawnSync(as, [bits === 64 ? "--64" : "--32", "-o", object, file], { encoding: "utf8" });
    assert.equal(made.status, 0, made.stderr);
    const copied = spawnSync("objcopy", ["-O", "binary", "-j", ".text", object, binary], {
      encoding: "utf8",
    });
    assert.equal(copied.status, 0, copied.stderr);
    return readFileSync(binary);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const [name, lines, bits] of [
  ["INIT", INIT, 16],
  ["COPY", COPY, 16],
  ["ENTER_REAL", ENTER_REAL, 16],
  ["LEAVE_REAL", LEAVE_REAL, 16],
  ["ENTER_32", ENTER_32, 32],
  ["ENTER_64", ENTER_64, 64],
] as const) {
  test(`R1.8 option ROM: the bytes of ${name} are what GNU as makes of the assembly beside them`, (t) => {
    const as = requireTool(t, "as");
    if (!as || !requireTool(t, "objcopy")) return;
    const wanted = Buffer.from(codeBytes(lines, sampleValues(lines))).toString("hex");
    assert.equal(
      Buffer.from(assembled(as, lines, bits))
        .subarray(0, codeSize(lines))
        .toString("hex"),
      wanted,
    );
  });
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
