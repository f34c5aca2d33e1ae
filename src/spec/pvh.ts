/**
 * Structures of the PVH boot protocol. Numbers only.
 *
 * Specification: Xen docs/misc/pvh.pandoc, xen/include/public/arch-x86/hvm/start_info.h (version 1).
 */

export const START_INFO = {
  MAGIC: 0x336e_c578,
  /** The highest there is: with a memory map. */
  VERSION: 1,
  /** Bytes by version: the fields of the memory map came with version 1. */
  SIZE: { 0: 40, 1: 56 },
  OFFSET: {
    MAGIC: 0,
    VERSION: 4,
    FLAGS: 8,
    NR_MODULES: 12,
    MODLIST_PADDR: 16,
    CMDLINE_PADDR: 24,
    RSDP_PADDR: 32,
    MEMMAP_PADDR: 40,
    MEMMAP_ENTRIES: 48,
  },
} as const;

/** hvm_modlist_entry: four u64. */
export const MODLIST_ENTRY = { SIZE: 32, OFFSET: { PADDR: 0, SIZE: 8, CMDLINE_PADDR: 16 } } as const;

/** hvm_memmap_table_entry: u64 address, u64 size, u32 type, u32 reserved. Types are e820's. */
export const MEMMAP_ENTRY = { SIZE: 24, OFFSET: { ADDR: 0, SIZE: 8, TYPE: 16 } } as const;
