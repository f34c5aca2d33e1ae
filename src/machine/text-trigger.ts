/**
 * Waits for a text among the bytes that a guest prints, one byte at a time (Knuth, Morris and Pratt's search). Knows no machine.
 */
export class TextTrigger {
  readonly #text: Uint8Array;
  /** By length of what was matched: how much of it is matched still when the next byte is another. */
  readonly #fallback: readonly number[];
  #matched = 0;

  /** Throws RangeError for an empty text. */
  constructor(text: string) {
    this.#text = new TextEncoder().encode(text);
    if (this.#text.length === 0) throw new RangeError("an empty text is printed always");
    const fallback = [0, 0];
    for (let i = 1; i < this.#text.length; i++) {
      let length = fallback[i];
      while (length > 0 && this.#text[length] !== this.#text[i]) length = fallback[length];
      fallback.push(this.#text[length] === this.#text[i] ? length + 1 : 0);
    }
    this.#fallback = fallback;
  }

  /** Takes the next byte; whether it completes the text. */
  feed(byte: number): boolean {
    while (this.#matched > 0 && this.#text[this.#matched] !== byte)
      this.#matched = this.#fallback[this.#matched];
    if (this.#text[this.#matched] === byte) this.#matched++;
    if (this.#matched < this.#text.length) return false;
    this.#matched = this.#fallback[this.#matched];
    return true;
  }
}
