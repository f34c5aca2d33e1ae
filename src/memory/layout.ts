/**
 * Every guest-physical address of the machine, each with its reason: loaders and parts read them here. Ports are where
 * PCs have them, `spec/pc-ports.ts`.
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
/** The generation id: a page of its own as its specification asks, away from where parts go that do not care where. */
export const GENERATION_MMIO: Span = { start: 0xfebf_f000, size: 0x1000 };
