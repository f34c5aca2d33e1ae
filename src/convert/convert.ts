/**
 * From one kind of kernel image to another. Of ARM kernels: wraps an ELF file as a zImage (32-bit) or an arm64 Image
 * (64-bit) for loaders that take nothing else, such as Xen's; and makes an ELF file of what is in one of these. Of x86 kernels: the ELF
 * file in a bzImage, an ELF32 file of a 64-bit Multiboot kernel, a PVH note. Pure: bytes in, bytes and what is to be known of them out.
 */
import { hex } from "../bytes/hex.js";
import type { ElfImage } from "../formats/elf/elf.js";
import { FormatError } from "../formats/format-error.js";
import { recogniseAny, type KnownImage } from "../formats/index.js";
import { readUnifiedKernel } from "../formats/pe/uki.js";
import { ELF32, ELF64 } from "../spec/elf.js";
import { readArmKernel, type ArmKernel } from "./arm-kernel.js";
import { ConvertError } from "./convert-error.js";
import { elfFile } from "./elf-file.js";
import { addPvhNote } from "./pvh.js";
import { containElf32 } from "./elf32.js";
import { takeVmlinux } from "./vmlinux.js";
import { X86_TARGETS, type X86Kernel, type X86Target } from "./x86.js";
import { placeKernel, type Placement, type PlacementRequest } from "./placement.js";
import { unwrapArm64Image, unwrapZImage } from "./unwrap.js";
import { wrapArm64Image, wrapZImage } from "./wrap.js";
import { TAIL_SIZE, TREE_ALIGNMENT } from "./wrapper.js";

/** What an image can be made into. */
export const CONVERT_TARGETS = ["zimage", "arm64-image", "elf", ...X86_TARGETS] as const;
export type ConvertTarget = (typeof CONVERT_TARGETS)[number];
/** Those that wrap a kernel. */
export type WrapTarget = "zimage" | "arm64-image";

/** What is wanted. */
export interface ConvertOptions extends PlacementRequest {
  readonly to: ConvertTarget;
  /** Bytes that what is packed, the file as a whole or the kernel in it, may unpack to. */
  readonly maxUnpacked?: number | undefined;
  /** For `pvh`: where the note is to lead, "0x…" or a symbol's name; absent: what the kernel's notes and symbols tell. */
  readonly entry?: string | undefined;
  /** Bytes that an ELF kernel may take in memory; default: 128 MiB of a 32-bit one, 1 GiB of a 64-bit one. */
  readonly maxMemory?: number | undefined;
}

interface Converted {
  readonly bytes: Uint8Array;
  /** What the input is, in a line. */
  readonly input: string;
  /** Bytes of the kernel in the file and in memory (bss included). */
  readonly contents: number;
  readonly memory: number;
  /** What one has to know when using it. */
  readonly notes: readonly string[];
}

/** A zImage or an arm64 Image. */
export interface WrappedKernel extends Converted {
  readonly target: WrapTarget;
  /** Where it goes, and why. */
  readonly placement: Placement;
  /** Entry point: a physical address, or an offset from the start of memory, as the placement is. */
  readonly entry: number;
  readonly instructionSet: "ARM" | "Thumb" | "A64";
}

/** An ELF file. */
export interface UnwrappedKernel extends Converted {
  readonly target: "elf";
  /** How the kernel was found in the image. */
  readonly found: string;
  /** p_paddr and p_vaddr of its only segment, and e_entry. */
  readonly address: bigint;
  readonly entry: bigint;
}

export type Conversion = WrappedKernel | UnwrappedKernel | X86Kernel;

/** More than any kernel has unpacked, debugging information included. */
const LARGEST_UNPACKED = 1 << 30;

const BITS: Readonly<Record<WrapTarget, 32 | 64>> = { zimage: 32, "arm64-image": 64 };
const TARGET_OF = { 32: "zimage", 64: "arm64-image" } as const;

/**
 * Converts a kernel. Throws FormatError for a file that cannot be: no ARM kernel, damaged, or for the other kind of
 * machine; ConvertError for a place that does not go with it.
 */
export function convert(
  bytes: Uint8Array,
  options: ConvertOptions & { readonly to: WrapTarget },
): WrappedKernel;
/** The same to an ELF file. */
export function convert(bytes: Uint8Array, options: ConvertOptions & { readonly to: "elf" }): UnwrappedKernel;
/** The same of an x86 kernel. */
export function convert(bytes: Uint8Array, options: ConvertOptions & { readonly to: X86Target }): X86Kernel;
/** The same to any of these. */
export function convert(bytes: Uint8Array, options: ConvertOptions): Conversion;
/** All of them. */
export function convert(bytes: Uint8Array, options: ConvertOptions): Conversion {
  const maxUnpacked = options.maxUnpacked ?? LARGEST_UNPACKED;
  const { to } = options;
  checkOptions(options);
  const image = recogniseAny(kernelOf(bytes, to), { maxOutput: maxUnpacked });
  if (image.format === "foreign") throw image.refusal;
  switch (to) {
    case "elf":
      return unwrap(image, maxUnpacked);
    case "vmlinux":
      return takeVmlinux(image, maxUnpacked);
    case "elf32":
      return containElf32(image);
    case "pvh":
      return addPvhNote(image, options.entry);
    default:
      return wrapImage(image, { ...options, to });
  }
}

