/**
 * The growing output of a codec, bounded by what its caller allows. Memory is never more than `maxOutput` plus the
 * copy made while growing. Knows no codec.
 */

/** What a caller may ask of every codec. */
export interface DecompressOptions {
  /** Most bytes the result may have; one more is a CodecError of kind "too-large". */
  maxOutput: number;
  /** Size to begin with, when a header claims one. A wrong value costs time or untouched memory, nothing else. */
  sizeHint?: number;
  /**
   * Called with what was unpacked before `maxOutput` stops the work with its CodecError: a beginning of the result,
   * not checked, and in xz without the filters undone in its last block.
   */
  onLimit?: (unpacked: Uint8Array) => void;
}

/** Reserve at first at most this many bytes for each byte of input, whatever a header claims. */
const FIRST_RATIO = 32;
const MIN_CAPACITY = 4096;

/** A byte array that doubles. Codecs write into `bytes` up to `bytes.length` and advance `length`. */
export class Output {
  bytes: Uint8Array;
  /** Bytes written. */
  length = 0;
  readonly max: number;
  private readonly onLimit: DecompressOptions["onLimit"];

  constructor(inputSize: number, options: DecompressOptions) {
    const { maxOutput, sizeHint } = options;
    if (!Number.isSafeInteger(maxOutput) || maxOutput < 0) throw new RangeError(`bad maxOutput ${maxOutput}`);
    this.max = maxOutput;
    this.onLimit = options.onLimit;
    const believable = inputSize * FIRST_RATIO + MIN_CAPACITY;
    this.bytes = new Uint8Array(
      Math.min(maxOutput, Math.max(MIN_CAPACITY, Math.min(sizeHint ?? 0, believable))),
    );
  }

  /**
   * Makes room for `extra` more bytes. Returns false, and changes nothing, when that is more than is allowed.
   */
  reserve(extra: number): boolean {
    const wanted = this.length + extra;
    if (wanted <= this.bytes.length) return true;
    if (wanted > this.max) return false;
    const grown = new Uint8Array(Math.min(this.max, Math.max(wanted, this.bytes.length * 2)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    return true;
  }

  /** Every codec calls this before it gives up for want of room. */
  stopAtLimit(): void {
    this.onLimit?.(this.finish());
  }

  /** The bytes written so far (shared, not copied). */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}
