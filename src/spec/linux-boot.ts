/**
 * Numbers of the Linux/x86 boot protocol, versions 2.00 to 2.15: the setup header and kernel_info.
 * Source: Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header", "Details of Header Fields",
 * "The kernel_info"; flag names from arch/x86/include/uapi/asm/bootparam.h. Holds numbers only.
 */

/** boot.rst: "a sector refers to 512 bytes". */
export const SECTOR_SIZE = 512;
/** boot_flag, "the closest thing old Linux kernels have to a magic number". */
export const BOOT_FLAG = 0xaa55;
/** Magic at `header`. */
export const HEADER_MAGIC = "HdrS";
/** First byte of `jump`: JMP rel8; its operand gives the end of the header, counted from HEADER_OFFSET. */
export const JUMP_OPCODE = 0xeb;
/** Offset of `setup_sects`, where the header starts. */
export const SETUP_HEADER_START = 0x1f1;
export const BOOT_FLAG_OFFSET = 0x1fe;
export const JUMP_OFFSET = 0x200;
/** Offset of `header`: `jump` counts from here, `kernel_version` from JUMP_OFFSET. */
export const HEADER_OFFSET = 0x202;
/** The value meant by setup_sects = 0. */
export const DEFAULT_SETUP_SECTS = 4;
/** Unit of `syssize`: a paragraph. */
export const PARAGRAPH = 16;
/** Where protected-mode code goes by default: bzImage (LOADED_HIGH set) and zImage. */
export const BZIMAGE_LOAD_ADDRESS = 0x100000;
export const ZIMAGE_LOAD_ADDRESS = 0x10000;
/** The 64-bit entry point lies this far into the protected-mode code (XLF_KERNEL_64). */
export const ENTRY_64_OFFSET = 0x200;
/** "Running the Kernel": CS is this many paragraphs above the set-up segment. */
export const SETUP_CS_OFFSET = 0x20;
/** "Sample Boot Configuration": where heap and stack end, for 2.02 and later with LOADED_HIGH, and for others. */
export const SETUP_HEAP_END = { HIGH: 0xe000, LOW: 0x9800 } as const;
/** "The Kernel Command Line", before 2.02: magic and offset in the boot sector. */
export const COMMAND_LINE_MAGIC_OFFSET = 0x20;
export const COMMAND_LINE_OFFSET_OFFSET = 0x22;
export const COMMAND_LINE_MAGIC = 0xa33f;
/** What protocols before 2.03 and before 2.06 imply. */
export const DEFAULT_INITRD_ADDR_MAX = 0x37ff_ffff;
export const DEFAULT_CMDLINE_SIZE = 255;

/** Protocol versions from which something changes, as `version` spells them. */
export const PROTOCOL = {
  V2_00: 0x0200,
  V2_01: 0x0201,
  V2_02: 0x0202,
  V2_03: 0x0203,
  V2_04: 0x0204,
  V2_05: 0x0205,
  V2_06: 0x0206,
  V2_07: 0x0207,
  V2_08: 0x0208,
  V2_09: 0x0209,
  V2_10: 0x020a,
  V2_11: 0x020b,
  V2_12: 0x020c,
  V2_13: 0x020d,
  V2_15: 0x020f,
} as const;

/** No protocol 3.0 exists; later 2.x are read as the newest one known, which they extend. */
export const PROTOCOL_END = 0x0300;

/** `loadflags` bits. */
export const LOADFLAGS = {
  LOADED_HIGH: 0x01,
  KASLR_FLAG: 0x02,
  QUIET_FLAG: 0x20,
  KEEP_SEGMENTS: 0x40,
  CAN_USE_HEAP: 0x80,
} as const;

/** `xloadflags` bits. */
export const XLOADFLAGS = {
  XLF_KERNEL_64: 0x01,
  XLF_CAN_BE_LOADED_ABOVE_4G: 0x02,
  XLF_EFI_HANDOVER_32: 0x04,
  XLF_EFI_HANDOVER_64: 0x08,
  XLF_EFI_KEXEC: 0x10,
  XLF_5LEVEL: 0x20,
  XLF_5LEVEL_ENABLED: 0x40,
  XLF_MEM_ENCRYPTION: 0x80,
} as const;

/** kernel_info: magic and offsets of its fixed fields. */
export const KERNEL_INFO = {
  MAGIC: "LToP",
  SIZE: 0x4,
  SIZE_TOTAL: 0x8,
  SETUP_TYPE_MAX: 0xc,
  MIN_SIZE: 0x10,
} as const;

/** One field of the setup header. */
export interface SetupFieldSpec {
  /** As boot.rst names it. */
  readonly name: string;
  /** File offset, which is also the offset in struct boot_params. */
  readonly offset: number;
  /** Bytes. */
  readonly size: 1 | 2 | 4 | 8;
  /** First protocol version that has it; 0 when every kernel has it. */
  readonly since: number;
  /** Who uses it: the loader reads it, writes it, or reads and modifies it. */
  readonly use: "read" | "write" | "modify" | "internal";
  readonly meaning: string;
}

