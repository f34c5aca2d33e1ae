/**
 * Numbers of the MultiProcessor Specification 1.4 §4. Numbers only.
 */

/** §4.1, floating pointer structure. */
export const MP_FLOATING = {
  SIGNATURE: "_MP_",
  SIZE: 16,
  /** Length in 16-byte units. */
  LENGTH_UNITS: 1,
  CHECKSUM_OFFSET: 10,
  FEATURE_BYTES: 5,
} as const;

/** Version 1.4 as both structures spell it. */
export const MP_REVISION = 4;

/** §4.2, configuration table header. */
export const MP_CONFIG = {
  SIGNATURE: "PCMP",
  HEADER_SIZE: 44,
  LENGTH_OFFSET: 4,
  CHECKSUM_OFFSET: 7,
  OEM_SIZE: 8,
  PRODUCT_SIZE: 12,
} as const;

/** §4.3, entry types. */
export const MP_ENTRY = { PROCESSOR: 0, BUS: 1, IO_APIC: 2, IO_INTERRUPT: 3, LOCAL_INTERRUPT: 4 } as const;
export const MP_PROCESSOR_FLAG = { ENABLED: 1, BOOT: 2 } as const;
export const MP_IO_APIC_ENABLED = 1;
export const MP_BUS_NAME_SIZE = 6;

/** §4.3.4, interrupt types. */
export const MP_INTERRUPT = { INT: 0, NMI: 1, SMI: 2, EXT_INT: 3 } as const;
export const MP_ALL_LOCAL_APICS = 0xff;

/** Polarity (1:0) and trigger mode (3:2) of §4.3.4; the ACPI MADT uses the same (§5.2.12.5). */
export const MPS_INTI = {
  CONFORMS_TO_BUS: 0,
  ACTIVE_HIGH: 1,
  ACTIVE_LOW: 3,
  EDGE: 1 << 2,
  LEVEL: 3 << 2,
} as const;

/** Versions that the interrupt controllers' own registers show: integrated LAPIC 0x14, 82093AA 0x20 for 24 pins. */
export const LAPIC_VERSION = 0x14;
export const IO_APIC_VERSION = 0x20;
