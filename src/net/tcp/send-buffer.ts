/**
 * Bytes that were handed over and are not sent or not acknowledged yet. Large pieces are kept as they came; small ones are put together, so
 * that what is kept costs little more than its bytes, however it came.
 */

/** Below this a piece is put together with others. */
const SMALL = 4096;
/** What they are put together in. */
const BLOCK = 16_384;

export class SendBuffer {
  readonly #pieces: Uint8Array[] = [];
  /** Bytes of the first piece that are acknowledged. */
  #skip = 0;
  #length = 0;
  /** Where small pieces go, and how much of it has them. */
  #block = new Uint8Array(0);
  #filled = 0;
  /** Where in the block the last piece begins; undefined where that is no piece of the block. */
  #tail: number | undefined;

  get length(): number {
    return this.#length;
  }

  /** Puts bytes behind the others. They are kept as they are, or copied. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#length += bytes.length;
    if (bytes.length < SMALL && this.#pieces.length > 0) this.#join(bytes);
    else {
      this.#pieces.push(bytes);
      this.#tail = undefined;
    }
  }

  #join(bytes: Uint8Array): void {
    if (this.#filled + bytes.length > this.#block.length) {
      this.#block = new Uint8Array(BLOCK);
      this.#filled = 0;
      this.#tail = undefined;
    }
    this.#block.set(bytes, this.#filled);
    const start = this.#tail ?? this.#filled;
    this.#filled += bytes.length;
    const piece = this.#block.subarray(start, this.#filled);
    if (this.#tail === undefined) this.#pieces.push(piece);
    else this.#pieces[this.#pieces.length - 1] = piece;
    this.#tail = start;
  }

  /** Fills `into` with the bytes from `from` on. All of them are there. */
  copy(from: number, into: Uint8Array): void {
    let skip = from + this.#skip;
    let done = 0;
    for (const piece of this.#pieces) {
      if (done === into.length) return;
      if (skip >= piece.length) {
        skip -= piece.length;
        continue;
      }
      const taken = piece.subarray(skip, skip + into.length - done);
      into.set(taken, done);
      done += taken.length;
      skip = 0;
    }
  }

  /** Forgets the first `count` bytes, of those that there are. */
  drop(count: number): void {
    this.#length -= count;
    this.#skip += count;
    let gone = 0;
    while (gone < this.#pieces.length && this.#skip >= this.#pieces[gone].length)
      this.#skip -= this.#pieces[gone++].length;
    if (gone === this.#pieces.length) this.clear();
    else if (gone > 0) this.#pieces.splice(0, gone);
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#skip = this.#length = this.#filled = 0;
    this.#block = new Uint8Array(0);
    this.#tail = undefined;
  }
}
