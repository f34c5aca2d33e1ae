/**
 * Loaders "elf64" and "elf32": an ELF kernel at e_entry, in the state of Linux's 64-bit or 32-bit boot protocol, which
 * is what an uncompressed Linux kernel (vmlinux) expects and Firecracker made customary. docs/loaders.md states it for
 * others.
 *
 * Specification: Linux Documentation/arch/x86/boot.rst, "32-bit Boot Protocol", "64-bit Boot Protocol"; ELF gABI
 * chapter 5.
 */
import type { ElfImage } from "../../formats/elf/elf.js";
import type { KernelSystem } from "../../formats/elf/system.js";
import { deriveE820 } from "../../memory/e820.js";
import { BOOT_INFO } from "../../memory/layout.js";
import { BOOT_PARAMS_SIZE, LINUX_COMMAND_LINE_SIZE, LINUX_INITRD_ADDR_MAX } from "../../spec/boot-params.js";
import { DEFAULT_INITRD_ADDR_MAX } from "../../spec/linux-boot.js";
import type { CpuState } from "../../x86/cpu-state.js";
import { longMode64, protectedMode32 } from "../../x86/entry-states.js";
import type { BootFault } from "../boot-error.js";
import { placeCommandLine, placeGdt, placeInitrd, placePageTables } from "../hand-over.js";
import { lostMultiboot } from "../../formats/multiboot-facts.js";
import { findMultiboot1 } from "../../formats/multiboot1/multiboot1.js";
import { findMultiboot2 } from "../../formats/multiboot2/multiboot2.js";
import type { LoaderOptions } from "../options.js";
import { entryFault, kernelElf, placeSegments, unsuitableElf, type KernelElf } from "../kernel-elf.js";
import { bareSetupHeader, buildBootParams } from "../linux/boot-params.js";
import { LINUX_BOOT_WORDS } from "../linux/words.js";
import { placeSetupData, RNG_SEED_OPTION, rngSeed } from "../linux/setup-data.js";
import type { BootProtocol, LoadContext, Loader } from "../loader.js";
import { consoleWords, systemOf, warnOfCommandLine, type DefaultCommandLine } from "../systems.js";

const EI_CLASS_OFFSET = 4;
const E_MACHINE_OFFSET = 0x12;
/** What differs between the two. */
const WIDTHS = {
  64: { name: "elf64", arch: "x86-64", initrdMax: LINUX_INITRD_ADDR_MAX, entry: "64-bit ELF entry" },
  32: { name: "elf32", arch: "i386", initrdMax: DEFAULT_INITRD_ADDR_MAX, entry: "32-bit ELF entry" },
} as const;
type Width = keyof typeof WIDTHS;

export const elf64Loader: Loader = {
  name: WIDTHS[64].name,
  summary: "uncompressed 64-bit Linux kernel (vmlinux) at its ELF entry point, by the 64-bit boot protocol",
  options: { ...RNG_SEED_OPTION },
  recognise(image, { options, memory }) {
    const kernel = kernelElf(image, memory);
    const fault =
      unsuitableElf(kernel) ??
      unsuitable(kernel, 64) ??
      (wanted(options, 64) ? undefined : forMultiboot(kernel.elf, 64));
    if (fault !== undefined) return { fits: false, fault };
    const why = `${kernel.origin}, 64-bit, entry point in a loaded segment`;
    return { fits: true, why, protocol: new ElfBoot(kernel.elf, 64, rngSeed(options)) };
  },
};

export const elf32Loader: Loader = {
  name: WIDTHS[32].name,
  summary: "uncompressed 32-bit Linux kernel (vmlinux) at its ELF entry point, by the 32-bit boot protocol",
  options: { ...RNG_SEED_OPTION },
  recognise(image, { options, memory }) {
    const kernel = kernelElf(image, memory);
    const fault =
      unsuitableElf(kernel) ??
      unsuitable(kernel, 32) ??
      (wanted(options, 32) ? undefined : forMultiboot(kernel.elf, 32));
    if (fault !== undefined) return { fits: false, fault };
    const why = `${kernel.origin}, 32-bit, entry point in a loaded segment`;
    return { fits: true, why, protocol: new ElfBoot(kernel.elf, 32, rngSeed(options)) };
  },
};

