// ACPI tables: checksums, pointers, contents, and what Intel's compiler says of them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { buildAcpi, type PlacedTable } from "../../src/firmware/acpi/acpi.js";
import {
  buffer,
  device,
  eisaId,
  integer,
  method,
  name,
  nameString,
  pack,
  scope,
} from "../../src/firmware/acpi/aml.js";
import { byteSum } from "../../src/firmware/checksum.js";
import { ioApicId } from "../../src/firmware/interrupt-routing.js";
import { ACPI_AREA } from "../../src/memory/layout.js";
import { portsOf, usualHardware } from "../support/usual-machine.js";

const BASE = ACPI_AREA.start;
const acpi = (cpus = 1) => buildAcpi(BASE, usualHardware(cpus));
const find = (tables: PlacedTable[], wanted: string): PlacedTable => {
  const found = tables.find((t) => t.name === wanted);
  assert.ok(found, wanted);
  return found;
};
const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("R3.4 ACPI tables", () => {
  it("R3.4 every table sums to zero and its length field is its length", () => {
    for (const one of acpi(4).tables) {
      if (one.name === "FACS") continue;
      assert.equal(byteSum(one.bytes), 0, one.name);
      if (one.name !== "RSDP") assert.equal(view(one.bytes).getUint32(4, true), one.bytes.length, one.name);
    }
  });

  it("R3.4 the RSDP lies where guests search, on 16 bytes, with both checksums", () => {
    const rsdp = find(acpi().tables, "RSDP");
    assert.equal(rsdp.address, 0xe0000);
    assert.equal(Buffer.from(rsdp.bytes.subarray(0, 8)).toString("latin1"), "RSD PTR ");
    assert.equal(byteSum(rsdp.bytes, 0, 20), 0);
  });

  it("R3.8 of the sleep states only S5 is announced", () => {
    const text = Buffer.from(find(acpi().tables, "DSDT").bytes).toString("latin1");
    assert.deepEqual(text.match(/_S[0-5]_/g), ["_S5_"]);
  });

  it("R3.4 pointers lead to the tables they name", () => {
    const { tables, bytes } = acpi(2);
    const at = (address: number): string =>
      Buffer.from(bytes.subarray(address - BASE, address - BASE + 4)).toString("latin1");
    const xsdtAddress = Number(view(find(tables, "RSDP").bytes).getBigUint64(24, true));
    assert.equal(at(xsdtAddress), "XSDT");
    const xsdt = view(find(tables, "XSDT").bytes);
    const pointed = [36, 44].map((offset) => at(Number(xsdt.getBigUint64(offset, true))));
    assert.deepEqual(pointed, ["FACP", "APIC"]);
    const rsdtAddress = view(find(tables, "RSDP").bytes).getUint32(16, true);
    assert.equal(at(rsdtAddress), "RSDT");
    const rsdt = view(find(tables, "RSDT").bytes);
    assert.deepEqual(
      [36, 40].map((offset) => at(rsdt.getUint32(offset, true))),
      ["FACP", "APIC"],
    );
    const fadt = view(find(tables, "FACP").bytes);
    assert.equal(at(fadt.getUint32(36, true)), "FACS");
    assert.equal(fadt.getUint32(36, true) % 64, 0, "FACS on 64 bytes");
    assert.equal(at(fadt.getUint32(40, true)), "DSDT");
    assert.equal(at(Number(fadt.getBigUint64(140, true))), "DSDT");
  });

  it("R3.8 the FADT names the reset register, the PM blocks and no SMI command", () => {
    const bytes = find(acpi().tables, "FACP").bytes;
    const fadt = view(bytes);
    assert.equal(bytes.length, 276);
    assert.equal(hex(bytes.subarray(116, 129)), "01080001f90c000000000000" + "06");
    assert.equal(fadt.getUint32(48, true), 0, "SMI_CMD");
    assert.equal(fadt.getUint32(56, true), portsOf("acpi-pm", 0).start);
    assert.equal(fadt.getUint32(64, true), portsOf("acpi-pm", 1).start);
    assert.equal(fadt.getUint32(76, true), portsOf("acpi-pm", 2).start);
    assert.equal(fadt.getUint32(80, true), portsOf("acpi-pm", 3).start, "GPE0_BLK");
    assert.equal(bytes[92], portsOf("acpi-pm", 3).size, "GPE0_BLK_LEN");
    assert.equal(hex(bytes.subarray(220, 232)), "012000010c06000000000000", "X_GPE0_BLK");
    assert.equal(hex(bytes.subarray(84, 88)) + hex(bytes.subarray(93, 95)), "00".repeat(6), "no GPE1");
    assert.equal(bytes[108], 0x32, "century");
    assert.equal((fadt.getUint32(112, true) >>> 20) & 1, 0, "not hardware-reduced");
    assert.equal((fadt.getUint32(112, true) >>> 10) & 1, 1, "RESET_REG_SUP");
  });

  it("R3.4 the MADT lists N CPUs, one I/O APIC, the timer and ACPI overrides", () => {
    const bytes = find(acpi(3).tables, "APIC").bytes;
    const entries: string[] = [];
    for (let at = 44; at < bytes.length; at += bytes[at + 1])
      entries.push(hex(bytes.subarray(at, at + bytes[at + 1])));
    assert.deepEqual(entries, [
      "0008000001000000",
      "0008010101000000",
      "0008020201000000",
      "010c03000000c0fe00000000",
      "020a0000020000000000",
      "020a0009090000000d00",
      "0406ff000001",
    ]);
    assert.equal(ioApicId(3), 3);
  });

  it("R3.4 the tables of 254 CPUs fit their area", () => {
    assert.ok(acpi(254).bytes.length <= ACPI_AREA.size);
  });
});