const { V2_00, V2_01, V2_02, V2_03, V2_05, V2_06, V2_07, V2_08, V2_09, V2_10, V2_11, V2_12, V2_15 } =
  PROTOCOL;

function field<N extends string, S extends 1 | 2 | 4 | 8>(
  name: N,
  [offset, size]: readonly [offset: number, size: S],
  since: number,
  use: SetupFieldSpec["use"],
  meaning: string,
): SetupFieldSpec & { readonly name: N; readonly size: S } {
  return { name, offset, size, since, use, meaning };
}

/** Every field, in file order (boot.rst, the table of "The Real-Mode Kernel Header"). */
export const SETUP_FIELDS = [
  field("setup_sects", [0x1f1, 1], 0, "read", "size of the setup code in sectors; 0 means 4"),
  field("root_flags", [0x1f2, 2], 0, "modify", "non-zero: the root is mounted read-only"),
  field("syssize", [0x1f4, 4], 0, "read", "size of the protected-mode code in 16-byte paragraphs"),
  field("ram_size", [0x1f8, 2], 0, "internal", "obsolete"),
  field("vid_mode", [0x1fa, 2], 0, "modify", "video mode"),
  field("root_dev", [0x1fc, 2], 0, "modify", "default root device number"),
  field("boot_flag", [0x1fe, 2], 0, "read", "magic 0xaa55"),
  field("jump", [0x200, 2], V2_00, "read", "jump over the header; gives its length"),
  field("header", [0x202, 4], V2_00, "read", "magic HdrS"),
  field("version", [0x206, 2], V2_00, "read", "boot protocol version, major << 8 | minor"),
  field("realmode_swtch", [0x208, 4], V2_00, "modify", "boot loader hook"),
  field("start_sys_seg", [0x20c, 2], V2_00, "read", "load-low segment, obsolete"),
  field("kernel_version", [0x20e, 2], V2_00, "read", "offset of the version string, less 0x200"),
  field("type_of_loader", [0x210, 1], V2_00, "write", "boot loader identifier"),
  field("loadflags", [0x211, 1], V2_00, "modify", "option flags"),
  field("setup_move_size", [0x212, 2], V2_00, "modify", "bytes to move to high memory (2.00 and 2.01)"),
  field("code32_start", [0x214, 4], V2_00, "modify", "32-bit entry point and default load address"),
  field("ramdisk_image", [0x218, 4], V2_00, "write", "initrd address"),
  field("ramdisk_size", [0x21c, 4], V2_00, "write", "initrd size"),
  field("bootsect_kludge", [0x220, 4], V2_00, "internal", "obsolete"),
  field("heap_end_ptr", [0x224, 2], V2_01, "write", "end of the setup heap, less 0x200"),
  field("ext_loader_ver", [0x226, 1], V2_02, "write", "extended boot loader version"),
  field("ext_loader_type", [0x227, 1], V2_02, "write", "extended boot loader identifier"),
  field("cmd_line_ptr", [0x228, 4], V2_02, "write", "address of the command line"),
  field("initrd_addr_max", [0x22c, 4], V2_03, "read", "highest address an initrd may occupy"),
  field("kernel_alignment", [0x230, 4], V2_05, "modify", "alignment a relocatable kernel wants"),
  field("relocatable_kernel", [0x234, 1], V2_05, "read", "non-zero: may be loaded at any aligned address"),
  field("min_alignment", [0x235, 1], V2_10, "read", "least alignment, as a power of two"),
  field("xloadflags", [0x236, 2], V2_12, "read", "extended option flags"),
  field("cmdline_size", [0x238, 4], V2_06, "read", "longest command line, without its NUL"),
  field("hardware_subarch", [0x23c, 4], V2_07, "write", "paravirtual environment; 0 is a PC"),
  field("hardware_subarch_data", [0x240, 8], V2_07, "write", "data of the paravirtual environment"),
  field("payload_offset", [0x248, 4], V2_08, "read", "payload, counted from the protected-mode code"),
  field("payload_length", [0x24c, 4], V2_08, "read", "length of the payload"),
  field("setup_data", [0x250, 8], V2_09, "write", "address of the first struct setup_data"),
  field("pref_address", [0x258, 8], V2_10, "read", "preferred load address"),
  field("init_size", [0x260, 4], V2_10, "read", "memory needed from the load address during start-up"),
  field("handover_offset", [0x264, 4], V2_11, "read", "EFI handover entry point"),
  field("kernel_info_offset", [0x268, 4], V2_15, "read", "kernel_info, counted from the protected-mode code"),
] as const;

type Field = (typeof SETUP_FIELDS)[number];
export type SetupFieldName = Field["name"];

/** The header by field name; 8-byte fields are bigints. A field that the protocol version lacks is 0. */
export type SetupHeader = {
  [F in Field as F["name"]]: F["size"] extends 8 ? bigint : number;
};

/** Offset of a field by name, for loaders that write the header. */
export const SETUP_OFFSET = Object.fromEntries(SETUP_FIELDS.map((f) => [f.name, f.offset])) as Readonly<
  Record<SetupFieldName, number>
>;
