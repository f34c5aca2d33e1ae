/**
 * Reader for the Multiboot2 header, which any file may carry in its first 32 KiB: magic fields and every tag. Checks
 * the structure; what the tags ask of a loader is judged in `boot/`.
 *
 * ```
 *  +0 magic │ +4 architecture │ +8 header_length │ +12 checksum │ tags, each at a multiple of 8 … │ type 0, size 8
 * ```
 *
 * Specification: Multiboot2 Specification 2.0, §3.1.
 */
import { alignUp } from "../../bytes/align.js";
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import {
  HEADER_TAG,
  HEADER_TAG_SIZE,
  HEADER_TAG_TYPE,
  MULTIBOOT2_ALIGNMENT,
  MULTIBOOT2_HEADER,
  MULTIBOOT2_SEARCH,
} from "../../spec/multiboot2.js";
import { FormatError, type FormatFault } from "../format-error.js";
import { explainAbsence, findHeader, findLostHeader, type HeaderPattern } from "../header-search.js";

export const MULTIBOOT2 = "Multiboot2";

const AT = MULTIBOOT2_HEADER.OFFSET;
const PATTERN: HeaderPattern = {
  name: MULTIBOOT2,
  magic: MULTIBOOT2_HEADER.MAGIC,
  window: MULTIBOOT2_SEARCH,
  alignment: MULTIBOOT2_ALIGNMENT,
  summed: [AT.MAGIC, AT.ARCHITECTURE, AT.HEADER_LENGTH, AT.CHECKSUM],
  size: MULTIBOOT2_HEADER.SIZE,
};

/** One header tag, without the end tag. */
export interface Multiboot2Tag {
  readonly type: number;
  /** Whether a loader may ignore it. */
  readonly optional: boolean;
  /** File offset of the tag and of its first word behind type, flags and size. */
  readonly offset: number;
  readonly bodyOffset: number;
  /** Bytes, with type, flags and size. */
  readonly size: number;
  /** The body as 32-bit words, as all tags have it; a last part of less than a word is left out. */
  readonly words: readonly number[];
}

export interface Multiboot2Header {
  /** File offset. */
  readonly offset: number;
  readonly architecture: number;
  readonly length: number;
  readonly checksum: number;
  readonly tags: readonly Multiboot2Tag[];
}

/** The header; undefined when the file has none. Throws FormatError for one whose tags are damaged. */
export function findMultiboot2(bytes: Uint8Array): Multiboot2Header | undefined {
  const view = new ByteView(bytes);
  const offset = findHeader(view, PATTERN);
  if (offset === undefined) return undefined;
  const length = view.u32(offset + AT.HEADER_LENGTH);
  checkLength(view, offset, length);
  return {
    offset,
    architecture: view.u32(offset + AT.ARCHITECTURE),
    length,
    checksum: view.u32(offset + AT.CHECKSUM),
    tags: readTags(view, offset + MULTIBOOT2_HEADER.SIZE, offset + length),
  };
}

/** A sound header too far behind the file's beginning to be found; undefined when there is none. */
export function lostMultiboot2(bytes: Uint8Array): FormatFault | undefined {
  return findLostHeader(new ByteView(bytes), PATTERN);
}

/** Why there is no header. `hasMagic`: the magic number is there, so it was meant to be one. */
export function explainNoMultiboot2(bytes: Uint8Array): ReturnType<typeof explainAbsence> {
  return explainAbsence(new ByteView(bytes), PATTERN);
}

function checkLength(view: ByteView, offset: number, length: number): void {
  const shortest = MULTIBOOT2_HEADER.SIZE + HEADER_TAG.SIZE;
  const end = Math.min(MULTIBOOT2_SEARCH, view.length);
  if (length >= shortest && offset + length <= end) return;
  throw new FormatError(MULTIBOOT2, {
    offset: offset + AT.HEADER_LENGTH,
    found: `header_length ${length}`,
    expected: `at least ${shortest} (magic fields and the end tag), and the header to end by ${hex(end)}`,
    meaning: "The length is wrong, or the header does not lie in the first 32 KiB of the file.",
  });
}

function readTags(view: ByteView, start: number, end: number): Multiboot2Tag[] {
  const tags: Multiboot2Tag[] = [];
  for (let at = start; ; at = alignUp(at + tags[tags.length - 1].size, MULTIBOOT2_ALIGNMENT)) {
    if (at + HEADER_TAG.SIZE > end) throw noEnd(at, end);
    const tag = readTag(view, at, end);
    if (tag.type === HEADER_TAG_TYPE.END) return tags;
    tags.push(tag);
  }
}

function noEnd(at: number, end: number): FormatError {
  return new FormatError(MULTIBOOT2, {
    offset: at,
    found: `the end of the header at ${hex(end)}`,
    expected: "another tag, or the end tag (type 0, size 8)",
    meaning: "The list of tags is not terminated, or header_length does not count all of it.",
  });
}

function readTag(view: ByteView, offset: number, end: number): Multiboot2Tag {
  const type = view.u16(offset + HEADER_TAG.OFFSET.TYPE);
  const flags = view.u16(offset + HEADER_TAG.OFFSET.FLAGS);
  const size = view.u32(offset + HEADER_TAG.OFFSET.SIZE);
  checkSize(type, size, offset, end);
  const bodyOffset = offset + HEADER_TAG.OFFSET.BODY;
  const count = Math.floor((size - HEADER_TAG.SIZE) / 4);
  const words = Array.from({ length: count }, (_, i) => view.u32(bodyOffset + i * 4));
  return { type, optional: (flags & HEADER_TAG.FLAG_OPTIONAL) !== 0, offset, bodyOffset, size, words };
}

function checkSize(type: number, size: number, offset: number, end: number): void {
  const least = HEADER_TAG_SIZE[type] ?? HEADER_TAG.SIZE;
  const exact = type === HEADER_TAG_TYPE.END;
  if (size >= least && offset + size <= end && !(exact && size !== least)) return;
  throw new FormatError(MULTIBOOT2, {
    offset: offset + HEADER_TAG.OFFSET.SIZE,
    found: `a tag of type ${type} with size ${size}`,
    expected: `${exact ? "size" : "at least"} ${least}, and the tag to end by ${hex(end)}, where the header ends`,
    meaning:
      "The tag's size counts type, flags and size but no padding; a wrong one hides every tag behind it.",
  });
}