describe("AML", () => {
  it("integers take the shortest form", () => {
    assert.deepEqual(
      [0, 1, 5, 0x100, 0x10000, 2 ** 32].map((v) => hex(integer(v))),
      ["00", "01", "0a05", "0b0001", "0c00000100", "0e0000000001000000"],
    );
  });

  it("names are padded and checked", () => {
    assert.equal(hex(nameString("\\_S5")), "5c5f53355f");
    assert.equal(hex(nameString("\\_SB.VGEN")), "5c2e5f53425f5647454e");
    assert.equal(hex(nameString("A.B.C")), "2f03" + "415f5f5f" + "425f5f5f" + "435f5f5f");
    for (const wrong of ["A.", ".A", "A..B", "A.TOOLONG", ""])
      assert.throws(() => nameString(wrong), RangeError);
    assert.throws(() => nameString("TOOLONG"), RangeError);
    assert.throws(() => nameString("1BAD"), RangeError);
  });

  it("EISA identifiers as the specification's example", () => {
    assert.equal(hex(eisaId("PNP0501")), "0c41d00501");
    assert.throws(() => eisaId("pnp0501"), RangeError);
  });

  it("package lengths of one, two and three bytes count themselves", () => {
    assert.equal(hex(scope("A_")), "1005415f5f5f");
    assert.equal(hex(method("M", 1)), "14064d5f5f5f01");
    const two = buffer(new Uint8Array(100));
    assert.equal(hex(two.subarray(0, 5)), "1148060a64");
    const three = buffer(new Uint8Array(5000));
    assert.equal(three[1] >> 6, 2);
    assert.equal((three[1] & 15) | (three[2] << 4) | (three[3] << 12), three.length - 1);
    assert.equal(hex(pack(integer(1), integer(2))), "120502010a02");
  });

  it("devices carry the extended opcode", () => {
    assert.equal(hex(device("D", name("_UID", integer(0)))), "5b820b445f5f5f085f55494400");
  });
});

const iaslFound = spawnSync("iasl", ["-v"]).status === 0;

describe("R3.4 ACPI tables under iasl", { skip: iaslFound ? false : "iasl is not installed" }, () => {
  const iasl = (folder: string, ...args: string[]): string => {
    const result = spawnSync("iasl", args, { cwd: folder, encoding: "utf8" });
    assert.equal(result.status, 0, result.stdout + result.stderr);
    return result.stdout + result.stderr;
  };

  it("R6.2 the generation id is a device by the names that drivers know, and its event notifies it", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "locore-acpi-"));
    try {
      writeFileSync(path.join(folder, "table.dat"), find(acpi().tables, "DSDT").bytes);
      iasl(folder, "-d", "table.dat");
      const source = readFileSync(path.join(folder, "table.dsl"), "utf8")
        .replace(/\/\/.*$/gm, "")
        .replace(/\s+/g, " ");
      assert.ok(
        source.includes(
          'Device (VGEN) { Name (_HID, "LOCO0001") Name (_CID, Package (0x02) { "VMGENCTR", "VM_Gen_Counter" }) ' +
            'Name (_DDN, "VM_Gen_Counter") Name (ADDR, Package (0x02) { 0xFEBFF000, Zero }) }',
        ),
        source,
      );
      const event = "Scope (_GPE) { Method (_E00, 0, NotSerialized) { Notify (\\_SB.VGEN, 0x80) } }";
      assert.ok(source.includes(event), source);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  for (const wanted of ["DSDT", "FACP", "APIC", "XSDT", "FACS"]) {
    it(`R3.4 ${wanted} disassembles without complaint and compiles back to the same bytes`, () => {
      const folder = mkdtempSync(path.join(tmpdir(), "locore-acpi-"));
      try {
        const { bytes } = find(acpi(2).tables, wanted);
        writeFileSync(path.join(folder, "table.dat"), bytes);
        const said = iasl(folder, "-d", "table.dat");
        assert.doesNotMatch(said, /error|invalid|incorrect|warning/i);
        const source = readFileSync(path.join(folder, "table.dsl"), "utf8");
        assert.doesNotMatch(source, /Incorrect|Invalid|UnknownObj/);
        const compiled = iasl(folder, "-p", "back", "table.dsl");
        assert.match(compiled, /0 Errors/);
        const back = readFileSync(path.join(folder, "back.aml"));
        // The compiler puts its own name and version behind the OEM revision, and so another checksum.
        for (const table of [back, bytes]) {
          if (wanted === "FACS") continue;
          table.fill(0, 28, 36);
          table[9] = 0;
        }
        assert.equal(back.toString("hex"), hex(bytes));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }
});
