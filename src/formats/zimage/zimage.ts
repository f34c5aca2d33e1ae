/**
 * Reader for Linux's 32-bit ARM zImage, which other kernels and wrappers use too: its header, the extension table, the
 * compressed kernel inside. Knows no loader.
 *
 * Specification: Linux, Documentation/arch/arm/booting.rst and arch/arm/boot/compressed (numbers in spec/arm-boot.ts).
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { ZIMAGE, ZIMAGE_ENDIAN, ZIMAGE_MAGIC, ZIMAGE_MAGIC2 } from "../../spec/arm-boot.js";
import { reading, type FormatFault } from "../format-error.js";
import { once, type ImageBase } from "../image.js";
import { zImageFacts } from "./facts.js";
import { locateZImagePayload, type ZImagePayload } from "./payload.js";
import { readExtensionTable, type ZImageTable } from "./table.js";

/** For people, and in errors. */
export const ZIMAGE_NAME = "ARM zImage";

/** A zImage. */
export interface ZImage extends ImageBase {
  readonly format: "zimage";
  readonly arch: "arm";
  /** The byte order of the header's words, and of the kernel's data. */
  readonly bigEndian: boolean;
  /** _magic_start: the address it is linked for; 0 when it may be anywhere. */
  readonly start: number;
  /** _magic_end, counted as `start` is. */
  readonly end: number;
  /** The word at 0x30, read little-endian; undefined when the file ends before it. */
  readonly endianMagic: number | undefined;
  /** Linux 4.15 and later. */
  readonly table: ZImageTable | undefined;
  /** The compressed kernel, where one can be found. */
  readonly payload: ZImagePayload | undefined;
  /** What is wrong with the header although it can be read; loaders differ in what they mind. */
  readonly problems: readonly FormatFault[];
}

/** Whether the magic number stands where a zImage has it. */
export function hasZImageMagic(view: ByteView): boolean {
  if (!view.holds(ZIMAGE.MAGIC, 4)) return false;
  return view.u32(ZIMAGE.MAGIC) === ZIMAGE_MAGIC || view.u32be(ZIMAGE.MAGIC) === ZIMAGE_MAGIC;
}

/** Reads a zImage. The caller has checked the magic number. Throws FormatError for a header that is cut short. */
export function readZImage(bytes: Uint8Array): ZImage {
  return reading(ZIMAGE_NAME, "the header", () => {
    const view = new ByteView(bytes);
    view.check(0, ZIMAGE.SIZE);
    const bigEndian = view.u32(ZIMAGE.MAGIC) !== ZIMAGE_MAGIC;
    const word = (at: number): number => (bigEndian ? view.u32be(at) : view.u32(at));
    const extended = view.holds(0, ZIMAGE.EXTENDED_SIZE) && word(ZIMAGE.MAGIC2) === ZIMAGE_MAGIC2;
    const problems: FormatFault[] = [];
    const table = extended ? readExtensionTable(view, word, problems) : undefined;
    const [start, end] = [word(ZIMAGE.START), word(ZIMAGE.END)];
    problems.push(...endProblems(start, end, bytes.length));
    const base = {
      format: "zimage" as const,
      arch: "arm" as const,
      bytes,
      bigEndian,
      start,
      end,
      endianMagic: view.holds(ZIMAGE.ENDIAN_MAGIC, 4) ? view.u32(ZIMAGE.ENDIAN_MAGIC) : undefined,
      table,
      payload: locateZImagePayload(view, table),
      problems,
    };
    const facts = once(() => zImageFacts(base));
    return {
      ...base,
      summary: summaryOf(base),
      get facts() {
        return facts();
      },
    };
  });
}

function endProblems(start: number, end: number, size: number): FormatFault[] {
  const length = end - start;
  if (length > 0 && length <= size) return [];
  return [
    {
      offset: ZIMAGE.END,
      found: `end ${hex(end, 8)} with start ${hex(start, 8)}: ${length} bytes`,
      expected: `from 1 to the ${size} bytes of the file`,
      meaning:
        "The file is cut short, or its maker counts memory behind it too, as Xen's own zImage does. Xen refuses such a " +
        "kernel; others do not look.",
    },
  ];
}

function summaryOf(image: Pick<ZImage, "start" | "bigEndian" | "payload" | "endianMagic">): string {
  const parts = [ZIMAGE_NAME];
  if (image.bigEndian || image.endianMagic === ZIMAGE_ENDIAN.BIG) parts.push("big-endian");
  parts.push(image.start === 0 ? "runs anywhere" : `for address ${hex(image.start)}`);
  if (image.payload !== undefined) parts.push(`${image.payload.codecName} payload`);
  return parts.join(", ");
}
