/**
 * gzip: members with header, DEFLATE data, CRC-32 and size. Source: RFC 1952. Trailing bytes that are no further
 * member are left alone.
 */
import { ByteView } from "../bytes/byte-view.js";
import { hex } from "../bytes/hex.js";
import { CodecError } from "./codec-error.js";
import { crc32 } from "./crc32.js";
import type { Decompressed } from "./decompress.js";
import { inflate } from "./inflate.js";
import { Output } from "./output.js";
import type { DecompressOptions } from "./output.js";

/** §2.3.1 */
const ID = 0x8b1f;
const CM_DEFLATE = 8;
const FLG = { FHCRC: 0x02, FEXTRA: 0x04, FNAME: 0x08, FCOMMENT: 0x10, RESERVED: 0xe0 } as const;
const FLG_OFFSET = 3;
const HEADER_SIZE = 10;
const TRAILER_SIZE = 8;

/** Unpacks all members. Throws CodecError. */
export function decompressGzip(bytes: Uint8Array, options: DecompressOptions): Decompressed {
  const view = new ByteView(bytes);
  const output = new Output(bytes.length, { sizeHint: claimedSize(view), ...options });
  let at = 0;
  do at = member(view, at, output);
  while (view.holds(at, 2) && view.u16(at) === ID);
  return { bytes: output.finish(), consumed: at };
}

/** ISIZE, if the stream is one member without anything behind it. A hint: it is checked after unpacking. */
function claimedSize(view: ByteView): number {
  return view.length >= TRAILER_SIZE ? view.u32(view.length - 4) : 0;
}

function member(view: ByteView, start: number, output: Output): number {
  const first = output.length;
  const end = inflate(view.bytes, afterHeader(view, start), output);
  if (!view.holds(end, TRAILER_SIZE)) throw truncated(view, "the CRC and size of a member");
  const written = output.bytes.subarray(first, output.length);
  const crc = crc32(written);
  if (crc !== view.u32(end))
    throw corrupt(end, `CRC-32 ${hex(view.u32(end), 8)}`, `${hex(crc, 8)} of the data`);
  const size = written.length % 2 ** 32;
  if (size !== view.u32(end + 4))
    throw corrupt(end + 4, `ISIZE ${view.u32(end + 4)}`, `${size}, the data's size`);
  return end + TRAILER_SIZE;
}

/** Offset of the DEFLATE data: the header has optional parts (§2.3). */
function afterHeader(view: ByteView, start: number): number {
  if (!view.holds(start, HEADER_SIZE)) throw truncated(view, "a member header");
  if (view.u16(start) !== ID) throw corrupt(start, hex(view.u16(start), 4), `the magic number ${hex(ID)}`);
  const method = view.u8(start + 2);
  if (method !== CM_DEFLATE) throw corrupt(start + 2, `method ${method}`, `${CM_DEFLATE} (DEFLATE)`);
  const flags = view.u8(start + FLG_OFFSET);
  if ((flags & FLG.RESERVED) !== 0)
    throw corrupt(start + FLG_OFFSET, `flags ${hex(flags)}`, "no reserved flag");
  let at = start + HEADER_SIZE;
  if ((flags & FLG.FEXTRA) !== 0) {
    if (!view.holds(at, 2)) throw truncated(view, "the extra field");
    at += 2 + view.u16(at);
  }
  if ((flags & FLG.FNAME) !== 0) at = afterString(view, at);
  if ((flags & FLG.FCOMMENT) !== 0) at = afterString(view, at);
  if ((flags & FLG.FHCRC) !== 0) at += 2;
  if (!view.holds(at, 0)) throw truncated(view, "the member header");
  return at;
}

function afterString(view: ByteView, at: number): number {
  const nul = view.bytes.indexOf(0, at);
  if (nul < 0) throw truncated(view, "the NUL after a name or comment");
  return nul + 1;
}

function corrupt(offset: number, found: string, expected: string): CodecError {
  return new CodecError("gzip", "corrupt", offset, found, expected);
}

function truncated(view: ByteView, expected: string): CodecError {
  return new CodecError("gzip", "truncated", view.length, "the end of the data", expected);
}
