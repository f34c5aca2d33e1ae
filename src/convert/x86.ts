/**
 * What the conversions of x86 kernels share: what comes out, and where an address of a kernel lies in its file and in memory. Knows no
 * loader.
 */
import { hex } from "../bytes/hex.js";
import type { ElfImage } from "../formats/elf/elf.js";
import { loadSegments, type LoadSegment } from "../formats/elf/segments.js";
import { FormatError } from "../formats/format-error.js";
import type { KnownImage } from "../formats/index.js";
import { EM } from "../spec/elf.js";

/** Targets for x86 kernels. */
export const X86_TARGETS = ["vmlinux", "elf32", "pvh"] as const;
export type X86Target = (typeof X86_TARGETS)[number];

/** An x86 kernel in another container. */
export interface X86Kernel {
  readonly target: X86Target;
  readonly bytes: Uint8Array;
  /** What the input is, in a line. */
  readonly input: string;
  /** Bytes of the kernel in the file and in memory (bss included). */
  readonly contents: number;
  readonly memory: number;
  /** What was done, for people. */
  readonly found: string;
  /** Where it is entered: a physical address, or e_entry as it stands in a vmlinux. */
  readonly entry: bigint;
  /** What one has to know when using it. */
  readonly notes: readonly string[];
}

/** Bytes in the file and in memory, of all segments together. */
export function sizesOf(loads: readonly LoadSegment[]): Pick<X86Kernel, "contents" | "memory"> {
  const [start, end] = rangeOf(loads);
  return { contents: loads.reduce((sum, { bytes }) => sum + bytes.length, 0), memory: end - start };
}

/** From the lowest byte to behind the highest; segments are sorted, and do not overlap. */
function rangeOf(loads: readonly LoadSegment[]): readonly [start: number, end: number] {
  const [first, last] = [loads.at(0), loads.at(-1)];
  return [first?.paddr ?? 0, last === undefined ? 0 : last.paddr + last.memsz];
}

/** The segments of an ELF kernel for x86. Throws FormatError for any other image, and where there is nothing to load. */
export function x86Segments(image: KnownImage, advice: string): { elf: ElfImage; loads: LoadSegment[] } {
  if (image.format !== "elf") throw refused(image, 0, image.summary, "an ELF kernel for x86", advice);
  const { machine } = image.header;
  if (machine !== EM.X86_64 && machine !== EM[386])
    throw refused(
      image,
      E_MACHINE,
      `a file for ${image.arch}`,
      "x86-64 or i386",
      "It is for x86 kernels only.",
    );
  const loads = loadSegments(image);
  if (loads.length === 0)
    throw refused(
      image,
      0,
      "no segment to load",
      "a kernel",
      "An object file or module is no kernel: link it.",
    );
  return { elf: image, loads };
}

const E_MACHINE = 0x12;

/** The refusal of a file for a conversion. */
export function refused(
  { format }: Pick<KnownImage, "format">,
  offset: number,
  found: string,
  expected: string,
  meaning: string,
): FormatError {
  return new FormatError(format === "elf" ? "ELF" : format, { offset, found, expected, meaning });
}

/** The segment that holds an address, and the address as a physical one; virtual ones are looked for first. */
export function physicalPlace(
  loads: readonly LoadSegment[],
  address: bigint,
): { segment: LoadSegment; physical: number } | undefined {
  for (const of of [(one: LoadSegment) => one.vaddr, (one: LoadSegment) => BigInt(one.paddr)]) {
    const segment = loads.find((one) => address >= of(one) && address < of(one) + BigInt(one.memsz));
    if (segment !== undefined) return { segment, physical: segment.paddr + Number(address - of(segment)) };
  }
  return undefined;
}

/** `0x100000–0x120000`: where the segments go. */
export function rangeText(loads: readonly LoadSegment[]): string {
  return rangeOf(loads)
    .map((address) => hex(address))
    .join("–");
}
