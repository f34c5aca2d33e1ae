/**
 * The extension table of a zImage: tags that tell how large the kernel becomes. A broken one is reported, not refused:
 * no loader that boots the file reads it (kexec does). Source: Linux, arch/arm/boot/compressed/vmlinux.lds.S.
 */
import type { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { ZIMAGE, ZIMAGE_KRNL_SIZE, ZIMAGE_TAG, ZIMAGE_TAG_KRNL_SIZE } from "../../spec/arm-boot.js";
import type { FormatFault } from "../format-error.js";

const WORD = 4;
/** Linux has one tag; more than these is no table. */
const MAX_TAGS = 16;

/** What the table says. Sizes in bytes. */
export interface ZImageTable {
  /** File offset of the table. */
  readonly offset: number;
  /** Tags other than KLSZ: file offset and tag number. */
  readonly others: readonly { readonly offset: number; readonly tag: number }[];
  readonly kernelSize: KernelSize | undefined;
}

/** The KLSZ tag. */
export interface KernelSize {
  readonly offset: number;
  /** File offset of the word that holds the unpacked size. */
  readonly sizeOffset: number;
  /** What stands there; undefined when that is outside the file. */
  readonly unpackedSize: number | undefined;
  readonly bssSize: number;
  /** Absent in tags of older kernels. */
  readonly textOffset: number | undefined;
  readonly mallocSize: number | undefined;
}

/** Reads the table that the header names; what is wrong goes to `problems`. Never throws. */
export function readExtensionTable(
  view: ByteView,
  word: (at: number) => number,
  problems: FormatFault[],
): ZImageTable | undefined {
  const start = word(ZIMAGE.TABLE);
  const others: { offset: number; tag: number }[] = [];
  let kernelSize: KernelSize | undefined;
  let at = start;
  for (let count = 0; count <= MAX_TAGS; count++) {
    if (!view.holds(at, WORD)) return broken(problems, start, at, "it leaves the file");
    const length = word(at);
    if (length === 0) return { offset: start, others, kernelSize };
    if (length < 2 || !view.holds(at, length * WORD)) return broken(problems, start, at, `${length} words`);
    const tag = word(at + ZIMAGE_TAG.TAG * WORD);
    if (tag === ZIMAGE_TAG_KRNL_SIZE && length > ZIMAGE_KRNL_SIZE.BSS_SIZE) {
      kernelSize = readKernelSize(view, word, at, length);
    } else others.push({ offset: at, tag });
    at += length * WORD;
  }
  return broken(problems, start, at, `more than ${MAX_TAGS} tags`);
}

function broken(problems: FormatFault[], start: number, at: number, what: string): undefined {
  problems.push({
    offset: ZIMAGE.TABLE,
    found: `an extension table at ${hex(start)} whose tag at ${hex(at)} cannot be read: ${what}`,
    expected: "tags within the file, the last with length 0",
    meaning: "The file is cut short or damaged. No loader needs the table, only kexec and unpackers.",
  });
  return undefined;
}

function readKernelSize(
  view: ByteView,
  word: (at: number) => number,
  at: number,
  length: number,
): KernelSize {
  const field = (index: number): number => word(at + index * WORD);
  const optional = (index: number): number | undefined => (index < length ? field(index) : undefined);
  const sizeOffset = field(ZIMAGE_KRNL_SIZE.SIZE_OFFSET);
  return {
    offset: at,
    sizeOffset,
    // Written by the packer, little-endian whatever the kernel is.
    unpackedSize: view.holds(sizeOffset, WORD) ? view.u32(sizeOffset) : undefined,
    bssSize: field(ZIMAGE_KRNL_SIZE.BSS_SIZE),
    textOffset: optional(ZIMAGE_KRNL_SIZE.TEXT_OFFSET),
    mallocSize: optional(ZIMAGE_KRNL_SIZE.MALLOC_SIZE),
  };
}
