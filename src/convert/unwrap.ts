/**
 * The kernel inside a zImage or an arm64 Image as one run of bytes in memory: what our own wrapper holds, what a Linux
 * zImage unpacks itself to, an Image as it is. Knows no ELF. Sources: wrapper.ts; spec/arm-boot.ts.
 */
import { ByteView } from "../bytes/byte-view.js";
import { hex } from "../bytes/hex.js";
import { ARM64_IMAGE_NAME, type Arm64Image } from "../formats/arm64-image/arm64-image.js";
import { FormatError, reading } from "../formats/format-error.js";
import { unpackZImage } from "../formats/zimage/payload.js";
import { ZIMAGE_NAME, type ZImage } from "../formats/zimage/zimage.js";
import { ARM64_IMAGE, ARM64_IMAGE_ALIGNMENT, ZIMAGE } from "../spec/arm-boot.js";
import { LARGEST_KERNEL } from "./arm-kernel.js";
import type { FlatKernel } from "./elf-file.js";
import {
  COPY_UNIT,
  HEADER_SIZE,
  SIGNATURE,
  SIGNATURE_OFFSET,
  TAIL_SIZE,
  WRAPPER32,
  WRAPPER64,
} from "./wrapper.js";

/** A kernel that was inside, and where its address comes from. */
export interface Unwrapped extends FlatKernel {
  /** For people: how it was found. */
  readonly found: string;
  /** What one has to know of its addresses. */
  readonly note: string;
}

/** Size of an instruction of ARM and A64 code. */
const INSTRUCTION = 4n;
/** Where Linux for 32-bit ARM is mapped by default (PAGE_OFFSET), and its text in that when nothing says so. */
const LINUX32_BASE = 0xc000_0000;
const LINUX32_TEXT_OFFSET = 0x8000;
/** Start of the kernel's half of 48-bit virtual addresses. */
const UPPER_HALF64 = 0xffff_8000_0000_0000n;
const MADE_UP =
  "An image does not tell its virtual address: this one is a usual one, which says how far above the start of memory it goes.";

/** What our own wrapper holds; undefined for any other image. Throws FormatError for parameters that cannot be. */
function unwrapOwn(bytes: Uint8Array, bits: 32 | 64, format: string): Unwrapped | undefined {
  const view = new ByteView(bytes);
  if (!view.matches(SIGNATURE_OFFSET, SIGNATURE)) return undefined;
  const layout = bits === 32 ? WRAPPER32 : WRAPPER64;
  reading(format, "the wrapper before the kernel", () => view.check(0, HEADER_SIZE));
  const word = (at: number): bigint => (bits === 32 ? BigInt(view.u32(at)) : view.u64(at));
  const [file, memory, entry] = [word(layout.FILE), word(layout.MEMORY), word(layout.ENTRY)];
  const link = word(layout.LINK);
  const room = BigInt(bytes.length - HEADER_SIZE - TAIL_SIZE);
  const sound =
    file > 0n &&
    file <= room &&
    memory >= file &&
    memory <= BigInt(LARGEST_KERNEL[bits]) &&
    entry < file &&
    (entry % INSTRUCTION === 0n || (bits === 32 && entry % 2n === 1n)) &&
    link + memory <= 2n ** BigInt(bits) &&
    [file, memory, link].every((value) => value % BigInt(COPY_UNIT) === 0n);
  if (!sound) {
    throw new FormatError(format, {
      offset: layout.FILE,
      found: `a wrapper around ${hex(file)} bytes, ${hex(memory)} in memory at ${hex(link)}, entry ${hex(entry)}`,
      expected: `at most ${hex(room)} bytes in the file, and an entry point inside them`,
      meaning: "The file is cut short or damaged: convert the kernel again.",
    });
  }
  return {
    bits,
    address: link,
    bytes: view.slice(HEADER_SIZE, Number(file)),
    memory: Number(memory),
    entry: link + entry,
    found: "the kernel that was wrapped",
    note: "Its addresses are the physical ones (p_paddr) of the file that was wrapped; its other headers were not kept.",
  };
}

