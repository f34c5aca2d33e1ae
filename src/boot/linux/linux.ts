/**
 * Loader "linux": a bzImage by its 64-bit or 32-bit entry point (R1.2). The kernel unpacks itself. The 16-bit
 * set-up code is left out: it asks a BIOS for what the zero page says. With a BIOS it is run (`real-mode.ts`).
 *
 * Specification: Linux Documentation/arch/x86/boot.rst, "32-bit Boot Protocol", "64-bit Boot Protocol".
 */
import { hex } from "../../bytes/hex.js";
import type { BzImage } from "../../formats/bzimage/bzimage.js";
import type { Image } from "../../formats/index.js";
import { deriveE820 } from "../../memory/e820.js";
import { BOOT_INFO } from "../../memory/layout.js";
import { BOOT_PARAMS_SIZE } from "../../spec/boot-params.js";
import { ENTRY_64_OFFSET, PROTOCOL, SETUP_HEADER_START, SETUP_OFFSET } from "../../spec/linux-boot.js";
import type { CpuState } from "../../x86/cpu-state.js";
import { longMode64, protectedMode32 } from "../../x86/entry-states.js";
import type { BootFault } from "../boot-error.js";
import { placeCommandLine, placeGdt, placeInitrd, placePageTables } from "../hand-over.js";
import type { BootProtocol, LoadContext, Loader, Recognition, RecogniseContext } from "../loader.js";
import { buildBootParams } from "./boot-params.js";
import { warnOfCommandLine } from "../systems.js";
import { LINUX_BOOT_WORDS } from "./words.js";
import { RealModeBoot } from "./real-mode.js";
import { placeKernel } from "./placement.js";
import { placeSetupData, RNG_SEED_OPTION, rngSeed } from "./setup-data.js";

const NAME = "linux";
type Width = 16 | 32 | 64;

export const linuxLoader: Loader = {
  name: NAME,
  summary:
    "Linux bzImage by its 64-bit, 32-bit or, with a BIOS, 16-bit entry point; the kernel unpacks itself",
  options: {
    entry: {
      values: ["64", "32", "16"],
      help: "entry point; 16 if a BIOS runs first (loader.bios), else 64 where the kernel has it (XLF_KERNEL_64), else 32",
    },
    ...RNG_SEED_OPTION,
  },
  recognise(image, context) {
    if (image.format !== "bzimage") return { fits: false, fault: notBzImage(image), otherFormat: true };
    const fault = unsuitable(image, context);
    if (fault !== undefined) return { fits: false, fault };
    return recognised(image, context);
  },
};

function recognised(image: BzImage, { options, firmware }: RecogniseContext): Recognition {
  const { width, reason } = chooseEntry(image, options.entry, firmware ?? false);
  const why = `a bzImage of protocol ${hex(image.protocol, 4)}; entered in ${width}-bit mode: ${reason}`;
  const seed = rngSeed(options);
  const protocol = width === 16 ? new RealModeBoot(image, seed) : new LinuxBoot(image, width, seed);
  return { fits: true, why, protocol };
}

function chooseEntry(
  image: BzImage,
  wanted: string | undefined,
  firmware: boolean,
): { width: Width; reason: string } {
  if (wanted !== undefined) return { width: Number(wanted) as Width, reason: "as loader.entry asks" };
  if (firmware) return { width: 16, reason: "a BIOS runs first, which its set-up code can ask" };
  return image.entry64
    ? { width: 64, reason: "the kernel has a 64-bit entry point (XLF_KERNEL_64)" }
    : { width: 32, reason: "the kernel has no 64-bit entry point" };
}

function notBzImage(image: Image): BootFault {
  return {
    place: { kind: "file", offset: SETUP_OFFSET.header },
    found: image.summary,
    expected: '"HdrS", the magic of a Linux setup header',
    meaning: "This loader takes bzImage files; a decompressed kernel goes by pvh, elf64 or elf32.",
  };
}

