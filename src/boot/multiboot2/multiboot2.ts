/**
 * Loader "multiboot2": any image with a Multiboot2 header for i386: ELF32 and ELF64 kernels, and files whose header
 * says where they go; relocated where they can be (R1.3). Entered in flat 32-bit mode with EAX 0x36d76289 and the
 * boot information in EBX.
 *
 * Specification: Multiboot2 2.0.
 */
import { hex } from "../../bytes/hex.js";
import type { ElfImage } from "../../formats/elf/elf.js";
import type { SystemMark } from "../../formats/elf/system.js";
import type { Image } from "../../formats/index.js";
import {
  explainNoMultiboot2,
  findMultiboot2,
  type Multiboot2Header,
  type Multiboot2Tag,
} from "../../formats/multiboot2/multiboot2.js";
import { deriveE820 } from "../../memory/e820.js";
import type { RegionMap } from "../../memory/regions.js";
import { RSDP } from "../../spec/acpi.js";
import { MULTIBOOT2_BOOT_MAGIC } from "../../spec/multiboot2.js";
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
import { consoleWords, systemOf, warnOfCommandLine, type DefaultCommandLine } from "../systems.js";
import { buildMultiboot2Info } from "./info.js";
import { relocationOf } from "./relocation.js";
import { headerFault, requestOf, type Multiboot2Request } from "./tags.js";

const NAME = "multiboot2";
const WORD = 4;
const IGNORE = "ignore";

export const multiboot2Loader: Loader = {
  name: NAME,
  summary:
    "any image with a Multiboot2 header: ELF32, ELF64, or load addresses in the header; relocated if it can be",
  options: {
    ...FILE_NAMES_OPTION,
    efi: { values: [IGNORE], help: "start an image that requires EFI by its i386 entry all the same" },
  },
  takesModules: true,
  recognise(image, { options, vga }) {
    const header = findMultiboot2(image.bytes);
    if (header === undefined) return noHeader(image);
    const fault = headerFault(header, { ignoreEfi: options.efi === IGNORE, screen: vga === true });
    if (fault !== undefined) return { fits: false, fault };
    const request = requestOf(header);
    const kernel = kernelOf(image, header, request);
    if ("place" in kernel) return { fits: false, fault: kernel };
    const what = request.address === undefined ? "an ELF file" : "load addresses";
    const why = `${what} with a Multiboot2 header at offset ${hex(header.offset)}`;
    const protocol = new Multiboot2Boot(kernel, request, commandLineText(options), systemOf(image));
    return { fits: true, why, protocol };
  },
};

/** A kernel, its entry point as linked, and the ELF file whose sections it is told of. */
interface Kernel {
  image: KernelImage;
  entry: number;
  elf?: ElfImage;
}

function noHeader({ bytes }: Image): Recognition {
  const { fault, hasMagic } = explainNoMultiboot2(bytes);
  const { offset, ...facts } = fault;
  const refused = { fits: false, fault: { place: { kind: "file", offset }, ...facts } } as const;
  return hasMagic ? refused : { ...refused, otherFormat: true };
}

/** §3.1.5: by load addresses where they are given, else as an ELF file; §3.1.6: an entry tag overrides e_entry. */
function kernelOf(image: Image, header: Multiboot2Header, request: Multiboot2Request): Kernel | BootFault {
  const { address, entry: tag } = request;
  if (address === undefined) {
    const elf = elfKernel(image, header.offset);
    if ("place" in elf) return elf;
    const kernel = imageOfElf(elf);
    if (tag === undefined) return { image: kernel, entry: entryOfElf(elf), elf };
    return entryOutside(kernel, tag.words[0], tag.bodyOffset) ?? { image: kernel, entry: tag.words[0], elf };
  }
  if (tag === undefined) return addressWithoutEntry(address);
  const flat = flatKernel(image, header.offset, address);
  return entryOutside(flat, tag.words[0], tag.bodyOffset) ?? { image: flat, entry: tag.words[0] };
}

