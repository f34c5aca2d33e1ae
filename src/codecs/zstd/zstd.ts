/**
 * Zstandard: frames, skippable frames, blocks, content checksum. Source: RFC 8878. Dictionaries are refused. The
 * window is the output itself, so a large window costs no memory of its own. Trailing bytes that are no further
 * frame are left alone.
 */
import { hex } from "../../bytes/hex.js";
import type { Decompressed } from "../decompress.js";
import { Output } from "../output.js";
import type { DecompressOptions } from "../output.js";
import { PADDING, ZstdInput } from "./input.js";
import { LiteralsReader } from "./literals.js";
import {
  BLOCK_HEADER_SIZE,
  BLOCK_TYPE,
  DESCRIPTOR,
  DICT_ID_SIZE,
  FCS_2_BYTES_BASE,
  FCS_SIZE,
  MAGIC,
  MAX_BLOCK,
  MIN_WINDOW_LOG,
  SKIPPABLE_MAGIC,
  SKIPPABLE_MASK,
} from "./numbers.js";
import { SequencesReader } from "./sequences.js";
import { xxh64Low } from "./xxh64.js";

/** Unpacks all frames. Throws CodecError. */
export function decompressZstd(bytes: Uint8Array, options: DecompressOptions): Decompressed {
  const decoder = new Decoder(bytes, options);
  return decoder.run();
}

/** Unpacks the first frame: others may follow that have nothing to do with it. Throws CodecError. */
export function decompressZstdFrame(bytes: Uint8Array, options: DecompressOptions): Decompressed {
  const decoder = new Decoder(bytes, options);
  return decoder.first();
}

interface FrameHeader {
  window: number;
  contentSize: number | undefined;
  checksum: boolean;
  next: number;
}

class Decoder {
  private readonly input: ZstdInput;
  private readonly output: Output;
  private readonly literals: LiteralsReader;
  private readonly sequences: SequencesReader;

  constructor(bytes: Uint8Array, options: DecompressOptions) {
    this.input = new ZstdInput(bytes);
    const first = this.isFrame(PADDING) ? this.header(PADDING).contentSize : undefined;
    this.output = new Output(bytes.length, first === undefined ? options : { ...options, sizeHint: first });
    this.literals = new LiteralsReader(this.input);
    this.sequences = new SequencesReader(this.input);
  }

  run(): Decompressed {
    const { input, output } = this;
    let at = PADDING;
    do {
      if (this.isFrame(at)) at = this.frame(at);
      else if (this.isSkippable(at)) at = this.skip(at);
      else throw input.corrupt(at, hex(input.view.getUint32(at, true), 8), `the magic number ${hex(MAGIC)}`);
    } while (this.isFrame(at) || this.isSkippable(at));
    return { bytes: output.finish(), consumed: at - PADDING };
  }

  first(): Decompressed {
    const { input, output } = this;
    if (!this.isFrame(PADDING)) throw input.corrupt(PADDING, "no frame", `the magic number ${hex(MAGIC)}`);
    const at = this.frame(PADDING);
    return { bytes: output.finish(), consumed: at - PADDING };
  }

  private isFrame(at: number): boolean {
    return at + 4 <= this.input.end && this.input.view.getUint32(at, true) === MAGIC;
  }

