/**
 * Builds a little-endian byte sequence front to back, for tables whose length is not known before. Grows as
 * needed; knows no format. For writing into bytes that exist already there is `ByteView`.
 */

const INITIAL_CAPACITY = 256;

/** Append-only; every method returns the writer so that fields read as a table. */
export class ByteWriter {
  #bytes = new Uint8Array(INITIAL_CAPACITY);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#reserve(1, value, 0xff);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#reserve(2, value, 0xffff);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4, value, 0xffff_ffff);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** A safe integer as 64 bits. */
  u64(value: number): this {
    const at = this.#reserve(8, value, Number.MAX_SAFE_INTEGER);
    this.#view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  bytes(values: ArrayLike<number>): this {
    const at = this.#reserve(values.length, 0, 0);
    this.#bytes.set(values, at);
    return this;
  }

  /** ASCII text, cut off or filled up with `fill` to `size` bytes. */
  text(value: string, size = value.length, fill = "\0"): this {
    for (const character of value.slice(0, size).padEnd(size, fill)) this.u8(character.charCodeAt(0));
    return this;
  }

  zeros(count: number): this {
    this.#reserve(count, 0, 0);
    return this;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(size: number, value: number, max: number): number {
    if (!Number.isSafeInteger(value) || value < 0 || value > max) {
      throw new RangeError(`${value} does not fit ${size} bytes`);
    }
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}
