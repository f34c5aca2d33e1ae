/**
 * Reader for U-Boot's legacy image ("uImage"): a 64-byte header before a kernel, with checksums of both. Knows no loader.
 * What is in it is told by whoever recognises images.
 *
 * Specification: U-Boot, include/image.h, struct legacy_img_hdr (numbers in spec/uimage.ts).
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { crc32 } from "../../codecs/crc32.js";
import { IH_ARCH, IH_COMP, IH_OS, IH_TYPE, UIMAGE, UIMAGE_MAGIC } from "../../spec/uimage.js";
import { reading, type FormatFault } from "../format-error.js";
import { once, type ImageBase } from "../image.js";
import { uImageFacts } from "./facts.js";

/** For people, and in errors. */
export const UIMAGE_NAME = "U-Boot uImage";

/** A uImage. */
export interface UImage extends ImageBase {
  readonly format: "uimage";
  /** Name of the image, up to 32 characters. */
  readonly name: string;
  /** Seconds since 1970 UTC. */
  readonly time: number;
  /** Bytes of data that the header claims. */
  readonly dataSize: number;
  /** Where the data goes, and the entry point: physical addresses. */
  readonly load: number;
  readonly entry: number;
  /** IH_OS_*, IH_ARCH_*, IH_TYPE_*, IH_COMP_*. */
  readonly os: number;
  readonly ihArch: number;
  readonly type: number;
  readonly compression: number;
  /** The data, as far as the file has it. */
  readonly data: Uint8Array;
  /** What the data is, where that can be told. */
  readonly content: string | undefined;
  readonly problems: readonly FormatFault[];
}

/** How whoever recognises images tells what is inside one. */
export type DescribeContent = (bytes: Uint8Array) => string | undefined;

/** Whether the magic number is there. */
export function hasUImageMagic(view: ByteView): boolean {
  return view.holds(UIMAGE.MAGIC, 4) && view.u32be(UIMAGE.MAGIC) === UIMAGE_MAGIC;
}

/** The name of a number of `table`; the number itself when it has none. */
export function ihName(table: Readonly<Record<string, number>>, value: number): string {
  const name = Object.entries(table).find(([, number]) => number === value)?.[0];
  return name?.toLowerCase() ?? String(value);
}

const ARCH_NAMES: ReadonlyMap<number, string> = new Map([
  [IH_ARCH.ARM, "arm"],
  [IH_ARCH.ARM64, "arm64"],
  [IH_ARCH.I386, "i386"],
  [IH_ARCH.X86_64, "x86-64"],
]);

/** Reads a uImage. The caller has checked the magic number. Throws FormatError for a header that is cut short. */
export function readUImage(bytes: Uint8Array, describe: DescribeContent): UImage {
  return reading(UIMAGE_NAME, "the header", () => {
    const view = new ByteView(bytes);
    view.check(0, UIMAGE.SIZE);
    const dataSize = view.u32be(UIMAGE.SIZE_FIELD);
    const data = bytes.subarray(UIMAGE.SIZE, UIMAGE.SIZE + Math.min(dataSize, bytes.length - UIMAGE.SIZE));
    const [os, ihArch] = [view.u8(UIMAGE.OS), view.u8(UIMAGE.ARCH)];
    const [type, compression] = [view.u8(UIMAGE.TYPE), view.u8(UIMAGE.COMP)];
    const base = {
      format: "uimage" as const,
      bytes,
      arch: ARCH_NAMES.get(ihArch) ?? ihName(IH_ARCH, ihArch),
      name: view.cString(UIMAGE.NAME, UIMAGE.NAME_SIZE) ?? view.latin1(UIMAGE.NAME, UIMAGE.NAME_SIZE),
      time: view.u32be(UIMAGE.TIME),
      dataSize,
      load: view.u32be(UIMAGE.LOAD),
      entry: view.u32be(UIMAGE.EP),
      os,
      ihArch,
      type,
      compression,
      data,
      content: describe(data),
      problems: problemsOf(view, data, dataSize),
    };
    const facts = once(() => uImageFacts(base));
    return {
      ...base,
      summary: summaryOf(base),
      get facts() {
        return facts();
      },
    };
  });
}

function problemsOf(view: ByteView, data: Uint8Array, dataSize: number): FormatFault[] {
  const problems: FormatFault[] = [];
  const header = Uint8Array.from(view.slice(0, UIMAGE.SIZE));
  header.fill(0, UIMAGE.HCRC, UIMAGE.HCRC + 4);
  const sums = [
    { offset: UIMAGE.HCRC, what: "header", sum: crc32(header) },
    { offset: UIMAGE.DCRC, what: "data", sum: crc32(data) },
  ];
  if (data.length < dataSize) {
    problems.push({
      offset: UIMAGE.SIZE_FIELD,
      found: `${dataSize} bytes of data in a file that has ${data.length}`,
      expected: "data within the file",
      meaning: "The file is cut short: fetch or build it again.",
    });
  }
  for (const { offset, what, sum } of sums) {
    const found = view.u32be(offset);
    if (found === sum) continue;
    problems.push({
      offset,
      found: `checksum ${hex(found, 8)} of the ${what}`,
      expected: hex(sum, 8),
      meaning: `The ${what} was changed after mkimage wrote it, or is damaged: U-Boot refuses it, Xen and QEMU do not look.`,
    });
  }
  return problems;
}

function summaryOf(image: Omit<UImage, "facts" | "summary">): string {
  const parts = [
    `${UIMAGE_NAME} "${image.name}"`,
    `${image.arch} ${ihName(IH_OS, image.os)} ${ihName(IH_TYPE, image.type)}`,
  ];
  if (image.compression !== IH_COMP.NONE) parts.push(`packed with ${ihName(IH_COMP, image.compression)}`);
  parts.push(`load ${hex(image.load)}`, `entry ${hex(image.entry)}`);
  if (image.content !== undefined) parts.push(`holds: ${image.content}`);
  return parts.join(", ");
}
