/**
 * Loader "multiboot1": any image with a Multiboot header: ELF32 and ELF64 kernels, and files whose header says where
 * they go (R1.3). Entered in flat 32-bit mode with EAX 0x2badb002 and the information structure in EBX.
 *
 * Specification: Multiboot 0.6.96.
 */
import { hex } from "../../bytes/hex.js";
import type { ElfImage } from "../../formats/elf/elf.js";
import type { SystemMark } from "../../formats/elf/system.js";
import type { Image } from "../../formats/index.js";
import {
  explainNoMultiboot1,
  findMultiboot1,
  type Multiboot1Addresses,
  type Multiboot1Header,
} from "../../formats/multiboot1/multiboot1.js";
import { deriveE820 } from "../../memory/e820.js";
import {
  MULTIBOOT1_BOOT_MAGIC,
  MULTIBOOT1_FLAG,
  MULTIBOOT1_HEADER,
  MULTIBOOT1_MODE_TYPE_MAX,
  MULTIBOOT1_REQUIREMENTS,
} from "../../spec/multiboot1.js";
import type { CpuState } from "../../x86/cpu-state.js";
import type { BootFault } from "../boot-error.js";
import { unsuitableElf } from "../kernel-elf.js";
import type { BootProtocol, LoadContext, Loader, Recognition } from "../loader.js";
import { placeSections } from "../multiboot/elf-sections.js";
import {
  commandLineText,
  FILE_NAMES_OPTION,
  LOADER_NAME,
  MultibootCpu,
  placeBootModules,
  placeInformation,
  NO_SCREEN,
  placeKernel,
  type CommandLineText,
} from "../multiboot/hand-over.js";
import {
  entryOfElf,
  entryOutside,
  imageOfAddresses,
  imageOfElf,
  type KernelImage,
} from "../multiboot/kernel-image.js";
import type { LoaderOptions } from "../options.js";
import { consoleWords, systemOf, warnOfCommandLine, type DefaultCommandLine } from "../systems.js";
import { buildMultiboot1Info, multiboot1InfoSize } from "./info.js";

const NAME = "multiboot1";
const AT = MULTIBOOT1_HEADER.OFFSET;
const UNDERSTOOD = MULTIBOOT1_FLAG.PAGE_ALIGN | MULTIBOOT1_FLAG.MEMORY_INFO | MULTIBOOT1_FLAG.VIDEO_MODE;

export const multiboot1Loader: Loader = {
  name: NAME,
  summary: "any image with a Multiboot header: ELF32, ELF64, or load addresses in the header (a.out kludge)",
  options: { ...FILE_NAMES_OPTION },
  takesModules: true,
  recognise(image, { options }) {
    const header = findMultiboot1(image.bytes);
    if (header === undefined) return noHeader(image);
    const fault = unsuitable(header);
    if (fault !== undefined) return { fits: false, fault };
    return header.addresses === undefined
      ? recogniseElf(image, header, options)
      : recogniseAddresses(image, header, header.addresses, options);
  },
};

function noHeader({ bytes }: Image): Recognition {
  const { fault, hasMagic } = explainNoMultiboot1(bytes);
  const { offset, ...facts } = fault;
  const refused = { fits: false, fault: { place: { kind: "file", offset }, ...facts } } as const;
  return hasMagic ? refused : { ...refused, otherFormat: true };
}

/** What the header asks of a loader. */
function unsuitable({ offset, flags, graphics }: Multiboot1Header): BootFault | undefined {
  const unknown = flags & MULTIBOOT1_REQUIREMENTS & ~UNDERSTOOD;
  if (unknown !== 0) {
    return {
      place: { kind: "file", offset: offset + AT.FLAGS },
      found: `flags ${hex(flags)} with requirements ${hex(unknown)}`,
      expected: `of bits 0–15 none but ${hex(UNDERSTOOD)}`,
      meaning: "The kernel requires what no version of Multiboot defines; a loader must refuse that.",
    };
  }
  if (graphics === undefined || graphics.modeType <= MULTIBOOT1_MODE_TYPE_MAX) return undefined;
  return {
    place: { kind: "file", offset: offset + AT.MODE_TYPE },
    found: `mode_type ${graphics.modeType}`,
    expected: "0 (linear graphics) or 1 (EGA text)",
    meaning: "Everything else is reserved.",
  };
}

