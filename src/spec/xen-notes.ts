/**
 * ELF notes of the owner "Xen", by which a kernel describes how it wants to be entered. Source: Xen,
 * xen/include/public/elfnote.h; docs/misc/pvh.pandoc for PHYS32_ENTRY. Holds numbers only.
 */

/** Owner name in the note, without its NUL. */
export const XEN_NOTE_OWNER = "Xen";

/** Note types. */
export const XEN_ELFNOTE = {
  INFO: 0,
  ENTRY: 1,
  HYPERCALL_PAGE: 2,
  VIRT_BASE: 3,
  PADDR_OFFSET: 4,
  XEN_VERSION: 5,
  GUEST_OS: 6,
  GUEST_VERSION: 7,
  LOADER: 8,
  PAE_MODE: 9,
  FEATURES: 10,
  BSD_SYMTAB: 11,
  HV_START_LOW: 12,
  L1_MFN_VALID: 13,
  SUSPEND_CANCEL: 14,
  INIT_P2M: 15,
  MOD_START_PFN: 16,
  SUPPORTED_FEATURES: 17,
  PHYS32_ENTRY: 18,
  PHYS32_RELOC: 19,
} as const;

/** Types whose descriptor is text; the others hold numbers. */
export const XEN_TEXT_NOTES: ReadonlySet<number> = new Set([
  XEN_ELFNOTE.XEN_VERSION,
  XEN_ELFNOTE.GUEST_OS,
  XEN_ELFNOTE.GUEST_VERSION,
  XEN_ELFNOTE.LOADER,
  XEN_ELFNOTE.PAE_MODE,
  XEN_ELFNOTE.FEATURES,
  XEN_ELFNOTE.BSD_SYMTAB,
]);
