/**
 * Synthetic Multiboot images for tests: headers of both versions from their fields, wrapped in ELF files or put at the
 * start of flat ones. Every number can be set to nonsense.
 */
import { alignUp } from "../../../src/bytes/align.js";
import { ByteWriter } from "../../../src/bytes/byte-writer.js";
import { ByteView } from "../../../src/bytes/byte-view.js";
import { makeElf, type ElfParts, type ElfSegmentParts } from "../../support/images.js";

export const MAGIC1 = 0x1badb002;
export const MAGIC2 = 0xe85250d6;
/** Where the kernels of these tests are linked. */
export const LINKED_AT = 0x20_0000;

/** A Multiboot header: flags, then whatever fields follow. */
export function header1(flags: number, fields: readonly number[] = [], checksum?: number): Uint8Array {
  const writer = new ByteWriter().u32(MAGIC1).u32(flags >>> 0);
  writer.u32((checksum ?? -(MAGIC1 + flags)) >>> 0);
  for (const field of fields) writer.u32(field >>> 0);
  return writer.finish();
}

/** A header tag to be made. */
export interface TagParts {
  type: number;
  optional?: boolean;
  words?: readonly number[];
  /** Instead of the right one. */
  size?: number;
}

export interface Header2Parts {
  architecture?: number;
  tags?: readonly TagParts[];
  /** Instead of the right ones. */
  length?: number;
  checksum?: number;
  /** Leave out the end tag. */
  endless?: boolean;
}

/** A Multiboot2 header with its tags and end tag. */
export function header2(parts: Header2Parts = {}): Uint8Array {
  const body = new ByteWriter();
  const tags = [...(parts.tags ?? []), ...(parts.endless === true ? [] : [{ type: 0 }])] as TagParts[];
  for (const { type, optional = false, words = [], size = 8 + words.length * 4 } of tags) {
    body
      .u16(type)
      .u16(optional ? 1 : 0)
      .u32(size);
    for (const word of words) body.u32(word >>> 0);
    body.zeros(alignUp(body.length, 8) - body.length);
  }
  const bytes = body.finish();
  const length = parts.length ?? 16 + bytes.length;
  const architecture = parts.architecture ?? 0;
  const checksum = parts.checksum ?? -(MAGIC2 + architecture + length);
  return new ByteWriter()
    .u32(MAGIC2)
    .u32(architecture)
    .u32(length)
    .u32(checksum >>> 0)
    .bytes(bytes)
    .finish();
}

/** The bytes with `header` at their start; the code of nearly all tests is never run. */
export function headed(header: Uint8Array, size = 0x400): Uint8Array {
  const bytes = new Uint8Array(Math.max(size, header.length)).fill(0xf4);
  bytes.set(header);
  return bytes;
}

/** An ELF kernel whose only segment begins with the header; `headerAt` says where that is in the file. */
export function elfWith(header: Uint8Array, parts: Partial<ElfParts> = {}): Uint8Array {
  const segment: ElfSegmentParts = { vaddr: LINKED_AT, bytes: headed(header), memsz: 0x3000 };
  return makeElf({ elfClass: 32, entry: LINKED_AT + 0x300, segments: [segment], ...parts });
}

/** Offset of the first header with this magic number. */
export function headerAt(file: Uint8Array, magic: number): number {
  const view = new ByteView(file);
  for (let at = 0; at + 4 <= view.length; at++) if (view.u32(at) === magic) return at;
  throw new Error("no header");
}