function recogniseElf(image: Image, header: Multiboot1Header, options: LoaderOptions): Recognition {
  if (image.format !== "elf") {
    const fault: BootFault = {
      place: { kind: "file", offset: header.offset + AT.FLAGS },
      found: `flags ${hex(header.flags)} without load addresses (bit 16), in a file that is no ELF file: ${image.summary}`,
      expected: "an ELF file, or bit 16 and the addresses",
      meaning: "Nothing says where in memory the file goes.",
    };
    return { fits: false, fault };
  }
  const fault = unsuitableElf({ elf: image, origin: "" });
  if (fault !== undefined) return { fits: false, fault };
  const kernel = imageOfElf(image);
  const entry = entryOfElf(image);
  const why = `an ELF${image.header.elfClass} file with a Multiboot header at offset ${hex(header.offset)}`;
  return {
    fits: true,
    why,
    protocol: new Multiboot1Boot({
      kernel,
      entry,
      header,
      elf: image,
      text: commandLineText(options),
      system: systemOf(image),
    }),
  };
}

function recogniseAddresses(
  image: Image,
  header: Multiboot1Header,
  addresses: Multiboot1Addresses,
  options: LoaderOptions,
): Recognition {
  const { offset } = header;
  const offsets = {
    loadAddr: offset + AT.LOAD_ADDR,
    loadEndAddr: offset + AT.LOAD_END_ADDR,
    bssEndAddr: offset + AT.BSS_END_ADDR,
  };
  const kernel = imageOfAddresses(image.bytes, offset, { ...addresses, offsets });
  const entry = addresses.entryAddr;
  const fault = entryOutside(kernel, entry, offset + AT.ENTRY_ADDR);
  if (fault !== undefined) return { fits: false, fault };
  const why = `a Multiboot header with load addresses at offset ${hex(offset)}`;
  const text = commandLineText(options);
  const protocol = new Multiboot1Boot({
    kernel,
    entry,
    header,
    elf: undefined,
    text,
    system: systemOf(image),
  });
  return { fits: true, why, protocol };
}

/** What was recognised. */
interface Multiboot1Kernel {
  readonly kernel: KernelImage;
  /** Guest-physical address of the first instruction. */
  readonly entry: number;
  readonly header: Multiboot1Header;
  /** Whose sections the kernel is told of. */
  readonly elf: ElfImage | undefined;
  readonly text: CommandLineText;
  readonly system: SystemMark | undefined;
}

class Multiboot1Boot implements BootProtocol {
  readonly entry = "Multiboot entry";
  readonly defaultCommandLine: DefaultCommandLine | undefined;
  readonly #cpu = new MultibootCpu(MULTIBOOT1_BOOT_MAGIC);
  #information = 0;

  constructor(readonly found: Multiboot1Kernel) {
    this.defaultCommandLine = consoleWords(found.system);
  }

  layOutMemory(context: LoadContext): void {
    const { kernel, elf, text } = this.found;
    placeKernel(context, NAME, kernel, 0);
    const modules = placeBootModules(context, NAME, kernel.end);
    const sections = elf === undefined ? undefined : placeSections(context, NAME, elf, 0);
    const input = {
      commandLine: text(context.kernelName, context.commandLine),
      loaderName: LOADER_NAME,
      modules: modules.map((one) => ({ ...one, text: text(one.name, one.commandLine) })),
      memoryMap: deriveE820(context.memory),
      sections,
      vga: context.vga ?? false,
    };
    const region = placeInformation(context, NAME, multiboot1InfoSize(input));
    region.content = { kind: "bytes", bytes: buildMultiboot1Info(input, region.start) };
    this.#information = region.start;
    this.#cpu.place(context, NAME);
    this.#warn(context);
  }

  describeBootCpu(): CpuState {
    return this.#cpu.state(this.found.entry, this.#information);
  }

  #warn(context: LoadContext): void {
    warnOfCommandLine(this.found.system?.system, context);
    if (this.found.header.graphics === undefined || context.vga === true) return;
    context.warn(NO_SCREEN);
  }
}
