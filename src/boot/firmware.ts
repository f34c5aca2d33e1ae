/**
 * What a firmware leaves behind for any kernel: real-mode vectors, BIOS data area, MP table, ACPI tables, memory-type ranges. Claims
 * the places before any loader runs. Knows no loader.
 */
import {
  MTRR,
  MSR_IA32_MTRR_DEF_TYPE,
  MSR_IA32_MTRR_PHYSBASE0,
  MSR_IA32_MTRR_PHYSMASK0,
} from "../spec/x86-msr.js";
import { buildAcpi } from "../firmware/acpi/acpi.js";
import type { Hardware } from "../firmware/hardware.js";
import { realModeData } from "../firmware/bios-data-area.js";
import { mpConfigTable, mpFloatingPointer } from "../firmware/mp-table.js";
import { ACPI_AREA, EBDA, ISA_HOLE, MP_TABLE_AREA, RAM_HOLE, REAL_MODE_DATA } from "../memory/layout.js";
import type { RegionMap } from "../memory/regions.js";
import { LEAF } from "../spec/cpuid.js";
import type { CpuidLeaf } from "../x86/cpuid.js";
import { lookUpCpuid, physicalAddressBits } from "../x86/cpuid-table.js";

const OWNER = "firmware";

/** Guest-physical addresses by name: "MP floating pointer", "RSDP" if there is one, … */
export type TableAddresses = Record<string, number>;

/** Claims and fills the firmware's regions; returns where the tables are. */
export function placeFirmware(
  memory: RegionMap,
  hardware: Hardware,
  cpuid: readonly CpuidLeaf[],
): TableAddresses {
  const version = lookUpCpuid(cpuid, LEAF.VERSION, 0);
  const acpi = hardware.acpi === false ? undefined : buildAcpi(ACPI_AREA.start, hardware);
  const config = mpConfigTable({ hardware, signature: version.eax, features: version.edx });
  // Guests expect base memory to begin at 0, so this stays RAM in the map although they should not touch it.
  claim(memory, REAL_MODE_DATA, "vectors and bios data area", "ram", realModeData());
  claim(memory, EBDA, "ebda", "reserved", mpFloatingPointer(MP_TABLE_AREA.start));
  memory.claimHole({ name: "isa hole", owner: OWNER, start: ISA_HOLE.start, size: ISA_HOLE.size });
  if (acpi !== undefined)
    claim(memory, { start: ACPI_AREA.start, size: acpi.bytes.length }, "acpi tables", "reserved", acpi.bytes);
  claim(memory, { start: MP_TABLE_AREA.start, size: config.length }, "mp table", "reserved", config);
  // Kernels linked to begin at 1 MiB may have a page with their headers right below it: what tables leave is theirs.
  for (const area of [ACPI_AREA, MP_TABLE_AREA])
    memory.setAside({ name: "bios area", ...area, e820: "reserved" });
  return {
    ...Object.fromEntries((acpi?.tables ?? []).map(({ name, address }) => [name, address])),
    "MP floating pointer": EBDA.start,
    "MP configuration table": MP_TABLE_AREA.start,
  };
}

function claim(
  memory: RegionMap,
  { start, size }: { start: number; size: number },
  name: string,
  e820: "ram" | "reserved",
  bytes: Uint8Array,
): void {
  memory.claimAt(start, { name, owner: OWNER, size, e820, bytes });
}

/**
 * Memory types as a firmware sets them: everything write-back, the device hole uncacheable. Without them Linux
 * takes memory typing to be off and gives up page attributes as well.
 */
export function firmwareMsrs(cpuid: readonly CpuidLeaf[]): Record<number, bigint> {
  const addressMask = (1n << BigInt(physicalAddressBits(cpuid))) - 1n;
  const rangeMask = addressMask & ~(BigInt(RAM_HOLE.size) - 1n);
  return {
    [MSR_IA32_MTRR_PHYSBASE0]: BigInt(RAM_HOLE.start) | MTRR.TYPE_UNCACHEABLE,
    [MSR_IA32_MTRR_PHYSMASK0]: rangeMask | MTRR.PHYSMASK_VALID,
    [MSR_IA32_MTRR_DEF_TYPE]: MTRR.DEF_TYPE_ENABLE | MTRR.TYPE_WRITE_BACK,
  };
}
