/** Bytes that were handed over and are not acknowledged yet, in the pieces that they came in: nothing is copied before it is sent. */

export class SendBuffer {
  readonly #pieces: Uint8Array[] = [];
  /** Bytes of the first piece that are acknowledged. */
  #skip = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Puts bytes behind the others; they are kept as they are. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#length += bytes.length;
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
    if (gone > 0) this.#pieces.splice(0, gone);
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#skip = this.#length = 0;
  }
}
