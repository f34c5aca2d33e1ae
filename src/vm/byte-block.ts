/** Bytes that come in pieces, joined into blocks: what they take goes by the bytes, however small the pieces are. */

/** A block has no more bytes than this, unless its first piece has. */
const BLOCK_BYTES = 1 << 16;

export class ByteBlock {
  #buffer: Uint8Array;
  length: number;

  /** The first piece is not copied, unless it is a small part of something larger. */
  constructor(first: Uint8Array) {
    this.#buffer = first.buffer.byteLength > 2 * first.length ? new Uint8Array(first) : first;
    this.length = first.length;
  }

  /** What there is now. What is appended later stands in no view that was taken before. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  /** Takes a piece, all of it; false where the block is full. */
  append(piece: Uint8Array): boolean {
    const length = this.length + piece.length;
    if (length > BLOCK_BYTES) return false;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(Math.max(2 * this.#buffer.length, length), BLOCK_BYTES));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.length);
    this.length = length;
    return true;
  }
}
