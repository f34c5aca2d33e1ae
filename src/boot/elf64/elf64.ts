/**
 * Loader "elf64": an uncompressed Linux kernel (vmlinux) by the 64-bit boot protocol: entered at e_entry in long
 * mode with boot_params in RSI, as Firecracker made customary.
 *
 * Specification: Linux Documentation/arch/x86/boot.rst, "64-bit Boot Protocol"; ELF gABI chapter 5.
 */
import type { ElfImage } from "../../formats/elf/elf.js";
import { deriveE820 } from "../../memory/e820.js";
import { BOOT_INFO } from "../../memory/layout.js";
import { BOOT_PARAMS_SIZE, LINUX_COMMAND_LINE_SIZE, LINUX_INITRD_ADDR_MAX } from "../../spec/boot-params.js";
import type { CpuState } from "../../x86/cpu-state.js";
import { longMode64 } from "../../x86/entry-states.js";
import { SERIAL_CONSOLE } from "../defaults.js";
import type { BootFault } from "../boot-error.js";
import { placeCommandLine, placeGdt, placeInitrd, placePageTables, warnOfSilence } from "../hand-over.js";
import { entryFault, kernelElf, placeSegments, unsuitableElf, type KernelElf } from "../kernel-elf.js";
import { bareSetupHeader, buildBootParams } from "../linux/boot-params.js";
import { placeSetupData, RNG_SEED_OPTION, rngSeed } from "../linux/setup-data.js";
import type { BootProtocol, LoadContext, Loader } from "../loader.js";

const NAME = "elf64";
const EI_CLASS_OFFSET = 4;

export const elf64Loader: Loader = {
  name: NAME,
  summary: "uncompressed 64-bit Linux kernel (vmlinux) at its ELF entry point, by the 64-bit boot protocol",
  defaultCommandLine: SERIAL_CONSOLE,
  options: { ...RNG_SEED_OPTION },
  recognise(image, { options, memory }) {
    const kernel = kernelElf(image, memory);
    const fault = unsuitableElf(kernel) ?? unsuitable(kernel);
    if (fault !== undefined) return { fits: false, fault };
    const why = `${kernel.origin}, 64-bit, entry point in a loaded segment`;
    return { fits: true, why, protocol: new Elf64Boot(kernel.elf, rngSeed(options)) };
  },
};

function unsuitable({ elf }: KernelElf): BootFault | undefined {
  if (elf.header.elfClass !== 64 || elf.arch !== "x86-64") {
    return {
      place: { kind: "file", offset: EI_CLASS_OFFSET },
      found: `ELF${elf.header.elfClass} for ${elf.arch}`,
      expected: "ELF64 for x86-64",
      meaning: "The 64-bit boot protocol enters in long mode; a 32-bit kernel needs PVH or multiboot.",
    };
  }
  return entryFault(elf, elf.header.entry);
}

class Elf64Boot implements BootProtocol {
  readonly entry = "64-bit ELF entry";
  #placed: { bootParams: number; gdt: number; cr3: bigint } | undefined;

  constructor(
    readonly elf: ElfImage,
    readonly seed: Uint8Array | undefined,
  ) {}

  layOutMemory(context: LoadContext): void {
    placeSegments(this.elf, context.memory, NAME);
    const initrd = placeInitrd(context, NAME, LINUX_INITRD_ADDR_MAX);
    const longest = LINUX_COMMAND_LINE_SIZE - 1;
    const commandLine = placeCommandLine(context, NAME, longest, "COMMAND_LINE_SIZE of Linux/x86");
    const setupData = placeSetupData(context, NAME, this.seed);
    const gdt = placeGdt(context, NAME, 64);
    const cr3 = placePageTables(context, NAME);
    const bytes = buildBootParams({
      setupHeader: bareSetupHeader(longest),
      commandLine,
      initrd,
      setupData,
      rsdp: context.rsdpAddress,
      vga: context.vga,
      e820: deriveE820(context.memory),
    });
    const region = { name: "boot_params", owner: NAME, size: BOOT_PARAMS_SIZE, bytes };
    const bootParams = context.memory.claimAt(BOOT_INFO.start, region).start;
    this.#placed = { bootParams, gdt, cr3 };
    warnOfSilence(context);
  }

  describeBootCpu(): CpuState {
    if (this.#placed === undefined) throw new Error("memory is not laid out yet");
    const { bootParams, gdt, cr3 } = this.#placed;
    const registers = { rsi: BigInt(bootParams) };
    return longMode64({ entry: this.elf.header.entry, gdtBase: gdt, registers }, cr3);
  }
}
