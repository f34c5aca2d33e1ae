/**
 * What is this file? Chooses the reader by magic numbers; a file that is packed as a whole is unpacked first. Knows no
 * loader.
 */
import { ByteView } from "../bytes/byte-view.js";
import { ELF_MAGIC } from "../spec/elf.js";
import { readBzImage } from "./bzimage/bzimage.js";
import type { BzImage } from "./bzimage/bzimage.js";
import { hasSetupHeader } from "./bzimage/setup-header.js";
import { readElf } from "./elf/elf.js";
import type { ElfImage } from "./elf/elf.js";
import { readFirmware, resetJump, type FirmwareImage } from "./firmware/firmware.js";
import { readFlat } from "./flat/flat.js";
import type { FlatImage } from "./flat/flat.js";
import { FormatError } from "./format-error.js";
import { LARGEST_UNPACKED, unpackFile } from "./packed.js";
import { foreignImage, type ForeignImage } from "./foreign.js";
import { refuse, UnrecognisedImage } from "./unrecognised.js";

/** A file that one of the readers takes; `format` tells which. */
export type KnownImage = BzImage | ElfImage | FlatImage | FirmwareImage;
/** What a loader is shown: a file that a reader takes, or one that none does. */
export type Image = KnownImage | ForeignImage;

/**
 * Recognises a file by its first bytes and reads it. Throws FormatError: when its own reader refuses it, or
 * UnrecognisedImage, which names what it is where that is known and what to do.
 * @param maxUnpacked bytes that a file packed as a whole may unpack to.
 */
export function recognise(bytes: Uint8Array, maxUnpacked = LARGEST_UNPACKED): KnownImage {
  const image = recogniseAny(bytes, maxUnpacked);
  if (image.format === "foreign") throw image.refusal;
  return image;
}

/** The same for loaders that read formats of their own: a file that no reader takes is a ForeignImage. */
export function recogniseAny(bytes: Uint8Array, maxUnpacked = LARGEST_UNPACKED): Image {
  const inside = unpackFile(bytes, maxUnpacked);
  if (inside === undefined) return read(bytes);
  const packed = `packed with ${inside.codec}`;
  try {
    const image = read(inside.bytes);
    if (image.format === "foreign") {
      const refusal = insidePacked(image.refusal, packed);
      return { ...foreignImage(inside.bytes, refusal), packedBy: inside.codec };
    }
    return Object.assign(image, { packedBy: inside.codec, summary: `${image.summary}, ${packed}` });
  } catch (error) {
    throw error instanceof FormatError ? insidePacked(error, packed) : error;
  }
}

function read(bytes: Uint8Array): Image {
  const view = new ByteView(bytes);
  // The setup header comes before "MZ" and 0x55aa: a bzImage has those too.
  if (hasSetupHeader(view)) return readBzImage(bytes);
  if (ELF_MAGIC.every((value, i) => bytes[i] === value)) return readElf(bytes);
  const flat = readFlat(bytes);
  if (flat !== undefined) return flat;
  const refusal = refuse(view);
  // Firmware has no magic at its start, so whatever has one is something else.
  const jump = refusal.kind === undefined ? resetJump(view) : undefined;
  if (jump !== undefined) return readFirmware(bytes, jump);
  return foreignImage(bytes, refusal);
}

/** The same fault; its offset is that of the unpacked bytes. */
function insidePacked(error: FormatError, packed: string): FormatError {
  const { offset, expected, meaning } = error;
  const fault = { offset, found: `${error.found} (in the file, which is ${packed})`, expected, meaning };
  if (error instanceof UnrecognisedImage) return new UnrecognisedImage(error.kind, fault);
  return new FormatError(error.format, fault, { cause: error });
}
