/**
 * Every guest-physical address, port and interrupt of the machine, each with its reason. The only file that
 * knows them as numbers: firmware tables, loaders and the machine all read them here. Must not know how
 * anything at an address works.
 *
 * ```
 * 0x0000_0000 ─ 0x0009_fbff   low RAM: what the loader leaves for the kernel's first instructions
 * 0x0009_fc00 ─ 0x0009_ffff   EBDA: MP floating pointer
 * 0x000a_0000 ─ 0x000d_ffff   ISA video memory and option ROMs: not announced; RAM, which a VGA shows
 * 0x000e_0000 ─ 0x000e_ffff   RSDP and the other ACPI tables
 * 0x000f_0000 ─ 0x000f_ffff   MP configuration table
 * 0x0010_0000 ─ 0xbfff_ffff   RAM: kernel, initrd
 * 0xc000_0000 ─ 0xffff_ffff   devices
 * 0x1_0000_0000 ─             rest of RAM
 * ```
 */
import { ISA_IRQ, PC_PORTS } from "../spec/pc-ports.js";

/** A span of guest-physical addresses, ports or the like: first number and count. */
export interface Span {
  readonly start: number;
  readonly size: number;
}

/** Where RAM stops for devices. 1 GiB is ample and keeps the split at a 1 GiB page boundary. */
export const RAM_HOLE: Span = { start: 0xc000_0000, size: 0x4000_0000 };

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
/** What a VGA decodes; here it is RAM that the screen is read from. */
export const VGA_MEMORY: Span = { start: 0xa_0000, size: 0x2_0000 };
/** Guests search 0xe0000–0xfffff for the RSDP (ACPI 6.5 §5.2.5.1); the tables follow it. */
export const ACPI_AREA: Span = { start: 0xe_0000, size: 0x1_0000 };
/** MP configuration table; the BIOS read-only area is one of its places (MP 1.4 §4). */
export const MP_TABLE_AREA: Span = { start: 0xf_0000, size: 0x1_0000 };

/** Kernels load here or higher; also where the legacy areas end. */
export const HIGH_MEMORY_START = 0x10_0000;

/** Firmware images end where the address space below 4 GiB ends: the reset vector is 16 bytes below it. */
export const ROM_END = 0x1_0000_0000;
/**
 * The last 256 KiB of the firmware are also here, where real mode sees them. A PC has PAM registers that let firmware
 * copy itself; this machine has none: it is RAM and filled before the first instruction. Option ROMs go there too.
 */
export const BIOS_SHADOW: Span = { start: 0xc_0000, size: 0x4_0000 };
/** Vectors, and BIOS data area: guests read the EBDA segment at 0x40e and the base memory size at 0x413. */
export const REAL_MODE_DATA: Span = { start: 0, size: 0x500 };
/** SeaBIOS keeps tables at the end of RAM below 4 GiB, at most this much (its BUILD_MAX_HIGHTABLE). */
export const BIOS_HIGH_TABLES_SIZE = 0x4_0000;
/** Real-mode kernel code, its heap and stack: 64 KiB that no other area needs. */
export const SETUP_CODE_AREA: Span = { start: 0x3_0000, size: 0x1_0000 };
/**
 * The same for kernels that must have it here (boot protocol before 2.02, zImage): up to what is left free below the
 * EBDA of firmware, heap and command line included.
 */
export const OLD_SETUP_CODE_AREA: Span = { start: 0x9_0000, size: 0xa000 };

/** Interrupt controllers, at the addresses that every OS assumes (MP 1.4 §3.6.5, SDM vol. 3A §10.4.1). */
export const IOAPIC_MMIO: Span = { start: 0xfec0_0000, size: 0x1000 };
export const LAPIC_MMIO: Span = { start: 0xfee0_0000, size: 0x1000 };

/** Ports: those of a PC/AT, which guests assume, and three blocks that ACPI announces. */
export const PORT = {
  PIC_MASTER: PC_PORTS.picMaster,
  PIC_SLAVE: PC_PORTS.picSlave,
  /** Edge/level control of the 8259 pair. */
  PIC_ELCR: PC_PORTS.elcr,
  PIT: PC_PORTS.pit,
  I8042_DATA: PC_PORTS.keyboardData,
  /** System control port B: PIT channel 2 gate and speaker. */
  SYSTEM_CONTROL_B: PC_PORTS.systemControlB,
  I8042_COMMAND: PC_PORTS.keyboardCommand,
  RTC: PC_PORTS.rtc,
  /** System control port A: A20 and fast reset. */
  SYSTEM_CONTROL_A: PC_PORTS.systemControlA,
  /** The two places that test guests use for their exit device. */
  DEBUG_EXIT: PC_PORTS.debugExit,
  DEBUG_EXIT_ALIAS: PC_PORTS.debugExitAlias,
  /** Bochs' display interface, the VGA's three blocks: only on a machine with a screen. */
  BOCHS_DISPLAY: PC_PORTS.bochsDisplay,
  VGA: PC_PORTS.vga,
  VGA_CRTC: PC_PORTS.vgaCrtc,
  VGA_STATUS: PC_PORTS.vgaStatus,
  COM1: PC_PORTS.com1,
  /** What firmware asks: its log, its configuration. Only on a machine with firmware. */
  DEBUG_CONSOLE: PC_PORTS.debugConsole,
  FW_CFG: PC_PORTS.fwCfg,
  FW_CFG_DMA: PC_PORTS.fwCfgDma,
  /** ACPI power management: event block, control block, timer. Above every ISA device. */
  ACPI_PM1_EVENT: { start: 0x600, size: 4 },
  ACPI_PM1_CONTROL: { start: 0x604, size: 2 },
  ACPI_PM_TIMER: { start: 0x608, size: 4 },
  /** Reset control register of Intel chip sets. */
  RESET_CONTROL: PC_PORTS.resetControl,
} as const satisfies Record<string, Span>;

/** ISA interrupts. Equal to the global system interrupt except the timer's. */
export const IRQ = {
  PIT: ISA_IRQ.pit,
  KEYBOARD: ISA_IRQ.keyboard,
  COM1: ISA_IRQ.com1,
  RTC: ISA_IRQ.rtc,
  /** ACPI system control interrupt. */
  SCI: ISA_IRQ.sci,
  MOUSE: ISA_IRQ.mouse,
} as const;

/** The timer's pin on the I/O APIC: pin 0 carries the 8259 pair, as MP 1.4 §5.1 figures show. */
export const PIT_GSI = 2;
