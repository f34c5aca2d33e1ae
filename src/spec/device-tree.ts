/**
 * Numbers of the flattened device tree and of U-Boot's FIT, which is one. Sources: Devicetree Specification 0.4 §5.2
 * (header), §5.4 (structure block); U-Boot doc/usage/fit/source_file_format.rst. Holds numbers only.
 */

/** Header: big-endian 32-bit words at these offsets (§5.2). */
export const FDT_HEADER = {
  MAGIC: 0,
  TOTALSIZE: 4,
  OFF_DT_STRUCT: 8,
  OFF_DT_STRINGS: 12,
  OFF_MEM_RSVMAP: 16,
  VERSION: 20,
  LAST_COMP_VERSION: 24,
  BOOT_CPUID_PHYS: 28,
  SIZE_DT_STRINGS: 32,
  SIZE_DT_STRUCT: 36,
  SIZE: 40,
} as const;
/** The version that is read; every writer since 2006 makes it. */
export const FDT_VERSION = 17;
/** Highest last_comp_version that such a reader understands. */
export const FDT_LAST_COMPATIBLE = 16;
/** Structure block tokens (§5.4.1), each at a multiple of 4. */
export const FDT_TOKEN = { BEGIN_NODE: 1, END_NODE: 2, PROP: 3, NOP: 4, END: 9 } as const;
export const FDT_TOKEN_SIZE = 4;
/** Longest property name (§2.2.4) is 31; U-Boot and Linux have longer ones. */
export const FDT_LONGEST_NAME = 256;

/** A FIT's nodes and properties. */
export const FIT = {
  IMAGES: "images",
  CONFIGURATIONS: "configurations",
  DEFAULT: "default",
  DESCRIPTION: "description",
  TIMESTAMP: "timestamp",
  TYPE: "type",
  ARCH: "arch",
  OS: "os",
  COMPRESSION: "compression",
  LOAD: "load",
  ENTRY: "entry",
  DATA: "data",
  /** External data: its place in the file, or counted from the end of the tree rounded up to 4. */
  DATA_POSITION: "data-position",
  DATA_OFFSET: "data-offset",
  DATA_SIZE: "data-size",
  ALGORITHM: "algo",
  VALUE: "value",
} as const;
/** How nodes that hold digests are named: "hash-1", "hash@1". */
export const FIT_HASH_NODE = /^hash([-@].*)?$/;