function elfKernel(image: Image, headerOffset: number): ElfImage | BootFault {
  if (image.format === "elf") return unsuitableElf({ elf: image, origin: "" }) ?? image;
  return {
    place: { kind: "file", offset: headerOffset },
    found: `a header without an address tag, in a file that is no ELF file: ${image.summary}`,
    expected: "an ELF file, or an address tag",
    meaning: "Nothing says where in memory the file goes.",
  };
}

function flatKernel(image: Image, headerOffset: number, { words, bodyOffset }: Multiboot2Tag): KernelImage {
  const [headerAddr, loadAddr, loadEndAddr, bssEndAddr] = words;
  const offsets = {
    loadAddr: bodyOffset + WORD,
    loadEndAddr: bodyOffset + 2 * WORD,
    bssEndAddr: bodyOffset + 3 * WORD,
  };
  const addresses = { headerAddr, loadAddr, loadEndAddr, bssEndAddr, offsets };
  return imageOfAddresses(image.bytes, headerOffset, addresses);
}

/** An image with load addresses has no other place to say where it begins. */
function addressWithoutEntry(address: Multiboot2Tag): BootFault {
  return {
    place: { kind: "file", offset: address.offset },
    found: "an address tag without an entry address tag",
    expected: "both",
    meaning: "With load addresses nothing else says where the kernel begins.",
  };
}

class Multiboot2Boot implements BootProtocol {
  readonly entry = "Multiboot2 entry";
  readonly defaultCommandLine: DefaultCommandLine | undefined;
  readonly #cpu = new MultibootCpu(MULTIBOOT2_BOOT_MAGIC);
  #placed: { offset: number; information: number } | undefined;

  constructor(
    readonly kernel: Kernel,
    readonly request: Multiboot2Request,
    readonly text: CommandLineText,
    readonly system: SystemMark | undefined,
  ) {
    this.defaultCommandLine = consoleWords(system);
  }

  layOutMemory(context: LoadContext): void {
    const { image, elf } = this.kernel;
    const { relocatable, framebuffer } = this.request;
    const offset = relocatable === undefined ? 0 : relocationOf(context.memory, image, relocatable, NAME);
    placeKernel(context, NAME, image, offset);
    const modules = placeBootModules(context, NAME, image.end + offset);
    const bytes = buildMultiboot2Info({
      commandLine: this.text(context.kernelName, context.commandLine),
      loaderName: LOADER_NAME,
      modules: modules.map((one) => ({ ...one, text: this.text(one.name, one.commandLine) })),
      sections: elf === undefined ? undefined : placeSections(context, NAME, elf, offset),
      memoryMap: deriveE820(context.memory),
      rsdp: rsdpBytes(context.memory, context.rsdpAddress),
      vga: context.vga ?? false,
      loadBase: relocatable === undefined ? undefined : image.start + offset,
    });
    const region = placeInformation(context, NAME, bytes.length);
    region.content = { kind: "bytes", bytes };
    this.#placed = { offset, information: region.start };
    this.#cpu.place(context, NAME);
    warnOfCommandLine(this.system?.system, context);
    if (framebuffer && context.vga !== true) context.warn(NO_SCREEN);
  }

  describeBootCpu(): CpuState {
    if (this.#placed === undefined) throw new Error("memory is not laid out yet");
    const { offset, information } = this.#placed;
    return this.#cpu.state(this.kernel.entry + offset, information);
  }
}

/** The RSDP as it was placed; a BIOS that runs first has yet to place it. */
function rsdpBytes(memory: RegionMap, address: number): Uint8Array | undefined {
  if (address === 0) return undefined;
  const region = memory.regions().find(({ start, size }) => address >= start && address < start + size);
  if (region?.content.kind !== "bytes") throw new Error("the RSDP is placed before a loader runs");
  return region.content.bytes.subarray(address - region.start, address - region.start + RSDP.SIZE);
}
