/**
 * What stands in the tables of a plan, as text: firmware tables with their sizes and checksums, and the structure
 * the kernel is handed. Reads the plan's own bytes, so it shows what the guest will find.
 */
import { ByteView } from "../bytes/byte-view.js";
import { hex } from "../bytes/hex.js";
import { byteSum } from "../firmware/checksum.js";
import { RSDP, TABLE_HEADER_SIZE, TABLE_LENGTH_OFFSET } from "../spec/acpi.js";
import { BOOT_PARAMS } from "../spec/boot-params.js";
import { SETUP_OFFSET } from "../spec/linux-boot.js";
import { MP_CONFIG, MP_FLOATING } from "../spec/mp.js";
import { START_INFO } from "../spec/pvh.js";
import { MULTIBOOT_INFORMATION } from "./multiboot/hand-over.js";
import { multiboot1Lines, multiboot2Lines } from "./multiboot/info-lines.js";
import { multiboot1Loader } from "./multiboot1/multiboot1.js";
import type { Plan } from "./plan.js";

const ADDRESS_DIGITS = 9;
const REVISION_OFFSET = 8;
const MP_ENTRY_COUNT_OFFSET = 34;
/** Tables without the common ACPI header. */
const FACS_NAME = "FACS";

/** One line a table, ascending by address; then what the structure says that the kernel is handed. */
export function tableLines(plan: Plan): string[] {
  const placed = Object.entries(plan.tables).sort(([, a], [, b]) => a - b);
  const width = Math.max(0, ...placed.map(([name]) => name.length));
  const lines = placed.map(([name, address]) => {
    const at = address.toString(16).padStart(ADDRESS_DIGITS, "0");
    return `${at}  ${name.padEnd(width)}  ${describe(name, bytesAt(plan, address))}`.trimEnd();
  });
  return [...lines, ...bootParamsLines(plan), ...startInfoLines(plan), ...multibootLines(plan)];
}

/** The plan's contents from an address to the end of what is filled there. */
function bytesAt(plan: Plan, address: number): ByteView {
  const region = plan.regions.find(({ start, size }) => address >= start && address < start + size);
  if (region?.content.kind !== "bytes") return new ByteView(new Uint8Array(0), address);
  return new ByteView(region.content.bytes.subarray(address - region.start), address);
}

function describe(name: string, view: ByteView): string {
  if (view.holds(0, MP_FLOATING.SIZE) && view.matches(0, MP_FLOATING.SIGNATURE)) {
    return `${MP_FLOATING.SIZE} bytes, ${checksum(view, MP_FLOATING.SIZE)}`;
  }
  if (view.holds(0, MP_CONFIG.HEADER_SIZE) && view.matches(0, MP_CONFIG.SIGNATURE)) {
    const length = view.u16(MP_CONFIG.LENGTH_OFFSET);
    return `${length} bytes, ${view.u16(MP_ENTRY_COUNT_OFFSET)} entries, ${checksum(view, length)}`;
  }
  if (view.holds(0, RSDP.SIZE) && view.matches(0, RSDP.SIGNATURE)) {
    return `${RSDP.SIZE} bytes, ${checksum(view, RSDP.SIZE)}`;
  }
  if (!view.holds(0, TABLE_HEADER_SIZE)) return "";
  const length = view.u32(TABLE_LENGTH_OFFSET);
  if (name === FACS_NAME) return `${length} bytes`;
  return `${length} bytes, revision ${view.u8(REVISION_OFFSET)}, ${checksum(view, length)}`;
}

function checksum(view: ByteView, length: number): string {
  if (!view.holds(0, length)) return "cut short";
  return byteSum(view.bytes, 0, length) === 0 ? "checksum right" : "checksum wrong";
}

/** `name` and its view, if the plan has a region called so. */
function handedOver(plan: Plan, name: string): ByteView | undefined {
  const region = plan.regions.find((one) => one.name === name);
  return region === undefined ? undefined : bytesAt(plan, region.start);
}

function bootParamsLines(plan: Plan): string[] {
  const view = handedOver(plan, "boot_params");
  if (view === undefined) return [];
  const fields: [string, string][] = [
    ["version", hex(view.u16(SETUP_OFFSET.version), 4)],
    ["type_of_loader", hex(view.u8(SETUP_OFFSET.type_of_loader))],
    ["loadflags", hex(view.u8(SETUP_OFFSET.loadflags))],
    ["code32_start", hex(view.u32(SETUP_OFFSET.code32_start))],
    ["cmd_line_ptr", hex(view.u32(SETUP_OFFSET.cmd_line_ptr))],
    ["ramdisk_image", hex(view.u32(SETUP_OFFSET.ramdisk_image))],
    ["ramdisk_size", String(view.u32(SETUP_OFFSET.ramdisk_size))],
    ["setup_data", hex(view.u64(SETUP_OFFSET.setup_data))],
    ["acpi_rsdp_addr", hex(view.u64(BOOT_PARAMS.ACPI_RSDP_ADDR))],
    ["e820_entries", String(view.u8(BOOT_PARAMS.E820_ENTRIES))],
  ];
  return fields.map(([name, value]) => `boot_params.${name} = ${value}`);
}

function startInfoLines(plan: Plan): string[] {
  const view = handedOver(plan, "start_info");
  if (view === undefined) return [];
  const at = START_INFO.OFFSET;
  const fields: [string, string][] = [
    ["magic", hex(view.u32(at.MAGIC))],
    ["version", String(view.u32(at.VERSION))],
    ["nr_modules", String(view.u32(at.NR_MODULES))],
    ["modlist_paddr", hex(view.u64(at.MODLIST_PADDR))],
    ["cmdline_paddr", hex(view.u64(at.CMDLINE_PADDR))],
    ["rsdp_paddr", hex(view.u64(at.RSDP_PADDR))],
    ["memmap_paddr", hex(view.u64(at.MEMMAP_PADDR))],
    ["memmap_entries", String(view.u32(at.MEMMAP_ENTRIES))],
  ];
  return fields.map(([name, value]) => `start_info.${name} = ${value}`);
}

/** The region holds one or the other version's structure: the loader of that name claimed it. */
function multibootLines(plan: Plan): string[] {
  const view = handedOver(plan, MULTIBOOT_INFORMATION);
  if (view === undefined) return [];
  return plan.loader.name === multiboot1Loader.name ? multiboot1Lines(view) : multiboot2Lines(view);
}
