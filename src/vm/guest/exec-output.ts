/** What a command has written: kept up to a limit, and handed on as it comes to all who read it meanwhile. Knows no guest. */
import { ByteBlock } from "../byte-block.js";

/** A piece of what a command has written. */
export interface ExecChunk {
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** Bytes that a reader may lag behind. */
const LAG_BYTES = 1 << 20;
/** What a block of a reader's takes besides its bytes, counted as lag: two streams by turns may have one byte in each. */
const BLOCK_COST = 256;

interface Entry {
  readonly stream: ExecChunk["stream"];
  readonly block: ByteBlock;
}

function chunkOf({ stream, block }: Entry): ExecChunk {
  return { stream, data: block.bytes };
}

/** What one reader has not read yet. */
class Queue {
  readonly #entries: Entry[];
  lag = 0;

  constructor(kept: readonly Entry[]) {
    this.#entries = kept.map(({ stream, block }) => ({ stream, block: new ByteBlock(block.bytes) }));
    for (const { block } of kept) this.lag += block.length + BLOCK_COST;
  }

  push({ stream, data }: ExecChunk): void {
    this.lag += data.length;
    const last = this.#entries.at(-1);
    if (last?.stream === stream && last.block.append(data)) return;
    this.#entries.push({ stream, block: new ByteBlock(data) });
    this.lag += BLOCK_COST;
  }

  shift(): ExecChunk | undefined {
    const entry = this.#entries.shift();
    return entry && chunkOf(entry);
  }

  /** The reader is done with one. */
  read({ data }: ExecChunk): void {
    this.lag -= data.length + BLOCK_COST;
  }
}

export class ExecOutput {
  /** In the order in which their first bytes came. */
  readonly #kept: Entry[] = [];
  /** The last block of each stream. */
  readonly #last: Partial<Record<ExecChunk["stream"], ByteBlock>> = {};
  readonly #limit: number;
  readonly #whenCut: () => void;
  #size = 0;
  /** Whether something is missing from what was kept. */
  isCut = false;
  readonly #readers = new Set<Queue>();
  #over: { error: Error | undefined } | undefined;
  #waiting: (() => void)[] = [];

  /** Keeps at most so many bytes; `whenCut` is called once when there are more. */
  constructor(limit: number, whenCut: () => void = () => undefined) {
    this.#limit = limit;
    this.#whenCut = whenCut;
  }

  /** Resolves when there is room for more. What comes behind the end is dropped. */
  async take(chunk: ExecChunk): Promise<void> {
    if (this.#over !== undefined) return;
    this.#keep(chunk);
    for (const reader of this.#readers) reader.push(chunk);
    this.#wake();
    while (this.#isLagging() && this.#over === undefined) await this.#changed();
  }

  #keep({ stream, data }: ExecChunk): void {
    const room = Math.min(data.length, this.#limit - this.#size);
    this.#size += room;
    if (room > 0 && this.#last[stream]?.append(data.subarray(0, room)) !== true) {
      const block = new ByteBlock(data.subarray(0, room));
      this.#last[stream] = block;
      this.#kept.push({ stream, block });
    }
    if (room === data.length || this.isCut) return;
    this.isCut = true;
    this.#whenCut();
  }

  #isLagging(): boolean {
    for (const { lag } of this.#readers) if (lag > LAG_BYTES) return true;
    return false;
  }

  /** No more comes; a reader throws `error` behind all that came. */
  finish(error?: Error): void {
    this.#over ??= { error };
    this.#wake();
  }

  /** What was kept of a stream. */
  bytes(stream: ExecChunk["stream"]): Uint8Array {
    const own = this.#kept.filter((one) => one.stream === stream);
    return new Uint8Array(Buffer.concat(own.map(({ block }) => block.bytes)));
  }

  /** From what was kept on, as it comes; each reader gets all of it. */
  async *read(): AsyncGenerator<ExecChunk, void> {
    const queue = new Queue(this.#kept);
    this.#readers.add(queue);
    try {
      for (;;) {
        const chunk = queue.shift();
        if (chunk !== undefined) {
          yield chunk;
          queue.read(chunk);
          this.#wake();
        } else if (this.#over === undefined) await this.#changed();
        else if (this.#over.error === undefined) return;
        else throw this.#over.error;
      }
    } finally {
      this.#readers.delete(queue);
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