/** The rules of the entry points. The 16-bit one takes every protocol, but needs a BIOS. */
function unsuitable(image: BzImage, { options, firmware }: RecogniseContext): BootFault | undefined {
  if (options.entry === "16" && firmware !== true) {
    return {
      place: { kind: "option", name: "loader.entry" },
      found: "16 without a BIOS",
      expected: "loader.bios, the BIOS whose services the set-up code calls",
      meaning: "Give SeaBIOS with it: -o loader.entry=16,loader.bios=on.",
    };
  }
  if (firmware === true && (options.entry ?? "16") === "16") return undefined;
  if (image.protocol < PROTOCOL.V2_03) {
    return {
      place: { kind: "file", offset: SETUP_OFFSET.version },
      found: `boot protocol ${hex(image.protocol, 4)}`,
      expected: "0x0203 or later",
      meaning:
        "Such kernels can only be started through their 16-bit set-up code, with a BIOS: -o loader.entry=16.",
    };
  }
  if (!image.loadedHigh) {
    return {
      place: { kind: "file", offset: SETUP_OFFSET.loadflags },
      found: "LOADED_HIGH clear: a zImage",
      expected: "LOADED_HIGH set",
      meaning:
        "A zImage can only be started through its 16-bit set-up code, with a BIOS: -o loader.entry=16.",
    };
  }
  if (options.entry === "64" && image.protocol < PROTOCOL.V2_12) {
    return {
      place: { kind: "file", offset: SETUP_OFFSET.version },
      found: `boot protocol ${hex(image.protocol, 4)}`,
      expected: "0x020c or later, as loader.entry=64 needs",
      meaning: "Kernels have said since 2.12 whether they have a 64-bit entry point: leave the option out.",
    };
  }
  if (options.entry === "64" && !image.entry64) {
    return {
      place: { kind: "file", offset: SETUP_OFFSET.xloadflags },
      found: `xloadflags ${hex(image.header.xloadflags, 4)} without XLF_KERNEL_64`,
      expected: "XLF_KERNEL_64, as loader.entry=64 needs",
      meaning: "The kernel has no 64-bit entry point: leave the option out.",
    };
  }
  return undefined;
}

/** Guest-physical addresses that the CPU's registers will hold. */
interface Placed {
  kernel: number;
  bootParams: number;
  gdt: number;
  cr3: bigint;
}

class LinuxBoot implements BootProtocol {
  readonly defaultCommandLine = LINUX_BOOT_WORDS;
  readonly entry: string;
  #placed: Placed | undefined;

  constructor(
    readonly image: BzImage,
    readonly width: 32 | 64,
    readonly seed: Uint8Array | undefined,
  ) {
    this.entry = `${width}-bit entry`;
  }

  layOutMemory(context: LoadContext): void {
    const { image, width } = this;
    const kernel = placeKernel(image, context.memory, NAME);
    const initrd = placeInitrd(context, NAME, image.initrdAddressMax);
    const commandLine = placeCommandLine(context, NAME, image.commandLineMax, "cmdline_size of the kernel");
    const setupData = placeSetupData(context, NAME, this.seed);
    const gdt = placeGdt(context, NAME, width);
    const cr3 = width === 64 ? placePageTables(context, NAME) : 0n;
    const bytes = buildBootParams({
      setupHeader: image.bytes.subarray(SETUP_HEADER_START, image.headerEnd),
      code32Start: kernel,
      commandLine,
      initrd,
      setupData,
      rsdp: context.rsdpAddress,
      vga: context.vga,
      // Everything claimed from here on is RAM to the guest, so the map is final.
      e820: deriveE820(context.memory),
    });
    const region = { name: "boot_params", owner: NAME, size: BOOT_PARAMS_SIZE, bytes };
    const bootParams = context.memory.claimAt(BOOT_INFO.start, region).start;
    this.#placed = { kernel, bootParams, gdt, cr3 };
    warnOfCommandLine("Linux", context);
    this.#warnOfRealMode(context);
  }

  describeBootCpu(): CpuState {
    if (this.#placed === undefined) throw new Error("memory is not laid out yet");
    const { kernel, bootParams, gdt, cr3 } = this.#placed;
    const registers = { rsi: BigInt(bootParams) };
    if (this.width === 32) return protectedMode32({ entry: BigInt(kernel), gdtBase: gdt, registers });
    return longMode64({ entry: BigInt(kernel + ENTRY_64_OFFSET), gdtBase: gdt, registers }, cr3);
  }

  #warnOfRealMode(context: LoadContext): void {
    if (this.image.protocol >= PROTOCOL.V2_08) return;
    context.warn(
      `boot protocol ${hex(this.image.protocol, 4)}: images of that age (iPXE, memdisk, GRUB) may need a BIOS: -o loader.entry=16`,
    );
  }
}
