/**
 * What all connections together have waiting, bytes: one alone may have as much as keeps it fast, thousands of them may not. Above the budget
 * no window grows and no host is asked for more; what was promised before still comes.
 */

/** Below this part of the budget those who wait go on: not for every byte. */
const ENOUGH = 3 / 4;

export class Budget {
  #held = 0;
  readonly #waiting = new Set<() => void>();

  /** `most`: bytes. */
  constructor(private readonly most: number) {}

  get held(): number {
    return this.#held;
  }

  /** Whether there is nothing left of it. */
  get isSpent(): boolean {
    return this.#held >= this.most;
  }

  /** So many bytes more wait, or fewer. */
  add(bytes: number): void {
    this.#held += bytes;
    if (this.#waiting.size === 0 || this.#held >= ENOUGH * this.most) return;
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const goOn of all) goOn();
  }

  /** `goOn` is called once, when there is some of it left again. */
  wait(goOn: () => void): void {
    this.#waiting.add(goOn);
  }

  forget(goOn: () => void): void {
    this.#waiting.delete(goOn);
  }
}
