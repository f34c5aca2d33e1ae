/**
 * Builds the fixed ACPI tables, each as bytes that may be placed anywhere: RSDP, RSDT, XSDT, FADT, FACS, MADT and the
 * header around a DSDT. What the machine has comes from its parts.
 *
 * Specification: ACPI 6.5 §5.2.
 */
import { ByteWriter } from "../../bytes/byte-writer.js";
import {
  ACCESS_SIZE,
  ADDRESS_SPACE_SYSTEM_IO,
  CMOS_CENTURY,
  FACS,
  FADT_FLAG,
  FADT_MINOR_REVISION,
  GAS_SIZE,
  IAPC_BOOT_ARCH,
  MADT,
  NO_C2_LATENCY,
  NO_C3_LATENCY,
  PM_PROFILE_ENTERPRISE_SERVER,
  RESET_VALUE_CF9,
  RSDP,
  TABLE_CHECKSUM_OFFSET,
  TABLE_HEADER_SIZE,
  TABLE_REVISION,
} from "../../spec/acpi.js";
import { MPS_INTI } from "../../spec/mp.js";
import { seal } from "../checksum.js";
import { required, type Hardware, type PowerManagement } from "../hardware.js";
import { ioApicId, isaRoutes } from "../interrupt-routing.js";

const OEM_ID = "LOCORE";
const OEM_TABLE_ID = "LOCOREVM";
const CREATOR_ID = "LOCO";
const OEM_REVISION = 1;
const LINT_NMI = 1;

/** A table with the common header; length and checksum are filled in. */
export function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const bytes = new ByteWriter()
    .text(signature)
    .u32(TABLE_HEADER_SIZE + body.length)
    .u8(revision)
    .u8(0)
    .text(OEM_ID)
    .text(OEM_TABLE_ID)
    .u32(OEM_REVISION)
    .text(CREATOR_ID)
    .u32(OEM_REVISION)
    .bytes(body)
    .finish();
  seal(bytes, TABLE_CHECKSUM_OFFSET);
  return bytes;
}

/** §5.2.5.3. Its first 20 bytes are an RSDP of ACPI 1.0 by themselves. */
export function rsdp(rsdtAddress: number, xsdtAddress: number): Uint8Array {
  const bytes = new ByteWriter()
    .text(RSDP.SIGNATURE)
    .u8(0)
    .text(OEM_ID)
    .u8(RSDP.REVISION)
    .u32(rsdtAddress)
    .u32(RSDP.SIZE)
    .u64(xsdtAddress)
    .u8(0)
    .zeros(3)
    .finish();
  seal(bytes, RSDP.CHECKSUM_OFFSET, RSDP.V1_SIZE);
  seal(bytes, RSDP.EXTENDED_CHECKSUM_OFFSET);
  return bytes;
}

/** §5.2.7: the pointers of the XSDT in 32 bits, for guests that know ACPI 1.0 only. */
export function rsdt(addresses: readonly number[]): Uint8Array {
  const body = new ByteWriter();
  for (const address of addresses) body.u32(address);
  return table("RSDT", TABLE_REVISION.RSDT, body.finish());
}

/** §5.2.8: pointers to the other tables. */
export function xsdt(addresses: readonly number[]): Uint8Array {
  const body = new ByteWriter();
  for (const address of addresses) body.u64(address);
  return table("XSDT", TABLE_REVISION.XSDT, body.finish());
}

/** §5.2.10: the waking vector and the global lock, both unused. No checksum. */
export function facs(): Uint8Array {
  const bytes = new ByteWriter()
    .text("FACS")
    .u32(FACS.SIZE)
    // Hardware signature, 32-bit waking vector, global lock, flags, 64-bit waking vector.
    .zeros(4 + 4 + 4 + 4 + 8)
    .u8(FACS.VERSION)
    .zeros(31)
    .finish();
  return bytes;
}

/** Where the FADT points. Guest-physical, below 4 GiB. */
export interface FadtInput {
  facsAddress: number;
  dsdtAddress: number;
  hardware: Hardware;
}

/** §5.2.9: fixed hardware. SMI_CMD is 0: the machine is always in ACPI mode. */
export function fadt(input: FadtInput): Uint8Array {
  const { dsdtAddress, hardware } = input;
  const pm = required(hardware, "powerManagement");
  const { resetPort } = hardware;
  const body = new ByteWriter();
  fadtAddresses(body, input, pm);
  fadtDescription(body, hardware);
  body
    .bytes(resetPort === undefined ? new Uint8Array(GAS_SIZE) : ioAddress(resetPort, 1, ACCESS_SIZE.BYTE))
    .u8(resetPort === undefined ? 0 : RESET_VALUE_CF9)
    // ARM_BOOT_ARCH
    .u16(0)
    .u8(FADT_MINOR_REVISION)
    // X_FIRMWARE_CTRL stays 0 as FIRMWARE_CTRL is used: only one of them may be set.
    .u64(0)
    .u64(dsdtAddress)
    .bytes(ioAddress(pm.event.start, pm.event.size, ACCESS_SIZE.WORD))
    .zeros(GAS_SIZE)
    .bytes(ioAddress(pm.control.start, pm.control.size, ACCESS_SIZE.WORD))
    // PM1b_CNT, PM2_CNT.
    .zeros(2 * GAS_SIZE)
    .bytes(ioAddress(pm.timer.start, pm.timer.size, ACCESS_SIZE.DWORD))
    .bytes(ioAddress(pm.general.start, pm.general.size, ACCESS_SIZE.BYTE))
    // GPE1, sleep control, sleep status, hypervisor vendor.
    .zeros(3 * GAS_SIZE)
    .u64(0);
  return table("FACP", TABLE_REVISION.FADT, body.finish());
}

