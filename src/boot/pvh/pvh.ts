/**
 * Loader "pvh": any kernel with a Xen PHYS32_ENTRY note, straight from its ELF file or from a bzImage's payload
 * (R2.1). Entered in flat 32-bit mode with start_info in EBX. Makes no claim to be Xen.
 *
 * Where start_info goes (R2.4): low memory suits every current system; kernels that look for it behind their
 * image get it there with `loader.start_info=after-kernel`.
 *
 * Specification: Xen docs/misc/pvh.pandoc.
 */
import { hex } from "../../bytes/hex.js";
import { alignUp } from "../../bytes/align.js";
import type { ElfImage } from "../../formats/elf/elf.js";
import type { KernelSystem } from "../../formats/elf/system.js";
import type { PvhEntry } from "../../formats/elf/notes.js";
import type { LoadSegment } from "../../formats/elf/segments.js";
import { deriveE820 } from "../../memory/e820.js";
import { BOOT_INFO, COMMAND_LINE_AREA, EBDA, HIGH_MEMORY_START, RAM_HOLE } from "../../memory/layout.js";
import { START_INFO } from "../../spec/pvh.js";
import { SIZE_4K } from "../../spec/x86-system.js";
import type { CpuState } from "../../x86/cpu-state.js";
import { protectedMode32 } from "../../x86/entry-states.js";
import type { BootFault } from "../boot-error.js";
import {
  checkCommandLine,
  placeCommandLine,
  placeGdt,
  placeModules,
  zeroTerminated,
  type PlacedModule,
} from "../hand-over.js";
import { entryFault, kernelElf, placeSegments, unsuitableElf } from "../kernel-elf.js";
import type { BootProtocol, LoadContext, Loader } from "../loader.js";
import { consoleWords, systemOf, warnOfCommandLine, type DefaultCommandLine } from "../systems.js";
import { buildStartInfo, startInfoSize, type StartInfoInput, type StartInfoVersion } from "./start-info.js";

const NAME = "pvh";
const LOW = "low";
const AFTER_KERNEL = "after-kernel";
/** Module addresses are 64 bits wide, but 32-bit entry code reads the low half. */
const MODULE_PLACES = { prefer: "highest", above: HIGH_MEMORY_START, below: RAM_HOLE.start } as const;
const LONGEST_COMMAND_LINE = COMMAND_LINE_AREA.size - 1;
const LIMITED_BY = "the room kept for it";

export const pvhLoader: Loader = {
  name: NAME,
  summary: "any kernel with a PVH entry (Xen note PHYS32_ENTRY), or the one inside a bzImage",
  options: {
    start_info: {
      values: [LOW, AFTER_KERNEL],
      help: "where start_info goes; after-kernel for old BSD kernels",
    },
    version: {
      values: ["0", "1"],
      help: "the version of start_info; 1 has the memory map that current kernels need",
    },
  },
  takesModules: true,
  recognise(image, { options, memory }) {
    const kernel = kernelElf(image, memory);
    const { elf, origin } = kernel;
    const fault = unsuitableElf(kernel);
    if (fault !== undefined) return { fits: false, fault };
    if (elf.pvh === undefined) return { fits: false, fault: noNote(elf) };
    const { address, note } = elf.pvh;
    const outside = entryFault(elf, BigInt(address), note.descOffset);
    if (outside !== undefined) return { fits: false, fault: outside };
    const why = `${origin} with a PVH entry note (${note.source}, offset ${hex(note.offset)})`;
    const placement = options.start_info === AFTER_KERNEL ? AFTER_KERNEL : LOW;
    const version = options["version"] === "0" ? 0 : START_INFO.VERSION;
    return { fits: true, why, protocol: new PvhBoot(elf, elf.pvh, placement, version) };
  },
};

function noNote(elf: ElfImage): BootFault {
  return {
    place: { kind: "file", offset: 0 },
    found: `notes (${elf.notes.length}) without Xen's PHYS32_ENTRY`,
    expected: 'a note of owner "Xen", type 18, that gives the entry point',
    meaning: "The kernel was built without PVH support (Linux: CONFIG_PVH), or its notes were stripped.",
  };
}

class PvhBoot implements BootProtocol {
  readonly entry = "PVH entry";
  readonly defaultCommandLine: DefaultCommandLine | undefined;
  readonly #system: KernelSystem | undefined;
  #placed: { startInfo: number; gdt: number } | undefined;

