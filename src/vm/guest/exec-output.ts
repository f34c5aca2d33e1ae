/** What a command has written: kept up to a limit, and handed on as it comes to whoever reads it meanwhile. Knows no guest. */

/** A piece of what a command has written. */
export interface ExecChunk {
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** Bytes that a reader may lag behind. */
const LAG_BYTES = 1 << 20;

export class ExecOutput {
  readonly #kept: ExecChunk[] = [];
  readonly #limit: number;
  #size = 0;
  /** Whether something is missing from what was kept. */
  isCut = false;
  /** For the reader; undefined: there is none. */
  #queue: ExecChunk[] | undefined;
  #queued = 0;
  #over: { error: Error | undefined } | undefined;
  #waiting: (() => void)[] = [];

  /** Keeps at most so many bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Resolves when there is room for more. */
  async take(chunk: ExecChunk): Promise<void> {
    const room = Math.min(chunk.data.length, this.#limit - this.#size);
    if (room > 0) this.#kept.push({ stream: chunk.stream, data: chunk.data.subarray(0, room) });
    this.#size += room;
    this.isCut ||= room < chunk.data.length;
    this.#queue?.push(chunk);
    this.#queued += this.#queue === undefined ? 0 : chunk.data.length;
    this.#wake();
    while (this.#queue !== undefined && this.#queued > LAG_BYTES && this.#over === undefined)
      await this.#changed();
  }

  /** No more comes; a reader throws `error` behind all that came. */
  finish(error?: Error): void {
    this.#over ??= { error };
    this.#wake();
  }

  /** What was kept of a stream. */
  bytes(stream: ExecChunk["stream"]): Uint8Array {
    return new Uint8Array(
      Buffer.concat(this.#kept.filter((one) => one.stream === stream).map(({ data }) => data)),
    );
  }

  /** From what was kept on, as it comes. One reader at a time. */
  async *read(): AsyncGenerator<ExecChunk, void> {
    this.#queue = [...this.#kept];
    this.#queued = this.#size;
    try {
      for (;;) {
        const chunk = this.#queue.shift();
        if (chunk !== undefined) {
          yield chunk;
          this.#queued -= chunk.data.length;
          this.#wake();
        } else if (this.#over === undefined) await this.#changed();
        else if (this.#over.error === undefined) return;
        else throw this.#over.error;
      }
    } finally {
      this.#queue = undefined;
      this.#wake();
    }
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
