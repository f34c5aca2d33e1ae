/**
 * LZ4 legacy frames, what `lz4 -l` writes and Linux uses for its payload: blocks of at most 8 MiB unpacked, each
 * after its packed size. Source: LZ4 Frame Format 1.6.4 "Legacy frame"; LZ4 Block Format. No checksums exist.
 */
import { ByteView } from "../bytes/byte-view.js";
import { hex } from "../bytes/hex.js";
import { CodecError } from "./codec-error.js";
import { Output } from "./output.js";
import type { DecompressOptions } from "./output.js";
import type { Decompressed } from "./decompress.js";

const MAGIC = 0x184c2102;
const MAX_BLOCK = 8 * 1024 * 1024;
/** A packed block cannot be larger than this (the format's worst case for incompressible data). */
const MAX_PACKED = MAX_BLOCK + Math.floor(MAX_BLOCK / 255) + 16;
const MIN_MATCH = 4;
/** A length nibble of 15 goes on in bytes of 255. */
const LENGTH_MORE = 15;
/** Runs longer than this are copied by the engine's own routine, shorter ones byte by byte: it is faster so. */
const BULK = 32;
/** A short run copied in words may touch this many bytes. */
const WIDE = BULK + 8;

/** Unpacks frames up to the end, an end mark, or a trailing size such as Linux appends. Throws CodecError. */
export function decompressLz4Legacy(bytes: Uint8Array, options: DecompressOptions): Decompressed {
  const view = new ByteView(bytes);
  if (!view.holds(0, 4)) throw truncated(view.length, "the magic number");
  if (view.u32(0) !== MAGIC) throw corrupt(0, hex(view.u32(0)), `the magic number ${hex(MAGIC)}`);
  const output = new Output(bytes.length, options);
  let at = 4;
  while (view.holds(at, 4)) {
    const size = view.u32(at);
    if (size === MAGIC) {
      at += 4;
      continue;
    }
    const left = view.length - at - 4;
    // Zero bytes, or a last word without a block behind it: trailing data (Linux appends the unpacked size).
    if (size === 0 || left === 0) break;
    if (size > MAX_PACKED) throw corrupt(at, `a block of ${size} bytes`, `at most ${MAX_PACKED}`);
    if (size > left) throw truncated(view.length, `the ${size} bytes of the block at ${hex(at)}`);
    unpackBlock(bytes, at + 4, at + 4 + size, output);
    at += 4 + size;
  }
  return { bytes: output.finish(), consumed: at };
}

function corrupt(offset: number, found: string, expected: string): CodecError {
  return new CodecError("lz4-legacy", "corrupt", offset, found, expected);
}

function truncated(offset: number, expected: string): CodecError {
  return new CodecError("lz4-legacy", "truncated", offset, "the end of the data", expected);
}

/**
 * What does not fit is too much in all, or too much for one block.
 * @param start where the block's output begins, and `written`: where it ends by now
 */
function noRoom(offset: number, output: Output, start: number, written: number): CodecError {
  if (start + MAX_BLOCK < output.max)
    return corrupt(offset, "a block that unpacks to more", `at most ${MAX_BLOCK} bytes`);
  output.length = written;
  output.stopAtLimit();
  const found = `more than ${output.max} bytes`;
  return new CodecError("lz4-legacy", "too-large", offset, found, "no more than that");
}

/**
 * Unpacks input[from, to) onto the output. Offsets reach back to the start of this block only: legacy blocks are
 * independent.
 */
// eslint-disable-next-line max-lines-per-function -- one hot loop with its state in locals
function unpackBlock(input: Uint8Array, from: number, to: number, output: Output): void {
  const start = output.length;
  // Room for what this block may hold, as far as the limit allows; most writes then need no check of their own.
  output.reserve(Math.min(MAX_BLOCK, output.max - start));
  const out = output.bytes;
  const limit = Math.min(out.length, start + MAX_BLOCK);
  const inputWords = new DataView(input.buffer, input.byteOffset, input.length);
  const outWords = new DataView(out.buffer, out.byteOffset, out.length);
  const wideInput = input.length - WIDE;
  const wideOutput = out.length - WIDE;
  let at = from;
  let pos = start;
  while (at < to) {
    const token = input[at++];
    let literals = token >>> 4;
    if (literals === LENGTH_MORE) {
      let more;
      do {
        if (at >= to) throw truncated(at, "more of a literal length");
        more = input[at++];
        literals += more;
      } while (more === 255);
    }
    if (literals > to - at) throw truncated(to, `${literals} literals at ${hex(at)}`);
    if (literals > limit - pos) throw noRoom(at, output, start, pos);
    if (literals > BULK) {
      out.set(input.subarray(at, at + literals), pos);
      at += literals;
      pos += literals;
    } else if (at <= wideInput && pos <= wideOutput) {
      // Whole words, a few bytes too many: what comes next overwrites them.
      for (let done = 0; done < literals; done += 8) {
        outWords.setInt32(pos + done, inputWords.getInt32(at + done, true), true);
        outWords.setInt32(pos + done + 4, inputWords.getInt32(at + done + 4, true), true);
      }
      at += literals;
      pos += literals;
    } else for (const end = at + literals; at < end;) out[pos++] = input[at++];
    // The last sequence of a block has literals only.
    if (at === to) break;

    if (to - at < 2) throw truncated(to, "a match offset");
    const distance = input[at] | (input[at + 1] << 8);
    if (distance === 0 || distance > pos - start) {
      throw corrupt(
        at,
        `a match offset of ${distance}`,
        `1 to ${pos - start}, the bytes before it in the block`,
      );
    }
    at += 2;
    let length = (token & 0xf) + MIN_MATCH;
    if (length === LENGTH_MORE + MIN_MATCH) {
      let more;
      do {
        if (at >= to) throw truncated(at, "more of a match length");
        more = input[at++];
        length += more;
      } while (more === 255);
    }
    if (length > limit - pos) throw noRoom(at, output, start, pos);
    if (length > BULK && distance >= length) {
      out.copyWithin(pos, pos - distance, pos - distance + length);
      pos += length;
    } else if (length <= BULK && distance >= 8 && pos <= wideOutput) {
      for (let done = 0; done < length; done += 8) {
        outWords.setInt32(pos + done, outWords.getInt32(pos + done - distance, true), true);
        outWords.setInt32(pos + done + 4, outWords.getInt32(pos + done - distance + 4, true), true);
      }
      pos += length;
    } else for (let source = pos - distance, end = pos + length; pos < end;) out[pos++] = out[source++];
  }
  output.length = pos;
}
