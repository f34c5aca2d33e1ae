/** How much may be on its way. Specification: RFC 5681, RFC 6582 (NewReno), RFC 6928 (the first window); all in bytes. */

const FIRST_SEGMENTS = 10;
const LEAST_SEGMENTS = 2;
const DUPLICATES = 3;
/** Beyond every window that there is. */
const NO_LIMIT = 2 ** 30;

export class Congestion {
  #window: number;
  #threshold = NO_LIMIT;
  #duplicates = 0;
  #recovering = false;

  constructor(private readonly mss: number) {
    this.#window = FIRST_SEGMENTS * mss;
  }

  get window(): number {
    return this.#window;
  }

  /** Whether what was lost is being sent again, after duplicates said so. */
  get recovering(): boolean {
    return this.#recovering;
  }

  /** So many new bytes were acknowledged. `whole`: all that was on its way when the loss was seen. */
  acknowledged(bytes: number, whole: boolean): void {
    this.#duplicates = 0;
    if (this.#recovering) {
      if (whole) {
        this.#recovering = false;
        this.#window = this.#threshold;
      } else this.#window = Math.max(this.mss, this.#window - bytes + this.mss);
      return;
    }
    const grown =
      this.#window < this.#threshold ? Math.min(bytes, 2 * this.mss) : (this.mss * this.mss) / this.#window;
    this.#window = Math.min(NO_LIMIT, this.#window + grown);
  }

  /** An acknowledgement said nothing new; gives whether that was the third: the first segment is to be sent again. */
  duplicate(flight: number): boolean {
    this.#duplicates++;
    if (this.#recovering) this.#window += this.mss;
    if (this.#recovering || this.#duplicates !== DUPLICATES) return false;
    this.#threshold = Math.max(flight / 2, LEAST_SEGMENTS * this.mss);
    this.#window = this.#threshold + DUPLICATES * this.mss;
    this.#recovering = true;
    return true;
  }

  /** Nothing came for too long; `again`: already so for the same bytes. */
  timedOut(flight: number, again: boolean): void {
    if (!again) this.#threshold = Math.max(flight / 2, LEAST_SEGMENTS * this.mss);
    this.#window = this.mss;
    this.#duplicates = 0;
    this.#recovering = false;
  }
}
