/**
 * The refusal of files that no reader takes: names what they are, where that can be told, and what to do. Knows
 * magic numbers only (spec/file-magic.ts); decides nothing else.
 */
import type { ByteView } from "../bytes/byte-view.js";
import { hexBytes, printable } from "../bytes/hex.js";
import { identifyCodec } from "../codecs/identify.js";
import { UNPACKERS } from "../spec/compression.js";
import { BOOT_SECTOR, DOS, FILE_MAGICS, PE_MACHINES } from "../spec/file-magic.js";
import { FIRMWARE_SIZE, RESET_VECTOR_FROM_END } from "../spec/pc-firmware.js";
import { FormatError } from "./format-error.js";

const READABLE =
  "a Linux bzImage, an ELF or Multiboot kernel, PC firmware, or an ARM zImage, Image, uImage or FIT";
/** How much of the start is looked at to tell text from binary. */
const TEXT_SAMPLE = 4096;
/** Control characters that text has: tab, line feed, form feed, carriage return, escape. */
const TEXT_CONTROLS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0c, 0x0d, 0x1b]);
const FIRST_LINE = 60;

/** A file that is no image that can be read here. `kind` names it where that is known. */
export class UnrecognisedImage extends FormatError {
  override readonly name = "UnrecognisedImage";

  constructor(
    readonly kind: string | undefined,
    fault: { offset: number; found: string; expected: string; meaning: string },
  ) {
    super("file", fault);
  }
}

function has(view: ByteView, offset: number, magic: readonly number[]): boolean {
  return view.holds(offset, magic.length) && magic.every((value, i) => view.u8(offset + i) === value);
}

function named(kind: string, offset: number, advice: string): UnrecognisedImage {
  return new UnrecognisedImage(kind, { offset, found: kind, expected: READABLE, meaning: `${advice}.` });
}

/** The same error, of what is inside a file that is packed as a whole. */
export function insidePacked(error: FormatError, packed: string): FormatError {
  const { offset, expected, meaning } = error;
  const fault = { offset, found: `${error.found} (in the file, which is ${packed})`, expected, meaning };
  if (error instanceof UnrecognisedImage) return new UnrecognisedImage(error.kind, fault);
  return new FormatError(error.format, fault, { cause: error });
}

/** The error for a file that no reader takes. */
export function refuse(view: ByteView): UnrecognisedImage {
  if (view.length === 0) {
    return named("an empty file", 0, "The download or build that made it failed: make it again");
  }
  return (
    byMagic(view) ??
    compressed(view) ??
    portableExecutable(view) ??
    text(view) ??
    bootSector(view) ??
    unknown(view)
  );
}

/** The error for a file, or the beginning of one, that a magic number names. */
export function byMagic(view: ByteView): UnrecognisedImage | undefined {
  const magic = FILE_MAGICS.find((one) => has(view, one.offset, one.bytes));
  return magic && named(magic.name, magic.offset, magic.advice);
}

function compressed(view: ByteView): UnrecognisedImage | undefined {
  const codec = identifyCodec(view.bytes);
  if (codec === undefined) return undefined;
  const name = typeof codec === "string" ? codec : codec.unsupported;
  return named(
    `a file compressed with ${name}`,
    0,
    `Unpack it first (${UNPACKERS[name]}) and give the result`,
  );
}

function portableExecutable(view: ByteView): UnrecognisedImage | undefined {
  if (!has(view, 0, DOS.MAGIC) || !view.holds(DOS.LFANEW, 4)) return undefined;
  const at = view.u32(DOS.LFANEW);
  if (!has(view, at, DOS.PE_MAGIC)) {
    return named("a DOS program (MZ)", 0, "It needs DOS: give a kernel");
  }
  const machineAt = at + DOS.PE_MACHINE;
  const machine = view.holds(machineAt, 2) ? view.u16(machineAt) : 0;
  const arch = PE_MACHINES[machine] ?? `machine ${machine}`;
  return named(
    `a PE/COFF program (${arch}) without a Linux setup header`,
    at,
    "EFI programs need UEFI firmware, which does not run on this machine: give the kernel itself (a bzImage or its vmlinux)",
  );
}

/** Text: what people give by mistake (README.md, a configuration, an error page). */
function text(view: ByteView): UnrecognisedImage | undefined {
  const sample = view.bytes.subarray(0, TEXT_SAMPLE);
  if (sample.some((byte) => byte === 0x7f || (byte < 0x20 && !TEXT_CONTROLS.has(byte)))) return undefined;
  const wide = sample.filter((byte) => byte >= 0x80).length;
  // UTF-8 text is mostly ASCII in the files meant here; packed data has half its bytes above 0x7f.
  if (wide * 4 > sample.length) return undefined;
  const newline = sample.indexOf(0x0a);
  const line = printable(newline < 0 ? sample : sample.subarray(0, newline), FIRST_LINE).trim();
  const html = /^<(!doctype|html)/i.test(line);
  return new UnrecognisedImage(html ? "an HTML page" : "text", {
    offset: 0,
    found: `${html ? "an HTML page" : "text"}, which begins "${line}"`,
    expected: READABLE,
    meaning: html
      ? "A download that should have been a kernel brought a web page: look at it, then fetch the kernel again."
      : "This is a text file, not a kernel: give the kernel file itself, such as /boot/vmlinuz-….",
  });
}

function bootSector(view: ByteView): UnrecognisedImage | undefined {
  if (!has(view, BOOT_SECTOR.OFFSET, BOOT_SECTOR.MAGIC)) return undefined;
  return named(
    "a boot sector (a raw disk image, or a boot program for a BIOS)",
    BOOT_SECTOR.OFFSET,
    "A BIOS would start it from a disk; no partition table or file system that is known is behind it: give a kernel",
  );
}

function unknown(view: ByteView): UnrecognisedImage {
  const shown = view.bytes.subarray(0, 16);
  const { LEAST, MOST, UNIT } = FIRMWARE_SIZE;
  if (view.length >= LEAST && view.length <= MOST && view.length % UNIT === 0) return noResetVector(view);
  return new UnrecognisedImage(undefined, {
    offset: 0,
    found: `${hexBytes(shown)} "${printable(shown)}"`,
    expected: READABLE,
    meaning:
      "No known format starts like this: check that it is the file you meant, and that it arrived whole.",
  });
}

/** A file of firmware's size: what is missing is the jump. */
function noResetVector(view: ByteView): UnrecognisedImage {
  const offset = view.length - RESET_VECTOR_FROM_END;
  const shown = view.bytes.subarray(0, 16);
  return new UnrecognisedImage(undefined, {
    offset,
    found: `${hexBytes(view.bytes.subarray(offset))} at the end of a file that begins ${hexBytes(shown)} "${printable(shown)}"`,
    expected: `${READABLE}; of firmware, a jump at the reset vector`,
    meaning:
      "No known format starts like this, and PC firmware has its first instructions 16 bytes before its end: check that " +
      "it is the file you meant, and that it arrived whole (of OVMF the CODE file or the whole, not VARS).",
  });
}
