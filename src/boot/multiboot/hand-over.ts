/**
 * What both versions of Multiboot hand to a kernel besides its information structure: the kernel in memory, modules,
 * command lines, a place for the structure, the CPU. Knows neither version's structure.
 *
 * Specification: Multiboot 0.6.96 §3.2, §3.3; Multiboot2 2.0 §3.4, §3.6.
 */
import { alignUp } from "../../bytes/align.js";
import { BOOT_INFO, EBDA, HIGH_MEMORY_START, RAM_HOLE } from "../../memory/layout.js";
import type { Region } from "../../memory/regions.js";
import { SIZE_4K } from "../../spec/x86-system.js";
import type { CpuState } from "../../x86/cpu-state.js";
import { protectedMode32 } from "../../x86/entry-states.js";
import { bootGdt, MULTIBOOT_SELECTORS } from "../../x86/gdt.js";
import { checkCommandLine, placeModules, zeroTerminated, type PlacedModule } from "../hand-over.js";
import { adviceBelow1MiB } from "../kernel-elf.js";
import type { LoadContext, LoaderOptionSpec } from "../loader.js";
import type { LoaderOptions } from "../options.js";
import type { KernelImage } from "./kernel-image.js";

/** What the kernel is told to be booted by. */
export const LOADER_NAME = "locore";
/** The region of the information structure. */
export const MULTIBOOT_INFORMATION = "multiboot information";
/** A warning. */
export const NO_SCREEN =
  "the kernel asks for a video mode: there is no screen, and it is told of none (--screen adds one with text)";
/** Bytes without the NUL. */
const LONGEST_COMMAND_LINE = 65535;
/** Alignment that both structures ask for at most. */
export const INFORMATION_ALIGNMENT = 8;

const YES = "yes";
const NO = "no";

/** The option that both loaders take. */
export const FILE_NAMES_OPTION: Readonly<Record<string, LoaderOptionSpec>> = {
  file_names: {
    values: [YES, NO],
    help: "command lines begin with the file's name, as QEMU, kexec and GRUB Legacy have it (yes), or not, as GRUB 2",
  },
};

/** Turns command lines into what the kernel reads. */
export type CommandLineText = (file: string, commandLine: string) => string;

/** Reads `loader.file_names`. A name is the path's last part, blanks replaced: kernels skip one word. */
export function commandLineText({ file_names: wanted }: LoaderOptions): CommandLineText {
  if (wanted === NO) return (_file, commandLine) => commandLine;
  return (file, commandLine) => {
    const name = file.replace(/^.*[/\\]/s, "").replace(/\s/g, "_");
    return commandLine === "" ? name : `${name} ${commandLine}`;
  };
}

/** Claims the kernel's pieces, moved by `offset` bytes. */
export function placeKernel(context: LoadContext, owner: string, image: KernelImage, offset: number): void {
  for (const { name, start, size, bytes } of image.pieces) {
    const at = start + offset;
    context.memory.claimAt(at, { name, owner, size, bytes, whenTaken: adviceBelow1MiB(at) });
  }
}

/**
 * Places modules on pages, behind the kernel where there is room (as boot loaders have always done it), else at the
 * lowest place from 1 MiB on. Checks command lines.
 * @param kernelEnd first address behind the kernel.
 */
export function placeBootModules(context: LoadContext, owner: string, kernelEnd: number): PlacedModule[] {
  const { length } = zeroTerminated(context.commandLine);
  checkCommandLine(context.commandLine, length - 1, LONGEST_COMMAND_LINE, "more than any kernel reads");
  const files = [...(context.initrd === undefined ? [] : [context.initrd]), ...context.modules];
  const total = files.reduce((sum, { bytes }) => sum + alignUp(bytes.length, SIZE_4K), 0);
  const behind = Math.max(kernelEnd, HIGH_MEMORY_START);
  const roomy = context.memory.freeGaps(behind, RAM_HOLE.start).some(({ size }) => size >= total + SIZE_4K);
  const above = roomy ? behind : HIGH_MEMORY_START;
  return placeModules(context, owner, { prefer: "lowest", above, below: RAM_HOLE.start });
}

/**
 * Claims room for the information structure in base memory, or above it when it is too large for that. The caller
 * fills it, now that its address is known.
 */
export function placeInformation(context: LoadContext, owner: string, size: number): Region {
  return placeLow(context, { name: MULTIBOOT_INFORMATION, owner, size, align: INFORMATION_ALIGNMENT });
}

function placeLow(
  { memory }: LoadContext,
  request: { name: string; owner: string; size: number; align: number; bytes?: Uint8Array },
): Region {
  const base = { prefer: "lowest", above: BOOT_INFO.start, below: EBDA.start } as const;
  const high = { prefer: "lowest", above: HIGH_MEMORY_START, below: RAM_HOLE.start } as const;
  return memory.claimBySearch(request, memory.hasPlace(request.size, request.align, base) ? base : high);
}

/** The i386 machine state: flat 32-bit protected mode, interrupts off, the magic number and the structure. */
export class MultibootCpu {
  #gdt: number | undefined;

  constructor(readonly magic: number) {}

  /** Claims the descriptors; the kernel must not rely on them, but a CPU that has segments shows where from. */
  place(context: LoadContext, owner: string): void {
    const { bytes } = bootGdt(32, MULTIBOOT_SELECTORS);
    const request = { name: "gdt", owner, size: bytes.length, align: INFORMATION_ALIGNMENT, bytes };
    this.#gdt = placeLow(context, request).start;
  }

  state(entry: number, information: number): CpuState {
    if (this.#gdt === undefined) throw new Error("memory is not laid out yet");
    const registers = { rax: BigInt(this.magic), rbx: BigInt(information) };
    const selectors = MULTIBOOT_SELECTORS;
    return protectedMode32({ entry: BigInt(entry), gdtBase: this.#gdt, selectors, registers });
  }
}
