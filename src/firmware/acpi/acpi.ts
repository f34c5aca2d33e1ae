/**
 * Lays out all ACPI tables as one block of bytes for a given address, pointers filled in. Knows where nothing
 * goes; the caller claims the place.
 *
 * Specification: ACPI 6.5 §5.2.
 */
import { FACS, RSDP, TABLE_ALIGNMENT, TABLE_REVISION } from "../../spec/acpi.js";
import type { Hardware } from "../hardware.js";
import { dsdtBody } from "./dsdt.js";
import { facs, fadt, madt, rsdp, rsdt, table, xsdt } from "./tables.js";

/** One table within the block. */
export interface PlacedTable {
  /** "RSDP", "XSDT", "FACP", … */
  name: string;
  /** Guest-physical. */
  address: number;
  bytes: Uint8Array;
}

export interface AcpiTables {
  /** In the order they lie in memory; the RSDP is first, at the base. */
  tables: PlacedTable[];
  /** Everything from the base to the end of the last table. */
  bytes: Uint8Array;
}

/**
 * Builds the block for `base`, a multiple of 64 (the FACS wants it).
 * Throws RangeError for a machine without what ACPI describes in fields of its own.
 */
export function buildAcpi(base: number, hardware: Hardware): AcpiTables {
  let cursor = base + RSDP.SIZE;
  const place = (name: string, alignment: number, make: () => Uint8Array): PlacedTable => {
    const address = Math.ceil(cursor / alignment) * alignment;
    const bytes = make();
    cursor = address + bytes.length;
    return { name, address, bytes };
  };
  const placedFacs = place("FACS", FACS.ALIGNMENT, facs);
  const dsdt = place("DSDT", TABLE_ALIGNMENT, () => table("DSDT", TABLE_REVISION.DSDT, dsdtBody(hardware)));
  const placedFadt = place("FACP", TABLE_ALIGNMENT, () =>
    fadt({ facsAddress: placedFacs.address, dsdtAddress: dsdt.address, hardware }),
  );
  const placedMadt = place("APIC", TABLE_ALIGNMENT, () => madt(hardware));
  const listed = [placedFadt.address, placedMadt.address];
  const placedXsdt = place("XSDT", TABLE_ALIGNMENT, () => xsdt(listed));
  const placedRsdt = place("RSDT", TABLE_ALIGNMENT, () => rsdt(listed));
  const tables = [
    { name: "RSDP", address: base, bytes: rsdp(placedRsdt.address, placedXsdt.address) },
    placedFacs,
    dsdt,
    placedFadt,
    placedMadt,
    placedXsdt,
    placedRsdt,
  ];
  const bytes = new Uint8Array(cursor - base);
  for (const one of tables) bytes.set(one.bytes, one.address - base);
  return { tables, bytes };
}
