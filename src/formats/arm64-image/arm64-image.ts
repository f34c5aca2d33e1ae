/**
 * Reader for Linux's 64-bit ARM Image, which other kernels and wrappers use too. Knows no loader.
 *
 * Specification: Linux, Documentation/arch/arm64/booting.rst §4 (numbers in spec/arm-boot.ts); the PE header of an EFI
 * program is found as Microsoft's PE/COFF specification §3 says.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import {
  ARM64_DEFAULT_TEXT_OFFSET,
  ARM64_IMAGE,
  ARM64_IMAGE_ALIGNMENT,
  ARM64_IMAGE_FLAGS,
  ARM64_IMAGE_MAGIC,
} from "../../spec/arm-boot.js";
import { DOS } from "../../spec/file-magic.js";
import { reading, type FormatFault } from "../format-error.js";
import { once, type ImageBase } from "../image.js";
import { arm64ImageFacts } from "./facts.js";

/** For people, and in errors. */
export const ARM64_IMAGE_NAME = "arm64 Image";

/** An arm64 Image. */
export interface Arm64Image extends ImageBase {
  readonly format: "arm64-image";
  readonly arch: "arm64";
  readonly code0: number;
  readonly code1: number;
  /** As the header has it; `placement` says what it means. */
  readonly textOffset: bigint;
  /** As the header has it: memory needed, bss included; 0 before Linux 3.17. */
  readonly imageSize: bigint;
  readonly flags: bigint;
  readonly bigEndian: boolean;
  /** KiB; undefined where the header does not say. */
  readonly pageSize: 4 | 16 | 64 | undefined;
  /** Flag bit 3: its 2 MiB boundary may be anywhere in memory. */
  readonly anywhere: boolean;
  /** Offset from a 2 MiB boundary that it is to be loaded at: 0x80000 where the header is too old to say. */
  readonly loadOffset: bigint;
  /** File offset of "PE\0\0", when the file is an EFI program too. */
  readonly peOffset: number | undefined;
  /** What is wrong with the header although it can be read. */
  readonly problems: readonly FormatFault[];
}

const PAGE_SIZES = [undefined, 4, 16, 64] as const;

/** Whether the magic number stands where an Image has it. */
export function hasArm64Magic(view: ByteView): boolean {
  return view.holds(ARM64_IMAGE.MAGIC, 4) && view.u32(ARM64_IMAGE.MAGIC) === ARM64_IMAGE_MAGIC;
}

/** Reads an Image. The caller has checked the magic number. Throws FormatError for a header that is cut short. */
export function readArm64Image(bytes: Uint8Array): Arm64Image {
  return reading(ARM64_IMAGE_NAME, "the header", () => {
    const view = new ByteView(bytes);
    view.check(0, ARM64_IMAGE.SIZE);
    const [textOffset, imageSize] = [view.u64(ARM64_IMAGE.TEXT_OFFSET), view.u64(ARM64_IMAGE.IMAGE_SIZE)];
    const flags = view.u64(ARM64_IMAGE.FLAGS);
    const base = {
      format: "arm64-image" as const,
      arch: "arm64" as const,
      bytes,
      code0: view.u32(ARM64_IMAGE.CODE0),
      code1: view.u32(ARM64_IMAGE.CODE1),
      textOffset,
      imageSize,
      flags,
      bigEndian: (flags & ARM64_IMAGE_FLAGS.BIG_ENDIAN) !== 0n,
      pageSize:
        PAGE_SIZES[Number((flags >> ARM64_IMAGE_FLAGS.PAGE_SIZE_SHIFT) & ARM64_IMAGE_FLAGS.PAGE_SIZE_MASK)],
      anywhere: (flags & ARM64_IMAGE_FLAGS.PHYSICAL_PLACEMENT) !== 0n,
      loadOffset: imageSize === 0n ? BigInt(ARM64_DEFAULT_TEXT_OFFSET) : textOffset,
      peOffset: peOffset(view),
      problems: problemsOf(textOffset, imageSize, bytes.length),
    };
    const facts = once(() => arm64ImageFacts(base));
    return {
      ...base,
      summary: summaryOf(base),
      get facts() {
        return facts();
      },
    };
  });
}

function peOffset(view: ByteView): number | undefined {
  if (!DOS.MAGIC.every((byte, i) => view.bytes[i] === byte)) return undefined;
  const at = view.u32(ARM64_IMAGE.PE_OFFSET);
  if (!view.holds(at, DOS.PE_MAGIC.length)) return undefined;
  return DOS.PE_MAGIC.every((byte, i) => view.bytes[at + i] === byte) ? at : undefined;
}

function problemsOf(textOffset: bigint, imageSize: bigint, fileSize: number): FormatFault[] {
  const problems: FormatFault[] = [];
  if (imageSize !== 0n && imageSize < BigInt(fileSize)) {
    problems.push({
      offset: ARM64_IMAGE.IMAGE_SIZE,
      found: `image_size ${hex(imageSize)} in a file of ${hex(fileSize)} bytes`,
      expected: "at least the file's size, because it counts the bss too",
      meaning: "Something was appended to the file, or its header is damaged.",
    });
  }
  if (imageSize !== 0n && textOffset >= BigInt(ARM64_IMAGE_ALIGNMENT)) {
    problems.push({
      offset: ARM64_IMAGE.TEXT_OFFSET,
      found: `text_offset ${hex(textOffset)}`,
      expected: `below ${hex(ARM64_IMAGE_ALIGNMENT)}: it counts from a 2 MiB boundary`,
      meaning: "The header is damaged, or made for one loader only; others put it elsewhere or refuse it.",
    });
  }
  return problems;
}

function summaryOf(image: Pick<Arm64Image, "bigEndian" | "pageSize" | "anywhere" | "peOffset">): string {
  const parts = [ARM64_IMAGE_NAME];
  if (image.bigEndian) parts.push("big-endian");
  if (image.pageSize !== undefined) parts.push(`${image.pageSize} KiB pages`);
  parts.push(image.anywhere ? "at any 2 MiB boundary" : "near the start of memory");
  if (image.peOffset !== undefined) parts.push("EFI program");
  return parts.join(", ");
}
