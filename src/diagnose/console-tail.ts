/** The last of what a guest's console has shown, and how much it was. Memory is bounded. */

/** Bytes that are kept. */
const KEPT = 8192;

export class ConsoleTail {
  readonly #ring = new Uint8Array(KEPT);
  #bytes = 0;

  take(byte: number): void {
    this.#ring[this.#bytes++ % KEPT] = byte;
  }

  /** Bytes in all. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What is kept, one character a byte. */
  get text(): string {
    const at = this.#bytes % KEPT;
    const bytes =
      this.#bytes < KEPT
        ? this.#ring.subarray(0, at)
        : Uint8Array.from([...this.#ring.subarray(at), ...this.#ring.subarray(0, at)]);
    return String.fromCharCode(...bytes);
  }

  /** The last line with anything in it, without control characters. */
  get lastLine(): string {
    const lines = this.text.split(/[\r\n]+/).map((line) => line.replace(CONTROL, ""));
    return lines.findLast((line) => line.trim() !== "") ?? "";
  }
}

/** Sequences by which terminals are controlled (ECMA-48), then single characters. */
const CONTROL = /\u001b\[[0-9;?]*[ -/]*[@-~]|[\u0000-\u001f\u007f]/g;
