/**
 * Loader "linux" by the 16-bit entry point: set-up code in base memory, with a BIOS underneath whose services it calls
 * (R1.2). Works for every setup header from protocol 2.00 on, zImage included, and for programs that are packed as
 * kernels: iPXE, memdisk, memtest86+, GRUB.
 *
 * Specification: Linux Documentation/arch/x86/boot.rst, "Memory Layout", "Running the Kernel", "Sample Boot
 * Configuration", "The Real-Mode Kernel Header".
 *
 * ```
 * setup segment + 0x0000   boot sector and set-up code; CS starts 0x20 paragraphs in
 *               + heap_end stack, growing down into the heap
 *               + heap_end command line, where the protocol has no pointer to it (before 2.02)
 * ```
 */
import { ByteView } from "../../bytes/byte-view.js";
import { littleEndian, type FwCfgItem } from "../../firmware/fw-cfg.js";
import type { BzImage } from "../../formats/bzimage/bzimage.js";
import { OLD_SETUP_CODE_AREA, SETUP_CODE_AREA, type Span } from "../../memory/layout.js";
import { LOADER_UNDEFINED } from "../../spec/boot-params.js";
import { FW_CFG_KEY } from "../../spec/fw-cfg.js";
import {
  COMMAND_LINE_MAGIC,
  COMMAND_LINE_MAGIC_OFFSET,
  COMMAND_LINE_OFFSET_OFFSET,
  HEADER_OFFSET,
  LOADFLAGS,
  PROTOCOL,
  SETUP_CS_OFFSET,
  SETUP_HEAP_END,
  SETUP_OFFSET,
  ZIMAGE_LOAD_ADDRESS,
} from "../../spec/linux-boot.js";
import type { CpuState } from "../../x86/cpu-state.js";
import { realMode16 } from "../../x86/entry-states.js";
import { BootError } from "../boot-error.js";
import {
  checkCommandLine,
  placeCommandLine,
  placeInitrd,
  zeroTerminated,
  type PlacedInitrd,
} from "../hand-over.js";
import type { BootProtocol, LoadContext } from "../loader.js";
import { placeKernel } from "./placement.js";
import { placeSetupData } from "./setup-data.js";
import { LINUX_BOOT_WORDS } from "./words.js";

const NAME = "linux";
const LIMITED_BY = "cmdline_size of the kernel";

/** Where things went, guest-physical. */
interface Placed {
  setup: number;
  heapEnd: number;
  kernel: number;
  commandLine: number;
  initrd: PlacedInitrd | undefined;
  code: Uint8Array;
}

/** A kernel by its 16-bit entry. */
export class RealModeBoot implements BootProtocol {
  readonly defaultCommandLine = LINUX_BOOT_WORDS;
  readonly entry = "16-bit entry";
  #placed: Placed | undefined;
  #commandLineBytes: Uint8Array = new Uint8Array(0);
  #initrdBytes: Uint8Array | undefined;

  constructor(
    readonly image: BzImage,
    readonly seed: Uint8Array | undefined,
  ) {}

  layOutMemory(context: LoadContext): void {
    const { image } = this;
    const anywhere = image.protocol >= PROTOCOL.V2_02 && image.loadedHigh;
    const area = anywhere ? SETUP_CODE_AREA : OLD_SETUP_CODE_AREA;
    const heapEnd = anywhere ? SETUP_HEAP_END.HIGH : SETUP_HEAP_END.LOW;
    checkSetupSize(image, heapEnd);
    const kernel = image.loadedHigh
      ? placeKernel(image, context.memory, NAME)
      : placeLow(context, image, area);
    const initrd = this.#placeInitrd(context);
    const code = new Uint8Array(area.size);
    code.set(image.setup);
    const commandLine = this.#placeCommandLine(context, area, heapEnd, code);
    const setupData = image.protocol >= PROTOCOL.V2_09 ? placeSetupData(context, NAME, this.seed) : undefined;
    this.#placed = { setup: area.start, heapEnd, kernel, commandLine, initrd, code };
    this.#fillHeader(this.#placed, setupData ?? 0);
    context.memory.claimAt(area.start, { name: "set-up code", owner: NAME, size: area.size, bytes: code });
  }

  describeBootCpu(): CpuState {
    const { setup, heapEnd } = this.#where();
    const segment = setup >> 4;
    return realMode16(segment + SETUP_CS_OFFSET, 0, segment, { rsp: BigInt(heapEnd) });
  }