/** A vmlinux may be asked of a unified kernel image, too. */
function kernelOf(bytes: Uint8Array, to: ConvertTarget): Uint8Array {
  return (to === "vmlinux" ? readUnifiedKernel(bytes)?.kernel : undefined) ?? bytes;
}

/** Options that would be ignored silently. */
function checkOptions({ to, at, relative, entry }: ConvertOptions): void {
  const placed = at !== undefined || relative === true;
  if (placed && to !== "zimage" && to !== "arm64-image") {
    throw new ConvertError(
      "a place for an ELF file",
      "none",
      "Its place is chosen when it is wrapped again, or by what loads it: leave it out.",
    );
  }
  if (entry !== undefined && to !== "pvh") {
    throw new ConvertError(
      `an entry for ${to}`,
      "none",
      "Only a PVH note leads to an entry that one may choose.",
    );
  }
}

function wrapImage(image: KnownImage, options: ConvertOptions & { readonly to: WrapTarget }): WrappedKernel {
  if (image.format !== "elf") throw refuseInput(image, "the ELF file of an ARM kernel", wrapAdvice(image));
  return wrap(image, options.to, options);
}

function refuseInput(image: KnownImage, expected: string, meaning: string): FormatError {
  return new FormatError(image.format, { offset: 0, found: image.summary, expected, meaning });
}

function wrapAdvice({ format }: KnownImage): string {
  if (format === "zimage" || format === "arm64-image")
    return "It is such an image already: use it as it is, or convert it to elf first.";
  if (format === "uimage" || format === "fit") return "Take the kernel out of it first (dumpimage).";
  return "Only ELF files are wrapped: give the kernel as its linker made it.";
}

function wrap(image: ElfImage, to: WrapTarget, options: ConvertOptions): WrappedKernel {
  const kernel = readArmKernel(image, options.maxMemory);
  checkTarget(image, kernel, to);
  const placement = placeKernel(image, kernel, options);
  return {
    target: to,
    bytes: kernel.bits === 32 ? wrapZImage(kernel, placement) : wrapArm64Image(kernel, placement),
    input: image.summary,
    contents: kernel.contents.length,
    memory: kernel.memory,
    placement,
    entry: placement.address + kernel.entry - (kernel.entry % 2),
    instructionSet: kernel.bits === 64 ? "A64" : kernel.entry % 2 === 1 ? "Thumb" : "ARM",
    notes: notes(kernel, placement),
  };
}

function unwrap(image: KnownImage, maxUnpacked: number): UnwrappedKernel {
  if (image.format !== "zimage" && image.format !== "arm64-image") {
    const meaning =
      image.format === "elf"
        ? "It is an ELF file already."
        : "Only these are unwrapped: of a bzImage --to vmlinux takes the kernel.";
    throw refuseInput(image, "a zImage or an arm64 Image", meaning);
  }
  const kernel = image.format === "zimage" ? unwrapZImage(image, maxUnpacked) : unwrapArm64Image(image);
  const { address, entry, memory, found, note } = kernel;
  return {
    target: "elf",
    bytes: elfFile(kernel),
    input: image.summary,
    contents: kernel.bytes.length,
    memory,
    found,
    address,
    entry,
    notes: [note],
  };
}

function checkTarget({ header, arch }: ElfImage, { bits }: ArmKernel, to: WrapTarget): void {
  if (bits === BITS[to]) return;
  throw new FormatError("ELF", {
    offset: (bits === 64 ? ELF64 : ELF32).ehdr.machine,
    found: `e_machine ${header.machine} (${arch})`,
    expected: `a ${BITS[to]}-bit ARM kernel`,
    meaning: `The target ${to} is for ${BITS[to]}-bit machines: ask for ${TARGET_OF[bits]}.`,
  });
}

/** An address as the placement counts it: "0x40400000", "start of memory + 0x400000". */
export function placeText({ kind }: Placement, address: number): string {
  return kind === "absolute" ? hex(address) : `start of memory + ${hex(address)}`;
}

/** Where the trampolines move a device tree to. */
function treeNote({ bits }: ArmKernel, { kind }: Placement): string {
  const up = `the next ${TREE_ALIGNMENT / 2 ** 20} MiB boundary above both the kernel's memory and the loaded image, where there must be memory`;
  const down = "below kernel and image if there is room down to the start of memory, else ";
  return `A device tree in the kernel's memory is moved: ${bits === 32 && kind === "relative" ? down : ""}to ${up} for it.`;
}

function notes(kernel: ArmKernel, placement: Placement): string[] {
  const end = placeText(placement, placement.address + kernel.memory);
  const from = placeText(placement, placement.address);
  const found = [
    `Memory from ${from} to ${end} is overwritten, and up to ${hex(TAIL_SIZE)} bytes above that and above the loaded image: an initial RAM disk must lie elsewhere.`,
    treeNote(kernel, placement),
    "There is no EFI stub in it: loaders start it, UEFI firmware does not.",
  ];
  if (placement.kind === "relative") {
    found.push(
      kernel.bits === 32
        ? "The start of memory is taken to be a multiple of 128 MiB, with the image in the first 128 MiB, as Linux asks of its loaders."
        : "The start of memory is taken to be the 2 MiB boundary that the image is loaded at.",
    );
  } else {
    found.push("It runs only on machines that have memory there.");
  }
  if (kernel.bits === 32) found.push("The wrapper's code is for ARMv7-A and later.");
  return found;
}