/** Whether the loader was asked for by name. */
function wanted({ name }: LoaderOptions, width: Width): boolean {
  return name === WIDTHS[width].name;
}

/** A Multiboot kernel that its own loaders refused would be entered in a state that it does not know. */
function forMultiboot({ bytes }: ElfImage, width: Width): BootFault | undefined {
  const lost = lostMultiboot(bytes);
  if (lost !== undefined) {
    const { offset, ...fault } = lost;
    return { place: { kind: "file", offset }, ...fault };
  }
  const header = findMultiboot2(bytes) ?? findMultiboot1(bytes);
  if (header === undefined) return undefined;
  return {
    place: { kind: "file", offset: header.offset },
    found: "a Multiboot header",
    expected: `a kernel for the ${width}-bit boot protocol of Linux`,
    meaning: `The multiboot loaders are for this kernel; loader.name=${WIDTHS[width].name} enters it without what they hand over.`,
  };
}

function unsuitable({ elf }: KernelElf, width: Width): BootFault | undefined {
  const { arch } = WIDTHS[width];
  if (elf.header.elfClass !== width || elf.arch !== arch) {
    return {
      place: { kind: "file", offset: elf.header.elfClass !== width ? EI_CLASS_OFFSET : E_MACHINE_OFFSET },
      found: `ELF${elf.header.elfClass} for ${elf.arch}`,
      expected: `ELF${width} for ${arch}`,
      meaning:
        width === 64
          ? "The 64-bit boot protocol enters in long mode; a 32-bit kernel needs PVH, multiboot or elf32."
          : "The 32-bit boot protocol enters without paging; a 64-bit kernel needs PVH or elf64.",
    };
  }
  return entryFault(elf, elf.header.entry);
}

class ElfBoot implements BootProtocol {
  readonly entry: string;
  readonly defaultCommandLine: DefaultCommandLine;
  readonly #system: KernelSystem;
  #placed: { bootParams: number; gdt: number; cr3: bigint } | undefined;

  constructor(
    readonly elf: ElfImage,
    readonly width: Width,
    readonly seed: Uint8Array | undefined,
  ) {
    this.entry = WIDTHS[width].entry;
    const mark = systemOf(elf);
    this.#system = mark?.system ?? "Linux";
    this.defaultCommandLine = consoleWords(mark) ?? LINUX_BOOT_WORDS;
  }

  layOutMemory(context: LoadContext): void {
    const { name: owner, initrdMax } = WIDTHS[this.width];
    placeSegments(this.elf, context.memory, owner);
    const initrd = placeInitrd(context, owner, initrdMax);
    const longest = LINUX_COMMAND_LINE_SIZE - 1;
    const commandLine = placeCommandLine(context, owner, longest, "COMMAND_LINE_SIZE of Linux/x86");
    const setupData = placeSetupData(context, owner, this.seed);
    const gdt = placeGdt(context, owner, this.width);
    const cr3 = this.width === 64 ? placePageTables(context, owner) : 0n;
    const bytes = buildBootParams({
      setupHeader: bareSetupHeader(longest),
      commandLine,
      initrd,
      setupData,
      rsdp: context.rsdpAddress,
      vga: context.vga,
      e820: deriveE820(context.memory),
    });
    const region = { name: "boot_params", owner, size: BOOT_PARAMS_SIZE, bytes };
    const bootParams = context.memory.claimAt(BOOT_INFO.start, region).start;
    this.#placed = { bootParams, gdt, cr3 };
    warnOfCommandLine(this.#system, context);
  }

  describeBootCpu(): CpuState {
    if (this.#placed === undefined) throw new Error("memory is not laid out yet");
    const { bootParams, gdt, cr3 } = this.#placed;
    const registers = { rsi: BigInt(bootParams) };
    const start = { entry: this.elf.header.entry, gdtBase: gdt, registers };
    return this.width === 64 ? longMode64(start, cr3) : protectedMode32(start);
  }
}
