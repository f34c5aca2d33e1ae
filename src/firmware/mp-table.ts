/**
 * The MP floating pointer and configuration table: how systems without ACPI find CPUs and interrupt wiring
 * (R3.4). Says where nothing lies; the caller places both. Must not disagree with the MADT: both take their
 * wiring from `interrupt-routing.ts`.
 *
 * Specification: MultiProcessor Specification 1.4 §4.
 */
import { ByteWriter } from "../bytes/byte-writer.js";
import {
  IO_APIC_VERSION,
  LAPIC_VERSION,
  MP_ALL_LOCAL_APICS,
  MP_BUS_NAME_SIZE,
  MP_CONFIG,
  MP_ENTRY,
  MP_FLOATING,
  MP_INTERRUPT,
  MP_IO_APIC_ENABLED,
  MP_PROCESSOR_FLAG,
  MP_REVISION,
  MPS_INTI,
} from "../spec/mp.js";
import { seal } from "./checksum.js";
import { required, type Hardware } from "./hardware.js";
import { ioApicId, isaRoutes, otherRoutes } from "./interrupt-routing.js";

const OEM_ID = "LOCORE";
const PRODUCT_ID = "MICROVM";
const ISA_BUS = 0;

/** What the table says of the CPUs. */
export interface MpInput {
  hardware: Hardware;
  /** CPUID leaf 1 EAX and EDX: the table repeats them. */
  signature: number;
  features: number;
}

/** The 16-byte pointer that guests search for; `configAddress` is guest-physical. */
export function mpFloatingPointer(configAddress: number): Uint8Array {
  const bytes = new ByteWriter()
    .text(MP_FLOATING.SIGNATURE)
    .u32(configAddress)
    .u8(MP_FLOATING.LENGTH_UNITS)
    .u8(MP_REVISION)
    .u8(0)
    // Feature byte 1 = 0: there is a configuration table. Feature byte 2 = 0: no IMCR, virtual wire mode.
    .zeros(MP_FLOATING.FEATURE_BYTES)
    .finish();
  seal(bytes, MP_FLOATING.CHECKSUM_OFFSET);
  return bytes;
}

/** The configuration table: processors, ISA bus, I/O APIC, interrupt wiring. */
export function mpConfigTable(input: MpInput): Uint8Array {
  const entries = [
    ...processorEntries(input),
    busEntry(),
    ioApicEntry(input.hardware),
    ...interruptEntries(input.hardware),
  ];
  const length = entries.reduce<number>((sum, entry) => sum + entry.length, MP_CONFIG.HEADER_SIZE);
  const writer = new ByteWriter()
    .text(MP_CONFIG.SIGNATURE)
    .u16(length)
    .u8(MP_REVISION)
    .u8(0)
    .text(OEM_ID, MP_CONFIG.OEM_SIZE, " ")
    .text(PRODUCT_ID, MP_CONFIG.PRODUCT_SIZE, " ")
    // No OEM table: pointer and size.
    .u32(0)
    .u16(0)
    .u16(entries.length)
    .u32(required(input.hardware, "localApic"))
    // No extended entries: length, checksum, reserved.
    .u16(0)
    .u8(0)
    .u8(0);
  for (const entry of entries) writer.bytes(entry);
  const bytes = writer.finish();
  seal(bytes, MP_CONFIG.CHECKSUM_OFFSET);
  return bytes;
}

function processorEntries({ hardware, signature, features }: MpInput): Uint8Array[] {
  return Array.from({ length: hardware.cpus }, (_, id) =>
    new ByteWriter()
      .u8(MP_ENTRY.PROCESSOR)
      .u8(id)
      .u8(LAPIC_VERSION)
      .u8(MP_PROCESSOR_FLAG.ENABLED | (id === 0 ? MP_PROCESSOR_FLAG.BOOT : 0))
      .u32(signature)
      .u32(features)
      .u32(0)
      .u32(0)
      .finish(),
  );
}

function busEntry(): Uint8Array {
  return new ByteWriter().u8(MP_ENTRY.BUS).u8(ISA_BUS).text("ISA", MP_BUS_NAME_SIZE, " ").finish();
}

function ioApicEntry(hardware: Hardware): Uint8Array {
  return new ByteWriter()
    .u8(MP_ENTRY.IO_APIC)
    .u8(ioApicId(hardware.cpus))
    .u8(IO_APIC_VERSION)
    .u8(MP_IO_APIC_ENABLED)
    .u32(required(hardware, "ioApic"))
    .finish();
}

/** An interrupt of the ISA bus, and the APIC and pin that it comes to. */
interface InterruptEntry {
  entry: number;
  type: number;
  flags: number;
  irq: number;
  destination: number;
  pin: number;
}

function interruptEntry({ entry, type, flags, irq, destination, pin }: InterruptEntry): Uint8Array {
  return new ByteWriter().u8(entry).u8(type).u16(flags).u8(ISA_BUS).u8(irq).u8(destination).u8(pin).finish();
}

/** ISA lines on the I/O APIC; the 8259 pair on LINT0 and NMI on LINT1 of every CPU. */
function interruptEntries({ cpus, levelIrqs }: Hardware): Uint8Array[] {
  const io = [...isaRoutes(levelIrqs), ...otherRoutes(levelIrqs)].map((route) =>
    interruptEntry({
      ...route,
      entry: MP_ENTRY.IO_INTERRUPT,
      type: MP_INTERRUPT.INT,
      destination: ioApicId(cpus),
    }),
  );
  const local = [MP_INTERRUPT.EXT_INT, MP_INTERRUPT.NMI].map((type, pin) =>
    interruptEntry({
      entry: MP_ENTRY.LOCAL_INTERRUPT,
      type,
      flags: MPS_INTI.CONFORMS_TO_BUS,
      irq: 0,
      destination: MP_ALL_LOCAL_APICS,
      pin,
    }),
  );
  return [...io, ...local];
}