  private isSkippable(at: number): boolean {
    const { input } = this;
    return at + 8 <= input.end && (input.view.getUint32(at, true) & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC;
  }

  private skip(at: number): number {
    const size = this.input.view.getUint32(at + 4, true);
    this.input.need(at + 8, size, this.input.end, "a skippable frame");
    return at + 8 + size;
  }

  /** §3.1.1.1 */
  private header(at: number): FrameHeader {
    const { input } = this;
    const what = "the frame header";
    let next = at + 4;
    input.need(next, 1, input.end, what);
    const descriptor = input.bytes[next];
    if ((descriptor & DESCRIPTOR.RESERVED) !== 0)
      throw input.corrupt(next, "a reserved frame header bit", "0");
    next += 1;
    const single = (descriptor & DESCRIPTOR.SINGLE_SEGMENT) !== 0;
    let window = 0;
    if (!single) {
      input.need(next, 1, input.end, what);
      const base = 2 ** (MIN_WINDOW_LOG + (input.bytes[next] >> 3));
      window = base + (base / 8) * (input.bytes[next] & 7);
      next += 1;
    }
    const idSize = DICT_ID_SIZE[descriptor & DESCRIPTOR.DICT_ID];
    input.need(next, idSize, input.end, what);
    const id = this.integer(next, idSize);
    if (id !== 0) throw input.unsupported(next, `dictionary ${id}`, "a stream without a dictionary");
    next += idSize;
    const flag = descriptor >> DESCRIPTOR.FCS_SHIFT;
    const fcsSize = flag === 0 && single ? 1 : FCS_SIZE[flag];
    input.need(next, fcsSize, input.end, what);
    const content = this.integer(next, fcsSize) + (fcsSize === 2 ? FCS_2_BYTES_BASE : 0);
    const contentSize = fcsSize === 0 ? undefined : content;
    const checksum = (descriptor & DESCRIPTOR.CHECKSUM) !== 0;
    return { window: single ? content : window, contentSize, checksum, next: next + fcsSize };
  }

  /** A little-endian integer of 0 to 8 bytes; inexact above 2^53, where it only has to be too large. */
  private integer(at: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.input.bytes[at + i];
    return value;
  }

  private frame(start: number): number {
    const { input, output } = this;
    const header = this.header(start);
    const from = output.length;
    this.literals.reset();
    this.sequences.reset();
    const maxBlock = Math.min(header.window, MAX_BLOCK);
    let at = header.next;
    for (let last = false; !last;) {
      input.need(at, BLOCK_HEADER_SIZE, input.end, "a block header");
      last = (input.bytes[at] & 1) !== 0;
      at = this.block(at, from, maxBlock);
    }
    const written = output.length - from;
    if (header.contentSize !== undefined && written !== header.contentSize) {
      throw input.corrupt(
        start,
        `${written} bytes in the frame`,
        `${header.contentSize}, as its header says`,
      );
    }
    return header.checksum ? this.checksum(at, from) : at;
  }

  /** §3.1.1: the low four bytes of the content's XXH64. */
  private checksum(at: number, from: number): number {
    const { input, output } = this;
    input.need(at, 4, input.end, "the content checksum");
    const stored = input.view.getUint32(at, true);
    const computed = xxh64Low(output.bytes.subarray(from, output.length));
    if (stored !== computed)
      throw input.corrupt(at, `checksum ${hex(stored, 8)}`, `${hex(computed, 8)} of the data`);
    return at + 4;
  }

  /** One block (§3.1.1.2); returns the position after it. */
  private block(start: number, frameStart: number, maxBlock: number): number {
    const { input, output } = this;
    const header = input.view.getUint32(start, true) & 0xff_ffff;
    const type = (header >> 1) & 3;
    const size = header >>> 3;
    const at = start + BLOCK_HEADER_SIZE;
    if (type === BLOCK_TYPE.RESERVED) throw input.corrupt(start, "block type 3", "raw, RLE or compressed");
    if (size > maxBlock) throw input.corrupt(start, `a block of ${size} bytes`, `at most ${maxBlock}`);
    const packed = type === BLOCK_TYPE.RLE ? 1 : size;
    input.need(at, packed, input.end, "a block");
    if (type === BLOCK_TYPE.COMPRESSED) {
      output.reserve(Math.min(maxBlock, output.max - output.length));
      const limit = Math.min(output.max, output.length + maxBlock);
      const literals = this.literals.read(at, at + size);
      this.sequences.execute(literals.next, at + size, literals, { output, frameStart, limit });
      return at + size;
    }
    if (!output.reserve(size)) throw input.tooLarge(start, output);
    const end = output.length + size;
    if (type === BLOCK_TYPE.RLE) output.bytes.fill(input.bytes[at], output.length, end);
    else output.bytes.set(input.bytes.subarray(at, at + size), output.length);
    output.length = end;
    return at + packed;
  }
}
