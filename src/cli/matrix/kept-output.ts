/** What is kept of a run's output: its beginning and its end, within a bound, whatever a guest prints. */

const KIB = 1024;
/** Of the beginning and of the end, each: 1 MiB of a run together. */
const USUAL_HALF = 512 * KIB;
/** The same for a run that ends when a matrix holds much already. */
const SHORT_HALF = 2 * KIB;
/** Many small pieces cost more than their bytes. */
const MOST_PIECES = 1024;

export class KeptOutput {
  /** All that came, in bytes. */
  total = 0;
  #half = USUAL_HALF;
  #head: Buffer[] = [];
  #headLength = 0;
  #tail: Buffer[] = [];
  #tailLength = 0;

  /** Takes what came next. */
  take(bytes: Uint8Array): void {
    this.total += bytes.length;
    const room = Math.max(0, this.#half - this.#headLength);
    const first = Buffer.from(bytes.subarray(0, room));
    if (first.length > 0) {
      this.#head.push(first);
      this.#headLength += first.length;
      if (this.#head.length > MOST_PIECES) this.#head = [Buffer.concat(this.#head)];
    }
    if (bytes.length > first.length) this.#keepEnd(Buffer.from(bytes.subarray(first.length)));
  }

  #keepEnd(bytes: Buffer): void {
    this.#tail.push(bytes);
    this.#tailLength += bytes.length;
    // Cutting at every piece costs more than now and then.
    if (this.#tailLength > 2 * this.#half || this.#tail.length > MOST_PIECES) this.#cutEnd();
  }

  #cutEnd(): void {
    const all = Buffer.concat(this.#tail);
    this.#tail = [Buffer.from(all.subarray(Math.max(0, all.length - this.#half)))];
    this.#tailLength = this.#tail[0].length;
  }

  /** In how many pieces. */
  get pieces(): number {
    return this.#head.length + this.#tail.length;
  }

  /** Bytes that are held. */
  get held(): number {
    return this.#headLength + this.#tailLength;
  }

  /** Keeps less of it. */
  shorten(): void {
    const all = [Buffer.concat(this.#head), Buffer.concat(this.#tail)];
    const [head, tail] = all;
    this.#half = SHORT_HALF;
    if (head.length + tail.length <= 2 * SHORT_HALF) return;
    const kept = Buffer.concat(tail.length >= SHORT_HALF ? [tail] : [head, tail]);
    this.#head = [Buffer.from(head.subarray(0, SHORT_HALF))];
    this.#tail = [Buffer.from(kept.subarray(kept.length - SHORT_HALF))];
    this.#headLength = this.#head[0].length;
    this.#tailLength = SHORT_HALF;
  }

  /** Text of what is kept, with a line for what is not. What is no UTF-8 becomes U+FFFD. */
  text(): string {
    this.#cutEnd();
    const left = this.total - this.held;
    const [head, tail] = [Buffer.concat(this.#head), Buffer.concat(this.#tail)];
    if (left === 0) return Buffer.concat([head, tail]).toString("utf8");
    return `${head.toString("utf8")}\n[${left} bytes left out]\n${tail.toString("utf8")}`;
  }

  /** The last lines of it that are not empty, at most `count`, each at most `width` characters. */
  lastLines(count: number, width: number): string[] {
    const lines = this.text()
      .slice(-count * width * 2)
      .split(/\r?\n/);
    return lines
      .filter((line) => line.trim() !== "")
      .slice(-count)
      .map((line) => (line.length > width ? `${line.slice(0, width)}…` : line));
  }
}
