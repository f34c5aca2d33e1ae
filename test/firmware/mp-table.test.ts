// MP table, BIOS data area, and the searches that operating systems make for them.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { realModeData } from "../../src/firmware/bios-data-area.js";
import { byteSum, seal } from "../../src/firmware/checksum.js";
import { mpConfigTable, mpFloatingPointer } from "../../src/firmware/mp-table.js";
import { usualHardware } from "../support/usual-machine.js";
import { EBDA, MP_TABLE_AREA } from "../../src/memory/layout.js";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const config = (cpus: number) =>
  mpConfigTable({ hardware: usualHardware(cpus), signature: 0x106ca, features: 0x789fb7d });

describe("R3.4 MP table", () => {
  it("R3.4 the floating pointer names the table, version 1.4, and sums to zero", () => {
    const pointer = mpFloatingPointer(0xf0000);
    assert.equal(hex(pointer).replace(/^(.{20})../, "$1.."), "5f4d505f00000f000104..0000000000");
    assert.equal(byteSum(pointer), 0);
  });

  it("R3.4 the header counts entries and bytes, and sums to zero", () => {
    const bytes = config(2);
    const view = new DataView(bytes.buffer);
    assert.equal(Buffer.from(bytes.subarray(0, 4)).toString(), "PCMP");
    assert.equal(view.getUint16(4, true), bytes.length);
    assert.equal(view.getUint16(34, true), 2 + 1 + 1 + 15 + 2);
    assert.equal(view.getUint32(36, true), 0xfee00000);
    assert.equal(byteSum(bytes), 0);
  });

  it("R3.4 entries of two CPUs, as a golden", () => {
    const bytes = config(2);
    const sizes = [20, 8, 8, 8, 8];
    const lines: string[] = [];
    for (let at = 44; at < bytes.length; at += sizes[bytes[at]])
      lines.push(hex(bytes.subarray(at, at + sizes[bytes[at]])));
    assert.deepEqual(lines, [
      "00001403ca0601007dfb89070000000000000000",
      "00011401ca0601007dfb89070000000000000000",
      "0100495341202020",
      "020220010000c0fe",
      "0300000000000202",
      "0300000000010201",
      "0300000000030203",
      "0300000000040204",
      "0300000000050205",
      "0300000000060206",
      "0300000000070207",
      "0300000000080208",
      "03000d0000090209",
      "03000000000a020a",
      "03000000000b020b",
      "03000000000c020c",
      "03000000000d020d",
      "03000000000e020e",
      "03000000000f020f",
      "040300000000ff00",
      "040100000000ff01",
    ]);
  });

  it("R3.4 the table of 254 CPUs fits its area", () => {
    assert.ok(config(254).length <= MP_TABLE_AREA.size);
  });

  it("R3.4 the BIOS data area leads FreeBSD and NetBSD to the EBDA", () => {
    const bda = new DataView(realModeData().buffer);
    assert.equal(bda.getUint16(0x40e, true) * 16, EBDA.start);
    assert.equal(bda.getUint16(0x413, true) * 1024, EBDA.start);
  });

  it("R3.4 sealing ignores what the checksum byte held before", () => {
    const bytes = Uint8Array.of(1, 2, 99, 4);
    seal(bytes, 2);
    assert.equal(byteSum(bytes), 0);
  });
});
