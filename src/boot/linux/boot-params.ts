/**
 * Builds Linux's struct boot_params ("zero page") for the 32-bit and 64-bit entry points: the image's setup header
 * copied and completed, memory map, RSDP. A screen is described where there is one.
 *
 * Specification: Linux Documentation/arch/x86/boot.rst, "32-bit Boot Protocol", "64-bit Boot Protocol"; zero-page.rst.
 */
import { TWO_32 } from "../../bytes/words.js";
import { ByteView } from "../../bytes/byte-view.js";
import {
  BOOT_PARAMS,
  BOOT_PARAMS_SIZE,
  E820_ENTRY_SIZE,
  E820_TABLE_ENTRIES,
  LOADER_UNDEFINED,
} from "../../spec/boot-params.js";
import { E820_NUMBERS, type E820Entry } from "../../spec/e820.js";
import {
  BOOT_FLAG,
  HEADER_MAGIC,
  JUMP_OFFSET,
  JUMP_OPCODE,
  LOADFLAGS,
  PROTOCOL,
  SETUP_HEADER_START,
  SETUP_OFFSET,
} from "../../spec/linux-boot.js";
import { MODE_3_SCREEN } from "../../spec/vga.js";

/** What goes into the zero page. Addresses are guest-physical. */
export interface BootParamsInput {
  /** Bytes of the setup header from 0x1f1 on, as the image has them or as `bareSetupHeader` makes them. */
  setupHeader: Uint8Array;
  /** Where the protected-mode code was put; absent for an ELF kernel. */
  code32Start?: number;
  commandLine: number;
  initrd?: { address: number; size: number } | undefined;
  setupData?: number | undefined;
  rsdp: number;
  /** A VGA in mode 3. */
  vga?: boolean | undefined;
  e820: readonly E820Entry[];
}

/** The 4 KiB page. Throws RangeError for a memory map of more than 128 entries. */
export function buildBootParams(input: BootParamsInput): Uint8Array {
  const view = new ByteView(new Uint8Array(BOOT_PARAMS_SIZE));
  view.setBytes(SETUP_HEADER_START, input.setupHeader);
  const headerEnd = SETUP_HEADER_START + input.setupHeader.length;
  view.setU8(SETUP_OFFSET.type_of_loader, LOADER_UNDEFINED);
  // CAN_USE_HEAP speaks of the 16-bit setup code, which does not run.
  const loadflags = view.u8(SETUP_OFFSET.loadflags) & ~LOADFLAGS.CAN_USE_HEAP;
  view.setU8(SETUP_OFFSET.loadflags, loadflags);
  if (input.code32Start !== undefined) view.setU32(SETUP_OFFSET.code32_start, input.code32Start);
  setSplit(view, SETUP_OFFSET.cmd_line_ptr, BOOT_PARAMS.EXT_CMD_LINE_PTR, input.commandLine);
  if (input.initrd !== undefined) {
    setSplit(view, SETUP_OFFSET.ramdisk_image, BOOT_PARAMS.EXT_RAMDISK_IMAGE, input.initrd.address);
    setSplit(view, SETUP_OFFSET.ramdisk_size, BOOT_PARAMS.EXT_RAMDISK_SIZE, input.initrd.size);
  }
  if (headerEnd > SETUP_OFFSET.setup_data) view.setU64(SETUP_OFFSET.setup_data, input.setupData ?? 0);
  view.setU64(BOOT_PARAMS.ACPI_RSDP_ADDR, input.rsdp);
  if (input.vga === true) setScreen(view);
  setMemoryMap(view, input.e820);
  return view.bytes;
}

/** A setup header for a kernel that comes without one: the fields a started kernel still reads. */
export function bareSetupHeader(commandLineMax: number): Uint8Array {
  const view = new ByteView(new Uint8Array(BOOT_PARAMS_SIZE));
  const end = SETUP_OFFSET.kernel_info_offset + 4;
  view.setU16(SETUP_OFFSET.boot_flag, BOOT_FLAG);
  view.setU8(JUMP_OFFSET, JUMP_OPCODE);
  view.setU8(JUMP_OFFSET + 1, end - SETUP_OFFSET.header);
  view.setLatin1(SETUP_OFFSET.header, HEADER_MAGIC);
  view.setU16(SETUP_OFFSET.version, PROTOCOL.V2_15);
  view.setU8(SETUP_OFFSET.loadflags, LOADFLAGS.LOADED_HIGH);
  view.setU32(SETUP_OFFSET.cmdline_size, commandLineMax);
  return view.slice(SETUP_HEADER_START, end - SETUP_HEADER_START);
}

/** Without it the kernel takes the machine to have no screen. */
function setScreen(view: ByteView): void {
  const { mode, columns, rows, points } = MODE_3_SCREEN;
  view.setU8(BOOT_PARAMS.ORIG_VIDEO_MODE, mode);
  view.setU8(BOOT_PARAMS.ORIG_VIDEO_COLS, columns);
  view.setU8(BOOT_PARAMS.ORIG_VIDEO_LINES, rows);
  view.setU8(BOOT_PARAMS.ORIG_VIDEO_IS_VGA, 1);
  view.setU16(BOOT_PARAMS.ORIG_VIDEO_POINTS, points);
}

/** A 64-bit value whose halves lie apart. */
function setSplit(view: ByteView, low: number, high: number, value: number): void {
  view.setU32(low, value % TWO_32);
  view.setU32(high, Math.floor(value / TWO_32));
}

function setMemoryMap(view: ByteView, e820: readonly E820Entry[]): void {
  if (e820.length > E820_TABLE_ENTRIES) {
    throw new RangeError(`${e820.length} memory-map entries, but the zero page holds ${E820_TABLE_ENTRIES}`);
  }
  view.setU8(BOOT_PARAMS.E820_ENTRIES, e820.length);
  e820.forEach(({ start, size, type }, index) => {
    const at = BOOT_PARAMS.E820_TABLE + index * E820_ENTRY_SIZE;
    view.setU64(at, start);
    view.setU64(at + 8, size);
    view.setU32(at + 16, E820_NUMBERS[type]);
  });
}
