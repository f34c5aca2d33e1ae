/** What is on its way to one of a guest's streams: in order, each told when the guest's side has taken it. Knows no machine. */

interface Waiting {
  bytes: Uint8Array;
  resolve: () => void;
  reject: (reason: unknown) => void;
}

export class InputQueue {
  readonly #give: (bytes: Uint8Array) => number;
  readonly #waiting: Waiting[] = [];
  #over: Error | undefined;

  /** `give`: takes what there is room for, and says how many bytes that was; `room` follows if that is not all. */
  constructor(give: (bytes: Uint8Array) => number) {
    this.#give = give;
  }

  /** Resolves once all of it was taken. Rejects with the error of `finish`. */
  send(bytes: Uint8Array): Promise<void> {
    if (this.#over !== undefined) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, resolve, reject });
      this.room();
    });
  }

  /** There may be room. */
  room(): void {
    for (let first = this.#waiting.at(0); first !== undefined; first = this.#waiting.at(0)) {
      first.bytes = first.bytes.subarray(this.#give(first.bytes));
      if (first.bytes.length > 0) return;
      this.#waiting.shift();
      first.resolve();
    }
  }

  /** Nobody takes anything any more. */
  finish(error: Error): void {
    this.#over ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
