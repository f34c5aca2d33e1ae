/**
 * An ARM kernel's file as loaders look at it: words at fixed offsets, whatever format a reader of ours took it for. Knows
 * no loader.
 */
import { ByteView } from "../bytes/byte-view.js";
import { hex } from "../bytes/hex.js";
import { isForArm } from "../formats/image.js";
import type { KnownImage } from "../formats/index.js";
import { ARM64_IMAGE, ARM64_IMAGE_MAGIC, ZIMAGE, ZIMAGE_MAGIC } from "../spec/arm-boot.js";
import { ELF_MAGIC } from "../spec/elf.js";
import { UIMAGE, UIMAGE_MAGIC } from "../spec/uimage.js";
import type { FailedCheck } from "./verdict.js";

/** What most loaders decide by. */
export interface ArmFile {
  readonly image: KnownImage;
  /** The file; unpacked, when it is packed as a whole: `packedBy` says with what. */
  readonly view: ByteView;
  readonly packedBy: string | undefined;
}

/** What Xen and QEMU unpack. */
export const GZIP = "gzip";

/** The file behind an image. */
export function armFile(image: KnownImage): ArmFile {
  return { image, view: new ByteView(image.bytes), packedBy: image.packedBy };
}

/** A little-endian word; undefined where the file ends before it. */
export function wordAt(view: ByteView, offset: number): number | undefined {
  return view.holds(offset, 4) ? view.u32(offset) : undefined;
}

/** Whether an arm64 Image's magic number stands where it belongs. */
export function hasImageMagic(view: ByteView): boolean {
  return view.holds(0, ARM64_IMAGE.SIZE) && view.u32(ARM64_IMAGE.MAGIC) === ARM64_IMAGE_MAGIC;
}

/** Whether a zImage's magic number does, in the byte order that every loader expects. */
export function hasZMagic(view: ByteView): boolean {
  return view.holds(0, ZIMAGE.SIZE) && view.u32(ZIMAGE.MAGIC) === ZIMAGE_MAGIC;
}

/** Whether a uImage's magic number does. */
export function hasUMagic(view: ByteView): boolean {
  return view.holds(0, UIMAGE.SIZE) && view.u32be(UIMAGE.MAGIC) === UIMAGE_MAGIC;
}

/** What the file is by its first bytes, where they say so. */
function nameOf(view: ByteView): string {
  const isElf = ELF_MAGIC.every((byte, i) => view.bytes[i] === byte);
  return isElf ? ", in an ELF file" : "";
}

/** The failed check of a file whose magic numbers are not the wanted ones. */
export function magicCheck(
  { view, packedBy }: Pick<ArmFile, "view" | "packedBy">,
  wanted: readonly ("zimage" | "arm64-image")[],
): FailedCheck {
  const expected = wanted
    .map((one) =>
      one === "zimage"
        ? `${hex(ZIMAGE_MAGIC, 8)} at 0x24 (zImage)`
        : `${hex(ARM64_IMAGE_MAGIC, 8)} at 0x38 (arm64 Image)`,
    )
    .join(" or ");
  if (packedBy !== undefined) return { offset: 0, found: `a file packed with ${packedBy}`, expected };
  const offset = wanted[0] === "zimage" ? ZIMAGE.MAGIC : ARM64_IMAGE.MAGIC;
  const found = wordAt(view, offset);
  return {
    offset: Math.min(offset, view.length),
    found: found === undefined ? "the end of the file" : `${hex(found, 8)}${nameOf(view)}`,
    expected,
  };
}

/**
 * What to do with an ELF kernel that a loader of zImages or Images refuses.
 * @param bits the kernels that the loader runs; absent: both.
 */
export function convertAdvice({ image }: ArmFile, bits?: 32 | 64): string | undefined {
  if (!isForArm(image)) return undefined;
  const own = image.arch === "arm" ? 32 : 64;
  if (bits !== undefined && bits !== own)
    return `It runs ${bits}-bit kernels only, and this is a ${own}-bit one`;
  if (image.format !== "elf") return undefined;
  return `Wrap it: locore convert KERNEL --to ${own === 32 ? "zimage" : "arm64-image"}`;
}