/** From FIRMWARE_CTRL to GPE1_BASE. */
function fadtAddresses(
  body: ByteWriter,
  { facsAddress, dsdtAddress }: FadtInput,
  { sci, event, control, timer, general }: PowerManagement,
): void {
  body
    .u32(facsAddress)
    .u32(dsdtAddress)
    .u8(0)
    .u8(PM_PROFILE_ENTERPRISE_SERVER)
    .u16(sci)
    // SMI_CMD, ACPI_ENABLE, ACPI_DISABLE, S4BIOS_REQ, PSTATE_CNT.
    .u32(0)
    .u32(0)
    .u32(event.start)
    .u32(0)
    .u32(control.start)
    .u32(0)
    .u32(0)
    .u32(timer.start)
    .u32(general.start)
    // GPE1_BLK: the events of block 0 suffice.
    .u32(0)
    .u8(event.size)
    .u8(control.size)
    .u8(0)
    .u8(timer.size)
    .u8(general.size)
    .u8(0)
    .u8(0);
}

/** From CST_CNT to Flags. PWR_BUTTON stays clear: the power button is fixed hardware. */
function fadtDescription(body: ByteWriter, { vga = false, keyboard = false, resetPort }: Hardware): void {
  body
    .u8(0)
    .u16(NO_C2_LATENCY)
    .u16(NO_C3_LATENCY)
    // FLUSH_SIZE, FLUSH_STRIDE, DUTY_OFFSET, DUTY_WIDTH, DAY_ALRM, MON_ALRM.
    .u16(0)
    .u16(0)
    .u32(0)
    .u8(CMOS_CENTURY)
    .u16(
      IAPC_BOOT_ARCH.LEGACY_DEVICES |
        (keyboard ? IAPC_BOOT_ARCH.I8042 : 0) |
        (vga ? 0 : IAPC_BOOT_ARCH.VGA_NOT_PRESENT) |
        IAPC_BOOT_ARCH.MSI_NOT_SUPPORTED,
    )
    .u8(0)
    .u32(
      FADT_FLAG.WBINVD |
        FADT_FLAG.PROC_C1 |
        FADT_FLAG.SLP_BUTTON |
        FADT_FLAG.FIX_RTC |
        FADT_FLAG.TMR_VAL_EXT |
        (resetPort === undefined ? 0 : FADT_FLAG.RESET_REG_SUP) |
        (vga ? 0 : FADT_FLAG.HEADLESS),
    );
}

/** §5.2.3.2: a register block in I/O space. `size` in bytes. */
function ioAddress(port: number, size: number, accessSize: number): Uint8Array {
  return new ByteWriter()
    .u8(ADDRESS_SPACE_SYSTEM_IO)
    .u8(size * 8)
    .u8(0)
    .u8(accessSize)
    .u64(port)
    .finish();
}

/** §5.2.12: CPUs and interrupt controllers. */
export function madt(hardware: Hardware): Uint8Array {
  const { cpus } = hardware;
  const body = new ByteWriter().u32(required(hardware, "localApic")).u32(MADT.PCAT_COMPAT);
  for (let id = 0; id < cpus; id++) {
    body.u8(MADT.LOCAL_APIC).u8(8).u8(id).u8(id).u32(MADT.LOCAL_APIC_ENABLED);
  }
  body.u8(MADT.IO_APIC).u8(12).u8(ioApicId(cpus)).u8(0).u32(required(hardware, "ioApic")).u32(0);
  // Only what differs from "ISA interrupt n is pin n, edge, active high" (§5.2.12.5).
  for (const { irq, pin, flags } of isaRoutes(hardware.levelIrqs)) {
    if (irq === pin && flags === MPS_INTI.CONFORMS_TO_BUS) continue;
    body.u8(MADT.INTERRUPT_SOURCE_OVERRIDE).u8(10).u8(0).u8(irq).u32(pin).u16(flags);
  }
  body.u8(MADT.LOCAL_APIC_NMI).u8(6).u8(MADT.ALL_PROCESSORS).u16(MPS_INTI.CONFORMS_TO_BUS).u8(LINT_NMI);
  return table("APIC", TABLE_REVISION.MADT, body.finish());
}
