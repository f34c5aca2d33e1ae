/**
 * The compressed bytes as the Zstandard decoder reads them: with zeros before and behind, so that 32-bit loads at
 * either end of a bit stream need no check; and bit streams that are read backwards (RFC 8878 §4.1). Knows
 * nothing of frames.
 */
import { CodecError } from "../codec-error.js";
import type { Output } from "../output.js";

/** Zero bytes at either end: more than the widest load. */
export const PADDING = 8;

/** The padded input. Positions are those of the padded bytes; errors subtract the padding. */
export class ZstdInput {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Position after the last byte of input. */
  readonly end: number;

  constructor(input: Uint8Array) {
    this.bytes = new Uint8Array(input.length + 2 * PADDING);
    this.bytes.set(input, PADDING);
    this.view = new DataView(this.bytes.buffer);
    this.end = input.length + PADDING;
  }

  corrupt(at: number, found: string, expected: string): CodecError {
    return new CodecError("zstd", "corrupt", at - PADDING, found, expected);
  }

  unsupported(at: number, found: string, expected: string): CodecError {
    return new CodecError("zstd", "unsupported", at - PADDING, found, expected);
  }

  tooLarge(at: number, output: Output): CodecError {
    output.stopAtLimit();
    return new CodecError(
      "zstd",
      "too-large",
      at - PADDING,
      `more than ${output.max} bytes`,
      "no more than that",
    );
  }

  /** Throws unless `size` bytes at `at` end by `end`. */
  need(at: number, size: number, end: number, what: string): void {
    if (at + size <= end) return;
    const whole = end === this.end;
    const found = whole ? "the end of the data" : "the end of the block";
    throw new CodecError(
      "zstd",
      whole ? "truncated" : "corrupt",
      end - PADDING,
      found,
      `${size} bytes of ${what}`,
    );
  }
}

/** A bit stream read from its end to its start. The last byte's highest set bit marks where it begins. */
export class BackwardBits {
  /** Bits not read yet; negative when more were read than there were. */
  left: number;

  constructor(
    readonly input: ZstdInput,
    /** First byte. */
    readonly start: number,
    end: number,
  ) {
    const last = end > start ? input.bytes[end - 1] : 0;
    if (last === 0)
      throw input.corrupt(end - 1, "a bit stream without an end mark", "a set bit in its last byte");
    this.left = (end - start) * 8 - (Math.clz32(last) - 24) - 1;
  }

  /** The next `count` ≤ 25 bits. Past the start of the stream they are undefined and `left` is negative. */
  take(count: number): number {
    const position = (this.left -= count);
    if (position < 0) return 0;
    return (
      (this.input.view.getUint32(this.start + (position >> 3), true) >>> (position & 7)) & ((1 << count) - 1)
    );
  }
}
