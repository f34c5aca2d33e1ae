/**
 * What an ELF file of an ARM kernel says beyond the generic format: whose kernel it is, its ABI, whether its physical
 * addresses are physical, what state it expects to be entered in. Describes; decides nothing.
 *
 * Sources: ELF for the Arm Architecture (IHI 0044) §5.2; notes of FreeBSD and NetBSD (spec/arm-elf.ts); entry states by
 * Linux, Documentation/arch/{arm,arm64}/booting.rst, and what the BSDs' start-up code reads.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { ARM_KERNEL_SPACE, EF_ARM, FREEBSD_KERNEL_INTERPRETER, OS_NOTE } from "../../spec/arm-elf.js";
import { ELF32, EM, PT } from "../../spec/elf.js";
import type { Fact } from "../image.js";
import type { ElfImage } from "./elf.js";
import type { ElfNote } from "./notes.js";
import { kernelSystem, type KernelSystem } from "./system.js";

type Described = Omit<ElfImage, "facts" | "summary">;

/** How its physical addresses are meant. */
export interface PhysicalAddresses {
  /** p_paddr repeats virtual addresses: the kernel learns where it lies from where it runs. */
  readonly virtual: boolean;
  /** Why, for people. */
  readonly why: string;
}

/** Whether the file is for an ARM machine. */
export function isArmElf({ header }: Pick<ElfImage, "header">): boolean {
  return header.machine === EM.ARM || header.machine === EM.AARCH64;
}

/** Whether p_paddr can be believed; undefined when nothing is loaded. */
export function physicalAddresses(
  image: Pick<ElfImage, "bytes" | "header" | "notes" | "interpreter" | "sections" | "segments">,
): PhysicalAddresses | undefined {
  const loads = image.segments.filter(({ type, memsz }) => type === PT.LOAD && memsz > 0n);
  if (loads.length === 0) return undefined;
  // Linux' vectors have a virtual address of their own: what counts is where the kernel begins.
  const first = loads.reduce((least, segment) => (segment.paddr < least.paddr ? segment : least));
  const lowest = first.paddr;
  if (lowest >= ARM_KERNEL_SPACE[64]) {
    return { virtual: true, why: `p_paddr ${hex(lowest)} is beyond all physical memory` };
  }
  if (lowest !== first.vaddr) {
    return { virtual: false, why: "p_paddr differs from p_vaddr: the linker was given physical addresses" };
  }
  if (kernelSystem(image) === "FreeBSD") {
    return {
      virtual: true,
      why: "FreeBSD's linker scripts give no physical addresses, so p_paddr repeats p_vaddr; the kernel learns its place from pc",
    };
  }
  if (image.header.elfClass === 32 && lowest >= ARM_KERNEL_SPACE[32]) {
    return {
      virtual: true,
      why: `p_paddr repeats p_vaddr, ${hex(lowest)}, where kernels are mapped and hardly a machine has memory`,
    };
  }
  return { virtual: false, why: "p_paddr repeats p_vaddr: linked for this place, with the MMU off" };
}

/** Systems whose state at the entry is known. */
type KnownSystem = "FreeBSD" | "NetBSD" | "OpenBSD" | "Linux";

const ENTRY_STATES: Readonly<
  Record<
    "arm" | "arm64",
    Readonly<Record<KnownSystem | "other", string>> & Partial<Record<KernelSystem, string>>
  >
