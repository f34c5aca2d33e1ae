/**
 * .lzma files ("LZMA alone"): properties, dictionary size, unpacked size or -1, LZMA data. Source: I. Pavlov, LZMA
 * specification, "lzma file format". There is no checksum.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { CodecError } from "../codec-error.js";
import type { Decompressed } from "../decompress.js";
import { Output } from "../output.js";
import type { DecompressOptions } from "../output.js";
import { LzmaDecoder, MAX_MATCH, lzmaProperties } from "./decoder.js";

const DICTIONARY_OFFSET = 1;
const SIZE_OFFSET = 5;
const HEADER_SIZE = 13;
const SIZE_UNKNOWN = 0xffff_ffff_ffff_ffffn;
/** A dictionary is at least this large, whatever the header says. */
const MIN_DICTIONARY = 4096;
/** Output is reserved in steps of at least this. */
const STEP = 1 << 16;
/** Room behind the greatest result allowed: one literal or match too many. */
const SLACK = MAX_MATCH + 1;

/** Unpacks a .lzma stream. Throws CodecError. */
export function decompressLzma(bytes: Uint8Array, options: DecompressOptions): Decompressed {
  const view = new ByteView(bytes);
  if (!view.holds(0, HEADER_SIZE)) {
    throw new CodecError("lzma", "truncated", view.length, "the end of the data", "a header of 13 bytes");
  }
  const properties = lzmaProperties(view.u8(0));
  if (!properties) throw new CodecError("lzma", "corrupt", 0, `properties ${view.u8(0)}`, "at most 224");
  const claimed = view.u64(SIZE_OFFSET);
  const size = claimed === SIZE_UNKNOWN ? undefined : claimed;
  if (size !== undefined && size > BigInt(options.maxOutput)) {
    const most = `at most ${options.maxOutput}`;
    options.onLimit?.(new Uint8Array(0));
    throw new CodecError("lzma", "too-large", SIZE_OFFSET, `${size} bytes unpacked`, most);
  }
  const output = new Output(bytes.length, {
    ...options,
    maxOutput: options.maxOutput + SLACK,
    ...(size === undefined ? {} : { sizeHint: Number(size) + SLACK }),
  });
  const decoder = new LzmaDecoder("lzma", bytes, output);
  decoder.setProperties(properties);
  decoder.dictionarySize = Math.max(MIN_DICTIONARY, view.u32(DICTIONARY_OFFSET));
  decoder.startRange(HEADER_SIZE, bytes.length);
  if (size === undefined) untilMarker(decoder, output, options.maxOutput);
  else exactly(decoder, output, Number(size));
  return { bytes: output.finish(), consumed: decoder.at };
}

/** Known size: an end marker may follow, and need not. */
function exactly(decoder: LzmaDecoder, output: Output, size: number): void {
  while (output.length < size) {
    output.reserve(Math.min(size - output.length, STEP));
    const last = output.bytes.length >= size;
    const hard = last ? size : output.bytes.length;
    if (decoder.run(last ? size : hard - MAX_MATCH, hard) === "marker") {
      throw decoder.corrupt(decoder.at, `an end marker after ${output.length} bytes`, `${size} bytes`);
    }
  }
  if (decoder.finished) return;
  output.reserve(1);
  if (decoder.run(size + 1, size) !== "marker") {
    throw decoder.corrupt(decoder.at, `more than ${size} bytes`, "the end of the stream, as its header says");
  }
}

/** Unknown size: the slack lets the marker be seen behind a result of exactly the greatest size allowed. */
function untilMarker(decoder: LzmaDecoder, output: Output, maxOutput: number): void {
  do {
    output.reserve(Math.min(STEP, output.max - output.length));
    const { length } = output.bytes;
    if (decoder.run(length - MAX_MATCH, length) === "marker") {
      if (decoder.finished) return;
      throw decoder.corrupt(decoder.at, "an end marker inside the stream", "its end");
    }
  } while (output.length <= maxOutput);
  output.length = maxOutput;
  output.stopAtLimit();
  throw new CodecError("lzma", "too-large", decoder.at, `more than ${maxOutput} bytes`, "no more than that");
}
