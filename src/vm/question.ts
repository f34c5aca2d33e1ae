/** Something that a machine is asked, and answers later: whoever waits gets the next answer. Knows no machine. */

interface Waiting<T> {
  resolve: (value: T) => void;
  reject: (reason: unknown) => void;
}

export class Question<T> {
  #waiting: Waiting<T>[] = [];
  #over: Error | undefined;

  /** The next answer. Rejects with the error of `finish`. */
  next(): Promise<T> {
    if (this.#over !== undefined) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  answer(value: T): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve(value);
  }

  /** There will be no more answers. */
  finish(error: Error): void {
    this.#over = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