> = {
  arm: {
    FreeBSD:
      "r0 = 0 and r2 = device tree, as Linux has it, or r0 = loader metadata; MMU off; entered at the physical address of e_entry",
    NetBSD: "r2 = device tree, as Linux has it; MMU off; entered at the physical address of e_entry",
    OpenBSD: "r2 = device tree, as Linux has it; MMU off; entered at the physical address of e_entry",
    Linux:
      "r0 = 0, r1 = machine or ~0, r2 = device tree; MMU and data cache off; SVC or HYP mode; at its physical address",
    other:
      "what its maker says; loaders of zImages give r0 = 0, r1 = machine or ~0, r2 = device tree, MMU off",
  },
  arm64: {
    FreeBSD:
      "x0 = loader metadata, or a device tree where the kernel has option LINUX_BOOT_ABI; MMU off or mapped by its loader",
    NetBSD: "x0 = device tree; MMU off; at its physical address",
    OpenBSD: "x0 = device tree; MMU off; at its physical address",
    Linux: "x0 = device tree, x1 = x2 = x3 = 0; MMU off; EL2 or EL1; at a 2 MiB boundary plus text_offset",
    other: "what its maker says; loaders of Images give x0 = device tree, x1 = x2 = x3 = 0, MMU off",
  },
};

/** e_flags of a 32-bit ARM file, in words: "EABI5", "hard-float". */
export function armFlagNames(flags: number): string[] {
  const version = (flags & EF_ARM.EABIMASK) >>> EF_ARM.EABI_SHIFT;
  const names = [version === 0 ? "no EABI" : `EABI${version}`];
  if ((flags & EF_ARM.BE8) !== 0) names.push("BE8");
  if ((flags & EF_ARM.ABI_FLOAT_HARD) !== 0) names.push("hard-float");
  if ((flags & EF_ARM.ABI_FLOAT_SOFT) !== 0) names.push("soft-float");
  return names;
}

function versionFacts(notes: readonly ElfNote[]): Fact[] {
  return Object.values(OS_NOTE).flatMap(({ owner, type, value }) => {
    const note = notes.find((one) => one.name === owner && one.type === type && one.desc.length === 4);
    if (note === undefined) return [];
    const version = new ByteView(note.desc).u32(0);
    return [
      {
        name: `${owner}.version`,
        value: version,
        offset: note.descOffset,
        meaning: `${value}, from the ABI note`,
      },
    ];
  });
}

/** One line's words of a kernel: "FreeBSD kernel", "EABI5". Empty for what is not made for ARM. */
export function armSummary(image: Described): string[] {
  if (!isArmElf(image)) return [];
  const system = kernelSystem(image);
  const words =
    system === undefined || image.interpreter?.startsWith("/lib") === true ? [] : [`${system} kernel`];
  if (image.header.machine === EM.ARM) words.push(armFlagNames(image.header.flags)[0]);
  return words;
}

/** Facts of an ARM file beyond those of every ELF file; none for other machines. */
export function armFacts(image: Described): Fact[] {
  if (!isArmElf(image)) return [];
  const { header, interpreter } = image;
  const system = kernelSystem(image);
  const facts: Fact[] = [];
  if (header.machine === EM.ARM) {
    facts.push({
      name: "arm.flags",
      value: armFlagNames(header.flags),
      offset: ELF32.ehdr.flags,
      meaning: "e_flags decoded",
    });
  }
  if (system !== undefined)
    facts.push({ name: "system", value: system, meaning: "by its notes, EI_OSABI and interpreter" });
  facts.push(...versionFacts(image.notes));
  if (interpreter === FREEBSD_KERNEL_INTERPRETER) {
    const offset = image.segments.find(({ type }) => type === PT.INTERP)?.offset;
    const meaning = "the mark of a FreeBSD kernel: it is linked dynamically, and nothing has that path";
    facts.push({
      name: "interpreter.meaning",
      value: "FreeBSD kernel",
      meaning,
      ...(offset === undefined ? {} : { offset }),
    });
  }
  const addresses = physicalAddresses(image);
  if (addresses === undefined) return facts;
  facts.push({ name: "p_paddr", value: addresses.virtual ? "virtual" : "physical", meaning: addresses.why });
  const states = ENTRY_STATES[header.machine === EM.ARM ? "arm" : "arm64"];
  return [
    ...facts,
    {
      name: "entry.state",
      value: states[system ?? "other"] ?? states.other,
      meaning: "expected of its loader",
    },
  ];
}