  constructor(
    readonly elf: ElfImage,
    readonly pvh: PvhEntry,
    readonly placement: typeof LOW | typeof AFTER_KERNEL,
    readonly version: StartInfoVersion,
  ) {
    const mark = systemOf(elf);
    this.#system = mark?.system;
    this.defaultCommandLine = consoleWords(mark);
  }

  layOutMemory(context: LoadContext): void {
    const segments = placeSegments(this.elf, context.memory, NAME);
    const startInfo = this.placement === LOW ? this.#placeLow(context) : this.#placeBehind(context, segments);
    const gdt = placeGdt(context, NAME, 32);
    this.#placed = { startInfo, gdt };
    this.#warn(context);
  }

  describeBootCpu(): CpuState {
    if (this.#placed === undefined) throw new Error("memory is not laid out yet");
    const { startInfo, gdt } = this.#placed;
    const registers = { rbx: BigInt(startInfo) };
    return protectedMode32({ entry: BigInt(this.pvh.address), gdtBase: gdt, registers });
  }

  #placeLow(context: LoadContext): number {
    const modules = placeModules(context, NAME, MODULE_PLACES);
    const commandLine = placeCommandLine(context, NAME, LONGEST_COMMAND_LINE, LIMITED_BY);
    const input = startInfoInput(context, this.version, modules, commandLine);
    if (startInfoSize(input) > BOOT_INFO.size) return this.#placeLarge(context, input);
    const bytes = buildStartInfo({ ...input, base: BOOT_INFO.start });
    const request = { name: "start_info", owner: NAME, size: BOOT_INFO.size, bytes };
    return context.memory.claimAt(BOOT_INFO.start, request).start;
  }

  /** Many modules with long command lines: base memory above the command line has room, or else all of memory. */
  #placeLarge(context: LoadContext, input: Omit<StartInfoInput, "base">): number {
    const above = COMMAND_LINE_AREA.start + COMMAND_LINE_AREA.size;
    const size = alignUp(startInfoSize(input), SIZE_4K);
    const base = { prefer: "lowest", above, below: EBDA.start } as const;
    const high = { prefer: "lowest", above: HIGH_MEMORY_START, below: RAM_HOLE.start } as const;
    const limits = context.memory.hasPlace(size, SIZE_4K, base) ? base : high;
    const request = { name: "start_info", owner: NAME, size, align: SIZE_4K };
    const region = context.memory.claimBySearch(request, limits);
    region.content = { kind: "bytes", bytes: buildStartInfo({ ...input, base: region.start }) };
    return region.start;
  }

  /** Everything together on the first free page behind the image; the initrd must not take that place. */
  #placeBehind(context: LoadContext, segments: readonly LoadSegment[]): number {
    const text = zeroTerminated(context.commandLine);
    checkCommandLine(context.commandLine, text.length - 1, LONGEST_COMMAND_LINE, LIMITED_BY);
    const modules = placeModules(context, NAME, MODULE_PLACES);
    const input = startInfoInput(context, this.version, modules, text);
    const last = segments[segments.length - 1];
    const above = alignUp(last.paddr + last.memsz, SIZE_4K);
    const size = alignUp(startInfoSize(input), SIZE_4K);
    const region = context.memory.claimBySearch(
      { name: "start_info", owner: NAME, size, align: SIZE_4K },
      { prefer: "lowest", above, below: RAM_HOLE.start },
    );
    region.content = { kind: "bytes", bytes: buildStartInfo({ ...input, base: region.start }) };
    return region.start;
  }

  #warn(context: LoadContext): void {
    const system = this.#system;
    if (this.version === 0) {
      const who = system === undefined ? "Linux, FreeBSD and NetBSD stop" : `${system} stops`;
      context.warn(`start_info version 0 has no memory map: ${who} without one`);
    }
    warnOfCommandLine(system, context);
    // sys/x86/xen/pv.c: what it looks for there is what its own loader would have put there.
    if (system === "FreeBSD" && (context.initrd !== undefined || context.modules.length > 0))
      context.warn("FreeBSD takes the first module for loader metadata: an initrd will confuse it");
  }
}

function startInfoInput(
  context: LoadContext,
  version: StartInfoVersion,
  placed: readonly PlacedModule[],
  commandLine: number | Uint8Array,
): Omit<StartInfoInput, "base"> {
  const modules = placed.map(({ address, size, commandLine: text }) =>
    text === "" ? { address, size } : { address, size, commandLine: zeroTerminated(text) },
  );
  return { version, modules, rsdp: context.rsdpAddress, memoryMap: deriveE820(context.memory), commandLine };
}
