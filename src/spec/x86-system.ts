/**
 * Sizes of what the system side of an x86 CPU reads from memory: pages, paging structures, descriptors. The bits in them
 * are in `x86-privileged.ts`, model-specific registers in `x86-msr.ts`.
 *
 * Specification: Intel SDM vol. 3A §3.4.5 (descriptors), §4.5 (4-level paging).
 */

/** Bytes of one GDT entry; system descriptors take two in long mode. */
export const DESCRIPTOR_SIZE = 8;

export const SHIFT_4K = 12;
export const SIZE_4K = 2 ** SHIFT_4K;
export const SIZE_2M = 0x20_0000;
export const SIZE_1G = 0x4000_0000;

/** Entries of one paging structure. */
export const PAGE_TABLE_ENTRIES = 512;
