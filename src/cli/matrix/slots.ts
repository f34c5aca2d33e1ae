/** How many cells run at once: so many jobs, and no more guests than fit into a memory. First come, first served. */

interface Waiting {
  bytes: number;
  begin: () => void;
}

export class Slots {
  readonly #waiting: Waiting[] = [];
  #running = 0;
  #bytes = 0;

  /** `memory` in bytes. */
  constructor(
    readonly jobs: number,
    readonly memory: number,
  ) {}

  /**
   * Waits for room for a guest of so many bytes, and returns what gives it back. One that is larger than all the memory has it to itself:
   * then it may fail, but nobody else with it.
   */
  async take(bytes: number): Promise<() => void> {
    await new Promise<void>((begin) => {
      this.#waiting.push({ bytes, begin });
      this.#next();
    });
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#running--;
      this.#bytes -= bytes;
      this.#next();
    };
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const fits = this.#running < this.jobs && this.#bytes + first.bytes <= this.memory;
      if (!fits && this.#running > 0) return;
      this.#waiting.shift();
      this.#running++;
      this.#bytes += first.bytes;
      first.begin();
    }
  }
}
