/**
 * What is this file? Chooses the reader by magic numbers; a file that is packed as a whole is unpacked first. Knows no
 * loader.
 */
import { ByteView } from "../bytes/byte-view.js";
import { CodecError } from "../codecs/codec-error.js";
import { ELF_MAGIC } from "../spec/elf.js";
import { hasArm64Magic, readArm64Image, type Arm64Image } from "./arm64-image/arm64-image.js";
import { readBzImage } from "./bzimage/bzimage.js";
import type { BzImage } from "./bzimage/bzimage.js";
import { hasSetupHeader } from "./bzimage/setup-header.js";
import { hasTreeMagic } from "./device-tree/device-tree.js";
import { readElf } from "./elf/elf.js";
import type { ElfImage } from "./elf/elf.js";
import { readFirmware, resetJump, type FirmwareImage } from "./firmware/firmware.js";
import { readFitFile, type FitImage } from "./fit/fit.js";
import { readFlat } from "./flat/flat.js";
import type { FlatImage } from "./flat/flat.js";
import { FormatError } from "./format-error.js";
import { packedWith, unpackFile } from "./packed.js";
import { describingLimit, type UnpackLimit } from "./unpack-limit.js";
import { foreignImage, type ForeignImage } from "./foreign.js";
import { hasUImageMagic, readUImage, type DescribeContent, type UImage } from "./uimage/uimage.js";
import { insidePacked, refuse } from "./unrecognised.js";
import { hasZImageMagic, readZImage, type ZImage } from "./zimage/zimage.js";

/** A file that one of the readers takes; `format` tells which. */
export type KnownImage =
  BzImage | ElfImage | FlatImage | FirmwareImage | ZImage | Arm64Image | UImage | FitImage;
/** What a loader is shown: a file that a reader takes, or one that none does. */
export type Image = KnownImage | ForeignImage;

/**
 * Recognises a file by its first bytes and reads it. Throws FormatError: when its own reader refuses it, or
 * UnrecognisedImage, which names what it is where that is known and what to do.
 * @param maxUnpacked bytes that a file packed as a whole may unpack to; what it takes to describe a kernel when absent.
 */
export function recognise(bytes: Uint8Array, maxUnpacked?: number): KnownImage {
  const limit = maxUnpacked === undefined ? describingLimit(bytes.length) : { maxOutput: maxUnpacked };
  const image = recogniseAny(bytes, limit);
  if (image.format === "foreign") throw image.refusal;
  return image;
}

/** The same for loaders that read formats of their own: a file that no reader takes is a ForeignImage. */
export function recogniseAny(bytes: Uint8Array, limit: UnpackLimit): Image {
  const inside = unpackFile(bytes, limit);
  if (inside === undefined) return read(bytes, limit.maxOutput);
  const packed = packedWith(inside.codec);
  try {
    const image = read(inside.bytes, limit.maxOutput - inside.bytes.length);
    if (image.format === "foreign") {
      const refusal = insidePacked(image.refusal, packed);
      return { ...foreignImage(inside.bytes, refusal), packedBy: inside.codec };
    }
    return Object.assign(image, { packedBy: inside.codec, summary: `${image.summary}, ${packed}` });
  } catch (error) {
    throw error instanceof FormatError ? insidePacked(error, packed) : error;
  }
}

/** @param maxUnpacked bytes that what is packed inside may unpack to, to be described. */
function read(bytes: Uint8Array, maxUnpacked: number): Image {
  const view = new ByteView(bytes);
  // The setup header comes before "MZ" and 0x55aa: a bzImage has those too.
  if (hasSetupHeader(view)) return readBzImage(bytes);
  if (ELF_MAGIC.every((value, i) => bytes[i] === value)) return readElf(bytes);
  const arm = readArmImage(view, maxUnpacked);
  if (arm !== undefined) return arm;
  const flat = readFlat(bytes);
  if (flat !== undefined) return flat;
  const refusal = refuse(view);
  // Firmware has no magic at its start, so whatever has one is something else.
  const jump = refusal.kind === undefined ? resetJump(view) : undefined;
  if (jump !== undefined) return readFirmware(bytes, jump);
  return foreignImage(bytes, refusal);
}

/** The formats of ARM machines' boot loaders; undefined for any other. */
function readArmImage(view: ByteView, maxUnpacked: number): KnownImage | undefined {
  const { bytes } = view;
  if (hasArm64Magic(view)) return readArm64Image(bytes);
  if (hasZImageMagic(view)) return readZImage(bytes);
  if (hasUImageMagic(view)) return readUImage(bytes, contentTeller(maxUnpacked));
  return hasTreeMagic(view) ? readFitFile(bytes, contentTeller(maxUnpacked)) : undefined;
}

/**
 * Tells what a part of a container is, in a line; undefined when no reader takes it. All parts together may unpack to
 * `budget` bytes. A container in a container is only named: files nested for their own sake would take long to look
 * through.
 */
function contentTeller(budget: number): DescribeContent {
  let left = budget;
  const tell = (bytes: Uint8Array): string | undefined => {
    const view = new ByteView(bytes);
    if (hasUImageMagic(view)) return "a U-Boot uImage";
    if (hasTreeMagic(view)) return "a device tree";
    const image = read(bytes, 0);
    return image.format === "foreign" ? undefined : image.summary;
  };
  return (bytes) => {
    const maxOutput = left;
    try {
      const inside = unpackFile(bytes, { maxOutput });
      if (inside === undefined) return tell(bytes);
      left -= inside.bytes.length;
      return `${tell(inside.bytes) ?? "something unknown"}, packed with ${inside.codec}`;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (!(error.cause instanceof CodecError)) return undefined;
      // What is refused may have cost all that was left.
      left = 0;
      if (error.cause.kind !== "too-large") return undefined;
      return `something of more than ${maxOutput} bytes, packed with ${error.cause.codec}`;
    }
  };
}
