/**
 * What is this file? Chooses the reader by magic numbers. Knows no loader.
 */
import { ByteView } from "../bytes/byte-view.js";
import { ELF_MAGIC } from "../spec/elf.js";
import { readBzImage } from "./bzimage/bzimage.js";
import type { BzImage } from "./bzimage/bzimage.js";
import { hasSetupHeader } from "./bzimage/setup-header.js";
import { readElf } from "./elf/elf.js";
import type { ElfImage } from "./elf/elf.js";
import { readFirmware, resetJump, type FirmwareImage } from "./firmware/firmware.js";
import { refuse } from "./unrecognised.js";

/** A file that was recognised; `format` tells which. */
export type Image = BzImage | ElfImage | FirmwareImage;

/**
 * Recognises a file by its first bytes and reads it. Throws FormatError: when its own reader refuses it, or
 * UnrecognisedImage, which names what it is where that is known and what to do.
 */
export function recognise(bytes: Uint8Array): Image {
  const view = new ByteView(bytes);
  // The setup header comes before "MZ" and 0x55aa: a bzImage has those too.
  if (hasSetupHeader(view)) return readBzImage(bytes);
  if (ELF_MAGIC.every((value, i) => bytes[i] === value)) return readElf(bytes);
  const refusal = refuse(view);
  // Firmware has no magic at its start, so whatever has one is something else.
  const jump = refusal.kind === undefined ? resetJump(view) : undefined;
  if (jump !== undefined) return readFirmware(bytes, jump);
  throw refusal;
}
