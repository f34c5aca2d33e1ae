/**
 * Numbers of QEMU's firmware configuration interface: registers, selector keys, the file directory, DMA, and the
 * commands of its ACPI table loader. Numbers only.
 *
 * Specification: QEMU docs/specs/fw_cfg.rst; the loader's commands as QEMU hw/acpi/bios-linker-loader.c and SeaBIOS
 * src/fw/romfile_loader.h define them.
 */

/** Register offsets in ports, from the selector's port. The data register is the next port. */
export const FW_CFG_PORTS = { SELECTOR_SIZE: 2, DATA: 1, DMA_LOW: 4 } as const;

/** Keys of numbered items. */
export const FW_CFG_KEY = {
  SIGNATURE: 0x00,
  ID: 0x01,
  RAM_SIZE: 0x03,
  CPUS: 0x05,
  KERNEL_ADDRESS: 0x07,
  KERNEL_SIZE: 0x08,
  INITRD_ADDRESS: 0x0a,
  INITRD_SIZE: 0x0b,
  KERNEL_ENTRY: 0x10,
  KERNEL_DATA: 0x11,
  INITRD_DATA: 0x12,
  COMMAND_LINE_ADDRESS: 0x13,
  COMMAND_LINE_SIZE: 0x14,
  COMMAND_LINE_DATA: 0x15,
  SETUP_ADDRESS: 0x16,
  SETUP_SIZE: 0x17,
  SETUP_DATA: 0x18,
  FILE_DIRECTORY: 0x19,
  MOST_CPUS: 0x0f,
  /** Files are numbered from here on. */
  FILE_FIRST: 0x20,
} as const;

/** Contents of `SIGNATURE`. */
export const FW_CFG_SIGNATURE = "QEMU";
/** Bits of `ID`: the classic registers, and DMA. */
export const FW_CFG_ID = { TRADITIONAL: 0x01, DMA: 0x02 } as const;
/** What the DMA address register reads as, bytes in ascending order. */
export const FW_CFG_DMA_SIGNATURE = "QEMU CFG";

/** The directory: a big-endian count, then entries of u32 size, u16 key, u16 reserved, all big-endian, and the name. */
export const FW_CFG_DIRECTORY = { NAME_OFFSET: 8, NAME_SIZE: 56, ENTRY_SIZE: 64, KEY_OFFSET: 4 } as const;

/** struct FWCfgDmaAccess, big-endian: u32 control, u32 length, u64 address. */
export const FW_CFG_DMA = {
  SIZE: 16,
  LENGTH: 4,
  ADDRESS: 8,
  ERROR: 0x01,
  READ: 0x02,
  SKIP: 0x04,
  SELECT: 0x08,
  WRITE: 0x10,
  /** The key stands above the flags. */
  KEY_SHIFT: 16,
} as const;

/** Commands of "etc/table-loader": 128 bytes each, a u32 command and its fields; file names take 56 bytes. */
export const TABLE_LOADER = {
  ENTRY_SIZE: 128,
  NAME_SIZE: 56,
  /** name, u32 alignment, u8 zone. */
  ALLOCATE: 1,
  /** name to patch, name pointed to, u32 offset, u8 pointer size. */
  ADD_POINTER: 2,
  /** name, u32 offset of the sum, u32 start, u32 length. */
  ADD_CHECKSUM: 3,
  ZONE_HIGH: 1,
  ZONE_F_SEGMENT: 2,
} as const;

/** Files that SeaBIOS reads. */
export const FW_CFG_FILE = {
  E820: "etc/e820",
  TABLE_LOADER: "etc/table-loader",
  ACPI_RSDP: "etc/acpi/rsdp",
  ACPI_TABLES: "etc/acpi/tables",
  BOOT_ORDER: "bootorder",
  /** u64: how long a failed boot waits, ms; -1 for ever. */
  BOOT_FAIL_WAIT: "etc/boot-fail-wait",
  /** u16: port of the UART that INT 10h and 16h use. */
  SERCON_PORT: "etc/sercon-port",
  /** u64: the timer's interrupt is on I/O APIC pin 2. */
  IRQ0_OVERRIDE: "etc/irq0-override",
  VGA_ROMS: "vgaroms/",
  OPTION_ROMS: "genroms/",
} as const;

/** One entry of "etc/e820": u64 start, u64 size, u32 type. */
export const FW_CFG_E820_ENTRY_SIZE = 20;

/** The debug console of PC firmware: what its port reads as when it is there (QEMU hw/char/debugcon.c). */
export const DEBUG_CONSOLE_READBACK = 0xe9;
