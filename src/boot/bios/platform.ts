/**
 * A machine that starts in its firmware: where the image lies, what it may use, what it is told through fw_cfg, and the
 * option ROM by which it hands over to a kernel. Knows no boot protocol and no firmware by name; the file names are
 * those that SeaBIOS, qboot and OVMF read.
 *
 * Specification: Intel SDM vol. 3A §9.1.4; QEMU docs/specs/fw_cfg.rst.
 */
import { ByteWriter } from "../../bytes/byte-writer.js";
import { acpiFiles } from "../../firmware/acpi/table-loader.js";
import { fwCfgItems, littleEndian, type FwCfgItem } from "../../firmware/fw-cfg.js";
import {
  BIOS_HIGH_TABLES_SIZE,
  BIOS_SHADOW,
  EBDA,
  HIGH_MEMORY_START,
  REAL_MODE_DATA,
  ROM_END,
  VGA_MEMORY,
  type Span,
} from "../../memory/layout.js";
import type { Region, RegionMap } from "../../memory/regions.js";
import { E820_NUMBERS } from "../../spec/e820.js";
import { FW_CFG_FILE, FW_CFG_KEY } from "../../spec/fw-cfg.js";
import type { CpuState } from "../../x86/cpu-state.js";
import type { Announced } from "../parts.js";
import type { PlanHandOver } from "../plan.js";
import { buildOptionRom, type Transfer } from "./option-rom.js";

const OWNER = "firmware";
/** No firmware waits for a disk to be put in: a failed boot ends the machine at once. */
const BOOT_FAIL_WAIT_MS = 0;
const OPTION_ROM_NAME = `${FW_CFG_FILE.OPTION_ROMS}locore.bin`;
const VGA_ROM_NAME = `${FW_CFG_FILE.VGA_ROMS}vgabios.bin`;
/** Regions of the kernel, by number: fw_cfg names have 55 characters, region names any. */
const REGION_FILES = "opt/locore/region";

/** Claims what firmware uses of RAM, so that loaders stay away from it. Contents come later. */
export function reserveForFirmware(memory: RegionMap, image: Uint8Array): void {
  const claim = ({ start, size }: Span, name: string, e820: "ram" | "reserved"): Region =>
    memory.claimAt(start, { name, owner: OWNER, size, e820 });
  claim(REAL_MODE_DATA, "vectors and bios data area", "ram");
  claim(EBDA, "ebda", "reserved");
  memory.claimHole({ name: "video memory", owner: OWNER, ...VGA_MEMORY });
  const shadow = claim(BIOS_SHADOW, "bios", "reserved");
  const seen = image.subarray(-BIOS_SHADOW.size);
  const bytes = new Uint8Array(BIOS_SHADOW.size);
  bytes.set(seen, BIOS_SHADOW.size - seen.length);
  shadow.content = { kind: "bytes", bytes };
  const [{ start, size }] = memory.ram;
  const tables = { start: start + size - BIOS_HIGH_TABLES_SIZE, size: BIOS_HIGH_TABLES_SIZE };
  if (tables.start >= HIGH_MEMORY_START) claim(tables, "bios tables", "reserved");
}

/** The image where the CPU starts, as a region beside RAM. */
export function romRegion(image: Uint8Array): Region {
  const start = ROM_END - image.length;
  const content = { kind: "bytes", bytes: image } as const;
  return { name: "firmware rom", start, size: image.length, e820: "reserved", content, owner: OWNER };
}

/** What firmware is told of the machine. */
export interface FirmwareInput {
  ram: readonly Span[];
  /** What its parts announce. */
  announced: Pick<Announced, "hardware" | "files">;
  /** Port of the serial port that the console is. */
  serialPort: number | undefined;
  /** A VGA BIOS to be run by POST. */
  vgaRom?: Uint8Array | undefined;
  /** The kernel that a boot hands over to; absent: nothing to boot. */
  handOver?: PlanHandOver | undefined;
  /** More numbered items. */
  items: readonly FwCfgItem[];
}

/** Everything in fw_cfg. Throws BootError for a kernel that cannot be handed over to. */
export function firmwareItems(input: FirmwareInput): FwCfgItem[] {
  const { ram, vgaRom, handOver, serialPort } = input;
  const { hardware, files: own } = input.announced;
  const { cpus } = hardware;
  const files = new Map<string, Uint8Array>([
    ...(hardware.acpi === false ? [] : acpiFiles(hardware)),
    ...own,
    [FW_CFG_FILE.E820, e820File(ram)],
    [FW_CFG_FILE.BOOT_FAIL_WAIT, littleEndian(BOOT_FAIL_WAIT_MS, 8)],
    [FW_CFG_FILE.IRQ0_OVERRIDE, littleEndian(1, 8)],
  ]);
  if (serialPort !== undefined) files.set(FW_CFG_FILE.SERCON_PORT, littleEndian(serialPort, 2));
  if (vgaRom !== undefined) files.set(VGA_ROM_NAME, vgaRom);
  const numbered = [
    { key: FW_CFG_KEY.RAM_SIZE, bytes: littleEndian(ram[0].size, 8) },
    { key: FW_CFG_KEY.CPUS, bytes: littleEndian(cpus, 2) },
    { key: FW_CFG_KEY.MOST_CPUS, bytes: littleEndian(cpus, 2) },
    ...input.items,
  ].sort((a, b) => a.key - b.key);
  if (handOver !== undefined) addHandOver(files, handOver);
  const items = fwCfgItems(numbered, files);
  if (handOver !== undefined) fillOptionRom(items, handOver);
  return items;
}

function e820File(ram: readonly Span[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { start, size } of ram) writer.u64(start).u64(size).u32(E820_NUMBERS.ram);
  return writer.finish();
}

function regionFile(index: number): string {
  return `${REGION_FILES}/${String(index).padStart(4, "0")}`;
}

/** The kernel's regions as files, the ROM that copies them, and the order to start it. */
function addHandOver(files: Map<string, Uint8Array>, handOver: PlanHandOver): void {
  handOver.regions.forEach(({ content }, index) => {
    files.set(regionFile(index), content.kind === "bytes" ? content.bytes : new Uint8Array(0));
  });
  // Its size must be known for the directory; what the keys are is known only afterwards.
  files.set(
    OPTION_ROM_NAME,
    optionRom(handOver, () => 0),
  );
  files.set(FW_CFG_FILE.BOOT_ORDER, new TextEncoder().encode(`/rom@${OPTION_ROM_NAME}\n`));
}

function fillOptionRom(items: readonly FwCfgItem[], handOver: PlanHandOver): void {
  const keys = new Map(items.map(({ file, key }) => [file, key]));
  const rom = items.find(({ file }) => file === OPTION_ROM_NAME);
  rom?.bytes.set(optionRom(handOver, (file) => keys.get(file) ?? 0));
}

function optionRom({ regions, cpu }: PlanHandOver, keyOf: (file: string) => number): Uint8Array {
  const transfers = regions.map(({ start, size }, index): Transfer => {
    return { key: keyOf(regionFile(index)), address: start, size };
  });
  return buildOptionRom({ transfers, cpu, regions });
}

/** Whether a kernel's CPU state can be what a boot hands over to; for the types' sake in one place. */
export function handOverOf(regions: Region[], cpu: CpuState): PlanHandOver {
  return { regions: regions.filter(({ owner }) => owner !== OWNER), cpu };
}