function refuseBigEndian(format: string, offset: number): FormatError {
  return new FormatError(format, {
    offset,
    found: "a big-endian kernel",
    expected: "a little-endian one",
    meaning: "ELF files of big-endian ARM kernels are not made here: use the image as it is.",
  });
}

/** The kernel inside a zImage. Throws FormatError: nothing packed in it, damaged, big-endian. */
export function unwrapZImage(image: ZImage, maxOutput: number): Unwrapped {
  if (image.bigEndian) throw refuseBigEndian(ZIMAGE_NAME, ZIMAGE.MAGIC);
  const own = unwrapOwn(image.bytes, 32, ZIMAGE_NAME);
  if (own !== undefined) return own;
  const bytes = unpackZImage(image, { maxOutput });
  if (bytes.length === 0) {
    throw new FormatError(ZIMAGE_NAME, {
      offset: image.payload?.offset ?? ZIMAGE.CODE,
      found: "an empty kernel inside",
      expected: "a kernel",
      meaning: "The file is damaged: fetch or build it again.",
    });
  }
  const sizes = image.table?.kernelSize;
  const textOffset = sizes?.textOffset ?? LINUX32_TEXT_OFFSET;
  const address = LINUX32_BASE + (textOffset % (2 ** 32 - LINUX32_BASE));
  const memory = bytes.length + (sizes?.bssSize ?? 0);
  const most = Math.min(LARGEST_KERNEL[32], 2 ** 32 - address);
  if (memory > most || textOffset % Number(INSTRUCTION) !== 0) {
    throw new FormatError(ZIMAGE_NAME, {
      offset: sizes?.offset ?? ZIMAGE.CODE,
      found: `a kernel of ${hex(memory)} bytes in memory at ${hex(address)}`,
      expected: `at most ${hex(most)} bytes, at a multiple of ${INSTRUCTION}`,
      meaning: "No 32-bit ARM kernel is like that: the extension table is damaged.",
    });
  }
  return {
    bits: 32,
    address: BigInt(address),
    bytes,
    memory,
    entry: BigInt(address),
    found: `unpacked from ${image.payload?.codecName ?? "?"} at offset ${hex(image.payload?.offset ?? 0)}`,
    note: MADE_UP,
  };
}

/** An arm64 Image as a kernel in memory. Throws FormatError: big-endian, or sizes that cannot be. */
export function unwrapArm64Image(image: Arm64Image): Unwrapped {
  if (image.bigEndian) throw refuseBigEndian(ARM64_IMAGE_NAME, ARM64_IMAGE.FLAGS);
  const own = unwrapOwn(image.bytes, 64, ARM64_IMAGE_NAME);
  if (own !== undefined) return own;
  const { bytes, imageSize, loadOffset } = image;
  const size = BigInt(bytes.length);
  const memory = imageSize > size ? imageSize : size;
  const placed = loadOffset < BigInt(ARM64_IMAGE_ALIGNMENT) && loadOffset % INSTRUCTION === 0n;
  if (memory > BigInt(LARGEST_KERNEL[64]) || !placed) {
    throw new FormatError(ARM64_IMAGE_NAME, {
      offset: ARM64_IMAGE.TEXT_OFFSET,
      found: `text_offset ${hex(loadOffset)} and ${hex(memory)} bytes in memory`,
      expected: `a multiple of ${INSTRUCTION} below ${hex(ARM64_IMAGE_ALIGNMENT)}, and at most ${hex(LARGEST_KERNEL[64])}`,
      meaning: "The header is damaged, or made for one loader only.",
    });
  }
  const address = UPPER_HALF64 + loadOffset;
  return {
    bits: 64,
    address,
    bytes,
    memory: Number(memory),
    entry: address,
    found: "the whole image, which is its own memory image",
    note: MADE_UP,
  };
}
