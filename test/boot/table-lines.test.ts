// The tables of a plan as text.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tableLines } from "../../src/boot/table-lines.js";
import { PT } from "../../src/spec/elf.js";
import { makeBzImage, makeElf, makeNotes, makePvhNote } from "../support/images.js";
import { planOf, region } from "./plan-text.js";

describe("R1.6 tables as text", () => {
  it("R1.6 firmware tables with sizes and checksums, then boot_params, as a golden", () => {
    assert.deepEqual(tableLines(planOf(makeBzImage())), [
      "00009fc00  MP floating pointer     16 bytes, checksum right",
      "0000e0000  RSDP                    36 bytes, checksum right",
      "0000e0040  FACS                    64 bytes",
      "0000e0080  DSDT                    429 bytes, revision 2, checksum right",
      "0000e0230  FACP                    276 bytes, revision 6, checksum right",
      "0000e0350  APIC                    90 bytes, revision 6, checksum right",
      "0000e03b0  XSDT                    52 bytes, revision 1, checksum right",
      "0000e03f0  RSDT                    44 bytes, revision 1, checksum right",
      "0000f0000  MP configuration table  216 bytes, 20 entries, checksum right",
      "boot_params.version = 0x020f",
      "boot_params.type_of_loader = 0xff",
      "boot_params.loadflags = 0x1",
      "boot_params.code32_start = 0x1000000",
      "boot_params.cmd_line_ptr = 0x20000",
      "boot_params.ramdisk_image = 0x0",
      "boot_params.ramdisk_size = 0",
      "boot_params.setup_data = 0x0",
      "boot_params.acpi_rsdp_addr = 0xe0000",
      "boot_params.e820_entries = 4",
    ]);
  });

  it("R2.1 start_info where PVH is the protocol", () => {
    const kernel = makeElf({
      segments: [
        { vaddr: 0x1000000, bytes: new Uint8Array(64) },
        { type: PT.NOTE, bytes: makeNotes([makePvhNote(0x1000000)]) },
      ],
    });
    const lines = tableLines(planOf(kernel)).filter((line) => line.startsWith("start_info"));
    assert.deepEqual(lines, [
      "start_info.magic = 0x336ec578",
      "start_info.version = 1",
      "start_info.nr_modules = 0",
      "start_info.modlist_paddr = 0x0",
      "start_info.cmdline_paddr = 0x20000",
      "start_info.rsdp_paddr = 0xe0000",
      "start_info.memmap_paddr = 0x6038",
      "start_info.memmap_entries = 4",
    ]);
  });

  it("R1.6 shows what the bytes say: a damaged table is seen", () => {
    const plan = planOf(makeBzImage());
    const { content } = region(plan, "mp table");
    assert.ok(content.kind === "bytes");
    content.bytes[50] ^= 1;
    assert.match(
      tableLines(plan).join("\n"),
      /MP configuration table {2}216 bytes, 20 entries, checksum wrong/,
    );
  });
});