  /** As QEMU hands out a kernel, which is to be loaded where the protocol says: qboot and OVMF take it from here. */
  firmwareItems(): FwCfgItem[] {
    const { setup, commandLine, initrd, code } = this.#where();
    const { image } = this;
    const header = new ByteView(code.slice(0, image.setup.length));
    header.setU32(SETUP_OFFSET.code32_start, image.header.code32_start);
    const word = (key: number, value: number): FwCfgItem => ({ key, bytes: littleEndian(value, 4) });
    return [
      word(FW_CFG_KEY.KERNEL_ADDRESS, image.loadAddress),
      word(FW_CFG_KEY.KERNEL_SIZE, image.kernel.length),
      { key: FW_CFG_KEY.KERNEL_DATA, bytes: image.kernel },
      word(FW_CFG_KEY.INITRD_ADDRESS, initrd?.address ?? 0),
      word(FW_CFG_KEY.INITRD_SIZE, initrd?.size ?? 0),
      { key: FW_CFG_KEY.INITRD_DATA, bytes: this.#initrdBytes ?? new Uint8Array(0) },
      word(FW_CFG_KEY.COMMAND_LINE_ADDRESS, commandLine),
      word(FW_CFG_KEY.COMMAND_LINE_SIZE, this.#commandLineBytes.length),
      { key: FW_CFG_KEY.COMMAND_LINE_DATA, bytes: this.#commandLineBytes },
      word(FW_CFG_KEY.SETUP_ADDRESS, setup),
      word(FW_CFG_KEY.SETUP_SIZE, image.setup.length),
      { key: FW_CFG_KEY.SETUP_DATA, bytes: header.bytes },
    ];
  }

  #where(): Placed {
    if (this.#placed === undefined) throw new Error("memory is not laid out yet");
    return this.#placed;
  }

  #placeInitrd(context: LoadContext): PlacedInitrd | undefined {
    this.#initrdBytes = context.initrd?.bytes;
    return placeInitrd(context, NAME, this.image.initrdAddressMax);
  }

  /** Returns its address; before 2.02 it stands in the set-up segment, found by an offset in the boot sector. */
  #placeCommandLine(context: LoadContext, area: Span, heapEnd: number, code: Uint8Array): number {
    const { image } = this;
    this.#commandLineBytes = zeroTerminated(context.commandLine);
    if (image.protocol >= PROTOCOL.V2_02) {
      return placeCommandLine(context, NAME, image.commandLineMax, LIMITED_BY);
    }
    const length = this.#commandLineBytes.length - 1;
    checkCommandLine(context.commandLine, length, image.commandLineMax, "boot protocol before 2.02");
    code.set(this.#commandLineBytes, heapEnd);
    const view = new ByteView(code);
    view.setU16(COMMAND_LINE_MAGIC_OFFSET, COMMAND_LINE_MAGIC);
    view.setU16(COMMAND_LINE_OFFSET_OFFSET, heapEnd);
    view.setU16(SETUP_OFFSET.setup_move_size, heapEnd + this.#commandLineBytes.length);
    return area.start + heapEnd;
  }

  /** The fields that a boot loader fills in, each if the header has it. */
  #fillHeader({ kernel, initrd, heapEnd, commandLine, code }: Placed, setupData: number): void {
    const { image } = this;
    const view = new ByteView(code);
    const has = (name: string): boolean => image.fields.some((field) => field.name === name);
    view.setU8(SETUP_OFFSET.type_of_loader, LOADER_UNDEFINED);
    if (image.loadedHigh) view.setU32(SETUP_OFFSET.code32_start, kernel);
    view.setU32(SETUP_OFFSET.ramdisk_image, initrd?.address ?? 0);
    view.setU32(SETUP_OFFSET.ramdisk_size, initrd?.size ?? 0);
    if (has("heap_end_ptr")) {
      view.setU16(SETUP_OFFSET.heap_end_ptr, heapEnd - HEAP_END_BASE);
      view.setU8(SETUP_OFFSET.loadflags, view.u8(SETUP_OFFSET.loadflags) | LOADFLAGS.CAN_USE_HEAP);
    }
    if (has("cmd_line_ptr")) view.setU32(SETUP_OFFSET.cmd_line_ptr, commandLine);
    if (has("setup_data")) view.setU64(SETUP_OFFSET.setup_data, setupData);
  }
}

/** heap_end_ptr counts from where the set-up code proper begins. */
const HEAP_END_BASE = HEADER_OFFSET - 2;

/** Code and data must end below the heap that the protocol promises. */
function checkSetupSize(image: BzImage, heapEnd: number): void {
  if (image.setup.length <= heapEnd) return;
  throw new BootError("place the set-up code", {
    place: { kind: "file", offset: SETUP_OFFSET.setup_sects },
    found: `${image.setup.length} bytes of set-up code`,
    expected: `at most ${heapEnd}, where its heap ends`,
    meaning: "The setup header is damaged: fetch or build the image again.",
  });
}

/** A zImage goes below the set-up code. */
function placeLow({ memory }: LoadContext, image: BzImage, area: Span): number {
  const bytes = image.kernel;
  const start = ZIMAGE_LOAD_ADDRESS;
  if (start + bytes.length > area.start) {
    throw new BootError("place the kernel", {
      place: { kind: "file", offset: SETUP_OFFSET.loadflags },
      found: `LOADED_HIGH clear and ${bytes.length} bytes of protected-mode code`,
      expected: `at most ${area.start - start} bytes between the load address of a zImage and its set-up code`,
      meaning: "A kernel of this size must be built as a bzImage.",
    });
  }
  return memory.claimAt(start, { name: "kernel", owner: NAME, size: bytes.length, bytes }).start;
}
