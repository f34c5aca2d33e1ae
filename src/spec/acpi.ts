/**
 * Numbers of the ACPI tables and of AML that our firmware uses. Numbers only.
 *
 * Specification: ACPI 6.5 §5.2 (tables), §4.8 (fixed hardware), §6.4 (resources), §20.2 (AML).
 */

/** §5.2.6: bytes of the header that every table but RSDP and FACS starts with, and where its checksum is. */
export const TABLE_HEADER_SIZE = 36;
export const TABLE_CHECKSUM_OFFSET = 9;
export const TABLE_LENGTH_OFFSET = 4;

/** §5.2.5.3. The first checksum covers the 20 bytes of ACPI 1.0, the second all. */
export const RSDP = {
  SIGNATURE: "RSD PTR ",
  SIZE: 36,
  V1_SIZE: 20,
  CHECKSUM_OFFSET: 8,
  EXTENDED_CHECKSUM_OFFSET: 32,
  REVISION: 2,
} as const;

/** Where the tables point at others, and the size of each pointer: for firmware that moves them. */
export const ACPI_POINTERS = {
  RSDP_RSDT: { offset: 16, size: 4 },
  RSDP_XSDT: { offset: 24, size: 8 },
  FADT_FACS: { offset: 36, size: 4 },
  FADT_DSDT: { offset: 40, size: 4 },
  FADT_X_DSDT: { offset: 140, size: 8 },
  RSDT_ENTRY: { offset: 36, size: 4 },
  XSDT_ENTRY: { offset: 36, size: 8 },
} as const;

/** Revisions of the tables as ACPI 6.5 lists them. */
export const TABLE_REVISION = { RSDT: 1, XSDT: 1, FADT: 6, MADT: 6, DSDT: 2 } as const;
export const FADT_MINOR_REVISION = 5;

/** §5.2.10: the FACS is 64 bytes long and aligned to 64. */
export const FACS = { SIZE: 64, ALIGNMENT: 64, VERSION: 2 } as const;
/** Alignment of the other tables: guests read them as structures. */
export const TABLE_ALIGNMENT = 16;

/** §5.2.9.1, Preferred_PM_Profile. */
export const PM_PROFILE_ENTERPRISE_SERVER = 4;

/** §5.2.9, Flags. */
export const FADT_FLAG = {
  /** WBINVD works. */
  WBINVD: 1 << 0,
  /** HLT is C1 on every CPU. */
  PROC_C1: 1 << 2,
  /** No fixed-hardware sleep button. */
  SLP_BUTTON: 1 << 5,
  /** RTC wake status is not in fixed registers. */
  FIX_RTC: 1 << 6,
  /** The PM timer has 32 bits. */
  TMR_VAL_EXT: 1 << 8,
  RESET_REG_SUP: 1 << 10,
  HEADLESS: 1 << 12,
} as const;

/** §5.2.9.3, IAPC_BOOT_ARCH. */
export const IAPC_BOOT_ARCH = {
  LEGACY_DEVICES: 1 << 0,
  I8042: 1 << 1,
  VGA_NOT_PRESENT: 1 << 2,
  MSI_NOT_SUPPORTED: 1 << 3,
  CMOS_RTC_NOT_PRESENT: 1 << 5,
} as const;

/** §5.2.9: latencies above these say that C2 and C3 do not exist. */
export const NO_C2_LATENCY = 101;
export const NO_C3_LATENCY = 1001;

/** §5.2.3.2, Generic Address Structure. */
export const GAS_SIZE = 12;
export const ADDRESS_SPACE_SYSTEM_IO = 1;
export const ACCESS_SIZE = { UNDEFINED: 0, BYTE: 1, WORD: 2, DWORD: 3 } as const;

/** §5.2.12. */
export const MADT = {
  PCAT_COMPAT: 1,
  LOCAL_APIC: 0,
  IO_APIC: 1,
  INTERRUPT_SOURCE_OVERRIDE: 2,
  LOCAL_APIC_NMI: 4,
  LOCAL_APIC_ENABLED: 1,
  ALL_PROCESSORS: 0xff,
} as const;

/** Value of SLP_TYP for S5: what `_S5` gives and PM1a_CNT takes (§4.8.3.2.1). Any number of 3 bits would do. */
export const SLP_TYP_S5 = 5;

/** Value for the reset register: 0xcf9 takes bit 1 (system reset) and bit 2 (do it). */
export const RESET_VALUE_CF9 = 6;

/** CMOS index of the century, FADT field CENTURY. */
export const CMOS_CENTURY = 0x32;

/** AML opcodes, §20.2. Two-byte ones start with EXT_PREFIX. */
export const AML = {
  ZERO: 0x00,
  ONE: 0x01,
  NAME: 0x08,
  BYTE_PREFIX: 0x0a,
  WORD_PREFIX: 0x0b,
  DWORD_PREFIX: 0x0c,
  STRING_PREFIX: 0x0d,
  QWORD_PREFIX: 0x0e,
  SCOPE: 0x10,
  BUFFER: 0x11,
  PACKAGE: 0x12,
  METHOD: 0x14,
  ROOT_CHAR: 0x5c,
  DUAL_NAME_PREFIX: 0x2e,
  MULTI_NAME_PREFIX: 0x2f,
  NOTIFY: 0x86,
  EXT_PREFIX: 0x5b,
  DEVICE: 0x82,
} as const;

/** Small resource descriptors, §6.4.2: tag byte with the length in its low bits. */
export const RESOURCE = {
  IRQ_NO_FLAGS: 0x22,
  IO_PORT: 0x47,
  IO_DECODE_16: 1,
  END_TAG: 0x79,
  /** Memory32Fixed: length 9; the flag says that it may be written. */
  MEMORY_32_FIXED: 0x86,
  MEMORY_32_FIXED_LENGTH: 9,
  WRITABLE: 1,
  /** Extended interrupt descriptor (§6.4.3.6): length of one with one interrupt; consumer, and its flags. */
  EXTENDED_INTERRUPT: 0x89,
  EXTENDED_INTERRUPT_LENGTH: 6,
  INTERRUPT_CONSUMER: 1,
  INTERRUPT_EDGE: 2,
} as const;
