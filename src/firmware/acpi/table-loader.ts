/**
 * The ACPI tables as files that firmware places where it likes: the tables with pointers counted from the start of
 * their file, and a script ("etc/table-loader") that says what to allocate, which pointers to move and which sums to
 * renew. SeaBIOS, OVMF and QEMU share it.
 *
 * Specification: SeaBIOS src/fw/romfile_loader.h; QEMU hw/acpi/bios-linker-loader.c.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { ByteWriter } from "../../bytes/byte-writer.js";
import {
  ACPI_POINTERS,
  FACS,
  RSDP,
  TABLE_ALIGNMENT,
  TABLE_CHECKSUM_OFFSET,
  TABLE_HEADER_SIZE,
} from "../../spec/acpi.js";
import { FW_CFG_FILE, TABLE_LOADER } from "../../spec/fw-cfg.js";
import type { Hardware } from "../hardware.js";
import { buildAcpi, type AcpiTables, type PlacedTable } from "./acpi.js";

const { ACPI_RSDP, ACPI_TABLES, TABLE_LOADER: SCRIPT } = FW_CFG_FILE;

/** A pointer field inside a table. */
interface Pointer {
  offset: number;
  size: number;
}

/** The three files by name. */
export function acpiFiles(hardware: Hardware): Map<string, Uint8Array> {
  // The tables lie behind the RSDP from the first boundary that the FACS accepts; that is offset 0 of their file.
  const acpi = buildAcpi(0, hardware);
  const start = FACS.ALIGNMENT;
  const tables = acpi.bytes.slice(start);
  const anchor = acpi.bytes.slice(0, RSDP.SIZE);
  const script = new LoaderScript();
  script.allocate(ACPI_RSDP, TABLE_ALIGNMENT, TABLE_LOADER.ZONE_F_SEGMENT);
  script.allocate(ACPI_TABLES, FACS.ALIGNMENT, TABLE_LOADER.ZONE_HIGH);
  for (const { table, pointer } of pointersOf(acpi)) {
    const at = table.address + pointer.offset - start;
    rebase(tables, at, pointer.size, start);
    script.addPointer(ACPI_TABLES, ACPI_TABLES, at, pointer.size);
  }
  for (const { name, address, bytes } of acpi.tables) {
    if (name === "RSDP" || name === "FACS") continue;
    const at = address - start;
    script.addChecksum(ACPI_TABLES, at + TABLE_CHECKSUM_OFFSET, at, bytes.length);
  }
  for (const { offset, size } of [ACPI_POINTERS.RSDP_RSDT, ACPI_POINTERS.RSDP_XSDT]) {
    rebase(anchor, offset, size, start);
    script.addPointer(ACPI_RSDP, ACPI_TABLES, offset, size);
  }
  script.addChecksum(ACPI_RSDP, RSDP.CHECKSUM_OFFSET, 0, RSDP.V1_SIZE);
  script.addChecksum(ACPI_RSDP, RSDP.EXTENDED_CHECKSUM_OFFSET, 0, RSDP.SIZE);
  return new Map([
    [ACPI_RSDP, anchor],
    [ACPI_TABLES, tables],
    [SCRIPT, script.bytes()],
  ]);
}

/** Every pointer between the tables, the RSDP's own left out. */
function pointersOf({ tables }: AcpiTables): { table: PlacedTable; pointer: Pointer }[] {
  return tables.flatMap((table): { table: PlacedTable; pointer: Pointer }[] => {
    const { FADT_FACS, FADT_DSDT, FADT_X_DSDT, RSDT_ENTRY, XSDT_ENTRY } = ACPI_POINTERS;
    if (table.name === "FACP")
      return [FADT_FACS, FADT_DSDT, FADT_X_DSDT].map((pointer) => ({ table, pointer }));
    const entry = table.name === "XSDT" ? XSDT_ENTRY : table.name === "RSDT" ? RSDT_ENTRY : undefined;
    if (entry === undefined) return [];
    const entries = (table.bytes.length - TABLE_HEADER_SIZE) / entry.size;
    return Array.from({ length: entries }, (_, index) => ({
      table,
      pointer: { offset: entry.offset + index * entry.size, size: entry.size },
    }));
  });
}

/** Makes a pointer count from `start`. */
function rebase(bytes: Uint8Array, at: number, size: number, start: number): void {
  const view = new ByteView(bytes);
  if (size === 4) view.setU32(at, view.u32(at) - start);
  else view.setU64(at, view.u64(at) - BigInt(start));
}

/** Commands, one behind the other. */
class LoaderScript {
  readonly #writer = new ByteWriter();

  allocate(file: string, alignment: number, zone: number): void {
    this.#entry(TABLE_LOADER.ALLOCATE, (writer) => this.#name(writer, file).u32(alignment).u8(zone));
  }

  addPointer(file: string, target: string, offset: number, size: number): void {
    this.#entry(TABLE_LOADER.ADD_POINTER, (writer) =>
      this.#name(this.#name(writer, file), target).u32(offset).u8(size),
    );
  }

  addChecksum(file: string, offset: number, start: number, length: number): void {
    this.#entry(TABLE_LOADER.ADD_CHECKSUM, (writer) =>
      this.#name(writer, file).u32(offset).u32(start).u32(length),
    );
  }

  bytes(): Uint8Array {
    return this.#writer.finish();
  }

  #name(writer: ByteWriter, file: string): ByteWriter {
    return writer.text(file, TABLE_LOADER.NAME_SIZE);
  }

  #entry(command: number, fields: (writer: ByteWriter) => unknown): void {
    const start = this.#writer.length;
    fields(this.#writer.u32(command));
    this.#writer.zeros(start + TABLE_LOADER.ENTRY_SIZE - this.#writer.length);
  }
}
