/**
 * By what files of unikernels are known. Sources: Solo5 include/elf_abi.h, include/mft_abi.h; Hermit's hermit-entry src/lib.rs,
 * src/note.rs; Unikraft plat/common/bootinfo.lds.S, plat/kvm/x86/{lxboot,multiboot}.S. Holds numbers only.
 */

/** Solo5's notes: which tender the file is for, and the devices that it wants. */
export const SOLO5_NOTE = {
  OWNER: "Solo5",
  /** "ABI1". */
  ABI: 0x3149_4241,
  /** "MFT1". */
  MANIFEST: 0x3154_464d,
} as const;
/** Solo5's targets by their numbers in the ABI note. */
export const SOLO5_TARGETS = { 1: "hvt", 2: "spt", 3: "virtio", 4: "muen", 5: "genode", 6: "xen" } as const;
/** Offsets in the ABI note's descriptor. */
export const SOLO5_ABI = { TARGET: 0, VERSION: 4, SIZE: 16 } as const;
/** The versions that tenders of today take, and the lowest address that they load to. */
export const SOLO5_TENDER = { HVT_VERSION: 2, SPT_VERSION: 2, LOWEST: 0x10_0000, PAGE: 0x1000 } as const;
/** The manifest, behind padding to 8 bytes in the file: its head, an entry, and what entries are. */
export const SOLO5_MANIFEST = {
  PADDING: 4,
  COUNT: 4,
  ENTRIES: 8,
  ENTRY_SIZE: 104,
  NAME_SIZE: 68,
  TYPE: 68,
  MOST: 64,
  TYPES: { 1: "block", 2: "net" },
} as const;

/** Hermit's notes: the interface of its entry (one byte), and the system's number in GNU's ABI tag. */
export const HERMIT_NOTE = { OWNER: "HERMIT", ENTRY_VERSION: 0x5a00 } as const;
export const GNU_ABI_TAG = { OWNER: "GNU", TYPE: 1, HERMIT: 6, SIZE: 16 } as const;

/** The section that every image of Unikraft has, whatever it is built for. */
export const UNIKRAFT_SECTION = ".uk_bootinfo";
/** What the first instruction at each of its entries compares with: a setup header's magic number, Multiboot's. */
export const UNIKRAFT_ENTRY_CODE = {
  /** cmp dword [rsi + disp32], imm32. */
  LINUX: { opcode: [0x81, 0xbe], valueAt: 6, value: 0x5372_6448 },
  /** cmp eax, imm32. */
  MULTIBOOT: { opcode: [0x3d], valueAt: 1, value: 0x2bad_b002 },
} as const;
