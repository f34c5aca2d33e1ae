/** Both ways of a guest's console: its bytes and lines, what is waited for, and what is typed. Knows no machine. */
import { Expecting, type Expected, type ExpectOptions } from "./expecting.js";
import { InputQueue } from "./input-queue.js";
import { checkOptions, checkValue, DATA, oneOf, type KindsOf } from "./option-kinds.js";
import { OutputHistory, type LagLimit, type Since } from "./output-history.js";
import { textLines } from "./text-lines.js";

/** The machine's side of a terminal. */
export interface TerminalWire {
  /** Takes what the guest wrote; resolves when there is room for more. */
  take(bytes: Uint8Array): Promise<void>;
  /** There may be room for what was typed. */
  room(): void;
  /** The machine has ended; `error` says so to whoever still waits. */
  finish(error: Error): void;
}

/** From where on something is read: what is kept, a mebibyte at the most, or only what comes. */
export interface ReadOptions {
  readonly since?: Since | undefined;
}

const KINDS: KindsOf<ReadOptions> = { since: oneOf(["start", "now"]) };

const utf8 = new TextEncoder();

export class Terminal {
  readonly #history: OutputHistory;
  readonly #expecting = new Expecting();
  readonly #input: InputQueue;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array | string> | undefined;

  /**
   * `give` takes what is typed, as much as there is room for, and says how much that was; `connect` gets the machine's side; `limit` is
   * for a guest that cannot be held back. A user does not make one: it is `vm.console`, or comes from `vm.shell()`.
   */
  constructor(give: (bytes: Uint8Array) => number, connect: (wire: TerminalWire) => void, limit?: LagLimit) {
    this.#history = new OutputHistory(limit);
    this.#input = new InputQueue(give);
    connect({
      take: (bytes) => {
        this.#expecting.take(bytes);
        return this.#history.take(bytes);
      },
      room: () => this.#input.room(),
      finish: (error) => {
        this.#history.finish();
        this.#expecting.finish(error);
        this.#input.finish(error);
      },
    });
  }

  /** Lines of UTF-8 without their ends, up to its end. A slow reader holds the guest back; one of a shell's gets VmError "overrun". */
  lines(options: ReadOptions = {}): AsyncGenerator<string, void> {
    checkOptions("lines", options, KINDS);
    return textLines(this.#history.read(options.since ?? "start"));
  }

  /** The bytes as they come, up to its end. A slow reader holds the guest back; one of a shell's gets VmError "overrun". */
  bytes(options: ReadOptions = {}): AsyncGenerator<Uint8Array, void> {
    checkOptions("bytes", options, KINDS);
    return this.#history.read(options.since ?? "start");
  }

  /** The same as a stream, one for the machine. */
  get readable(): ReadableStream<Uint8Array> {
    if (this.#readable !== undefined) return this.#readable;
    const bytes = this.#history.read("start");
    this.#readable = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const next = await bytes.next();
          if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        },
        // It ends at the next byte, or with the machine.
        cancel: () => void bytes.return(),
      },
      { highWaterMark: 0 },
    );
    return this.#readable;
  }

  /** What is written to it is typed; one for the machine. To close it changes nothing. */
  get writable(): WritableStream<Uint8Array | string> {
    this.#writable ??= new WritableStream<Uint8Array | string>({ write: (chunk) => this.send(chunk) });
    return this.#writable;
  }

  /** Types text or bytes; resolves once the machine has taken them. Rejects with VmError "ended" and "option". */
  async send(data: string | Uint8Array): Promise<void> {
    checkValue("send", data, DATA);
    return this.#input.send(typeof data === "string" ? utf8.encode(data) : data);
  }

  /**
   * Waits until the guest has written this; what comes next is looked for behind it. Rejects with VmError "timeout" or "ended", and
   * with the signal's reason.
   */
  expect(pattern: RegExp | string, options?: ExpectOptions): Promise<Expected> {
    return this.#expecting.expect(pattern, options);
  }
}
