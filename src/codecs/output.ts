/**
 * The growing output of a codec, bounded by what its caller allows. Knows no codec.
 *
 * It grows in large steps: memory that was allocated and not written to costs nothing, what was copied from has been
 * paid for. At most an eighth more than the result is ever written to.
 */

/** What a caller may ask of every codec. */
export interface DecompressOptions {
  /** Most bytes the result may have; one more is a CodecError of kind "too-large". */
  maxOutput: number;
  /** Size to begin with, when a header claims one. A wrong value costs time and, at worst, a copy of what it claimed. */
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
/** How many times larger an array is than the one before it. */
const GROWTH = 8;

/** A byte array that grows. Codecs write into `bytes` up to `bytes.length` and advance `length`. */
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
    const next = Math.max(wanted, this.bytes.length * GROWTH);
    // The last step goes all the way: a step just short of it would be copied whole.
    const grown = new Uint8Array(next * GROWTH < this.max ? next : this.max);
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
