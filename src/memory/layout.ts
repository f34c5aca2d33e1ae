/**
 * Every guest-physical address, port and interrupt of the machine, each with its reason. The only file that
 * knows them as numbers: firmware tables, loaders and the machine all read them here. Must not know how
 * anything at an address works.
 *
 * ```
 * 0x0000_0000 ─ 0x0009_fbff   low RAM: what the loader leaves for the kernel's first instructions
 * 0x0009_fc00 ─ 0x0009_ffff   EBDA: MP floating pointer
 * 0x000a_0000 ─ 0x000d_ffff   ISA video memory and option ROMs: nothing there, not announced
 * 0x000e_0000 ─ 0x000e_ffff   RSDP and the other ACPI tables
 * 0x000f_0000 ─ 0x000f_ffff   MP configuration table
 * 0x0010_0000 ─ 0xbfff_ffff   RAM: kernel, initrd
 * 0xc000_0000 ─ 0xffff_ffff   devices
 * 0x1_0000_0000 ─             rest of RAM
 * ```
 */

/** A span of guest-physical addresses, ports or the like: first number and count. */
export interface Span {
  readonly start: number;
  readonly size: number;
}

/** Where RAM stops for devices. 1 GiB is ample and keeps the split at a 1 GiB page boundary. */
export const RAM_HOLE: Span = { start: 0xc000_0000, size: 0x4000_0000 };

/** BIOS data area: guests read the EBDA segment at 0x40e and the base memory size at 0x413. */
export const BIOS_DATA_AREA: Span = { start: 0x400, size: 0x100 };
/** Word in the BIOS data area: real-mode segment of the EBDA. */
export const BDA_EBDA_SEGMENT = 0x40e;
/** Word in the BIOS data area: KiB of memory below the EBDA. */
export const BDA_BASE_MEMORY_KIB = 0x413;

/**
 * Linux boot_params (zero page), or PVH start_info with its tables. One page at the lowest place that every
 * guest tolerates: real-mode vectors end at 0x500, NetBSD starts its other CPUs at 0x2000.
 */
export const BOOT_INFO: Span = { start: 0x6000, size: 0x1000 };
/** Descriptors for the entry state; the guest replaces them soon. */
export const GDT_AREA: Span = { start: 0x7000, size: 0x1000 };
/** A stack for entries that promise none but may be used by a careless first instruction. */
export const BOOT_STACK: Span = { start: 0x8000, size: 0x1000 };
/** Identity page tables: one PML4, one PDPT, four page directories map 4 GiB in 2 MiB pages. */
export const PAGE_TABLES_START = 0x9000;
/** Memory the identity page tables cover: everything a loader may place below 4 GiB. */
export const IDENTITY_MAP_SIZE = 0x1_0000_0000;
/** Linux setup_data records: a few hundred bytes that stay until the kernel has read them. */
export const SETUP_DATA_AREA: Span = { start: 0x1_0000, size: 0x1000 };
/** Kernel command line: 64 KiB holds every kernel's limit; low enough for 16-bit setup code. */
export const COMMAND_LINE_AREA: Span = { start: 0x2_0000, size: 0x1_0000 };
/** The last KiB of base memory, where every OS looks for the MP floating pointer ([0x40e] = 0x9fc0). */
export const EBDA: Span = { start: 0x9_fc00, size: 0x400 };
/** Not RAM on a PC; nothing is decoded here and the memory map leaves it out. */
export const ISA_HOLE: Span = { start: 0xa_0000, size: 0x4_0000 };
/** Guests search 0xe0000–0xfffff for the RSDP (ACPI 6.5 §5.2.5.1); the tables follow it. */
export const ACPI_AREA: Span = { start: 0xe_0000, size: 0x1_0000 };
/** MP configuration table; the BIOS read-only area is one of its places (MP 1.4 §4). */
export const MP_TABLE_AREA: Span = { start: 0xf_0000, size: 0x1_0000 };

/** Kernels load here or higher; also where the legacy areas end. */
export const HIGH_MEMORY_START = 0x10_0000;

/** Interrupt controllers, at the addresses that every OS assumes (MP 1.4 §3.6.5, SDM vol. 3A §10.4.1). */
export const IOAPIC_MMIO: Span = { start: 0xfec0_0000, size: 0x1000 };
export const LAPIC_MMIO: Span = { start: 0xfee0_0000, size: 0x1000 };
/** Input pins of the I/O APIC: 24, as the 82093AA has. */
export const IOAPIC_PINS = 24;

/** Ports of a PC/AT, fixed by what guests assume. */
export const PORT = {
  PIC_MASTER: { start: 0x20, size: 2 },
  PIC_SLAVE: { start: 0xa0, size: 2 },
  /** Edge/level control of the 8259 pair. */
  PIC_ELCR: { start: 0x4d0, size: 2 },
  PIT: { start: 0x40, size: 4 },
  I8042_DATA: { start: 0x60, size: 1 },
  /** System control port B: PIT channel 2 gate and speaker. */
  SYSTEM_CONTROL_B: { start: 0x61, size: 1 },
  I8042_COMMAND: { start: 0x64, size: 1 },
  RTC: { start: 0x70, size: 2 },
  /** System control port A: A20 and fast reset. */
  SYSTEM_CONTROL_A: { start: 0x92, size: 1 },
  /** The free place that test guests use for their exit device; a dword as QEMU's. */
  DEBUG_EXIT: { start: 0xf4, size: 4 },
  COM1: { start: 0x3f8, size: 8 },
  /** ACPI power management: event block, control block, timer. Above every ISA device. */
  ACPI_PM1_EVENT: { start: 0x600, size: 4 },
  ACPI_PM1_CONTROL: { start: 0x604, size: 2 },
  ACPI_PM_TIMER: { start: 0x608, size: 4 },
  /** Reset control register of Intel chip sets. */
  RESET_CONTROL: { start: 0xcf9, size: 1 },
} as const satisfies Record<string, Span>;

/** ISA interrupts. Equal to the global system interrupt except the timer's. */
export const IRQ = {
  PIT: 0,
  KEYBOARD: 1,
  COM1: 4,
  RTC: 8,
  /** ACPI system control interrupt. */
  SCI: 9,
  MOUSE: 12,
} as const;

/** The timer's pin on the I/O APIC: pin 0 carries the 8259 pair, as MP 1.4 §5.1 figures show. */
export const PIT_GSI = 2;

/** Rate of the ACPI PM timer, Hz (ACPI 6.5 §4.8.2.1). */
export const ACPI_PM_TIMER_HZ = 3_579_545;
