/**
 * Reads what a guest prints, line by line, and recognises a kernel's last words. Knows no device and no host;
 * it is fed bytes and keeps at most one line.
 *
 * The texts are Linux's own (kernel/panic.c): "Kernel panic - not syncing: …" when it begins, and
 * "---[ end Kernel panic - not syncing: … ]---" once nothing is left to try (no reboot was configured).
 */

/** Longest line that is looked at, bytes; the rest of a longer one is skipped. */
export const LINE_LIMIT = 1024;

const CR = 0x0d;
const LF = 0x0a;

/** An optional printk prefix: time stamp, then caller ("[T1]", "[C0]"), then the text at the start of the line. */
const PREFIX = String.raw`^(?:<\d+>)?(?:\[\s*\d+\.\d+\]\s*)?(?:\[\s*[TC]\d+\]\s*)?`;
const PANIC = new RegExp(`${PREFIX}(Kernel panic - not syncing.*)$`);
const PANIC_END = new RegExp(String.raw`${PREFIX}---\[ end Kernel panic - not syncing.*$`);

/** What is remembered between two bytes: a line that has not ended, and what was found. Plain data. */
export interface ConsoleWatchState {
  line: Uint8Array;
  panic?: string;
  panicOver: boolean;
}

export class ConsoleWatch {
  readonly #line = new Uint8Array(LINE_LIMIT);
  #length = 0;
  #panic: string | undefined;
  #panicOver = false;

  /** `state`: goes on where `save` left another one. Throws RangeError for a line that is too long. */
  constructor(state?: ConsoleWatchState) {
    if (state === undefined) return;
    this.#line.set(state.line);
    this.#length = state.line.length;
    this.#panic = state.panic;
    this.#panicOver = state.panicOver;
  }

  save(): ConsoleWatchState {
    return {
      line: this.#line.slice(0, this.#length),
      ...(this.#panic !== undefined && { panic: this.#panic }),
      panicOver: this.#panicOver,
    };
  }

  /** The first panic line seen, without its time stamp. */
  get panic(): string | undefined {
    return this.#panic;
  }

  /** Whether the kernel has said that it gave up: from here on it only spins. */
  get panicOver(): boolean {
    return this.#panicOver;
  }

  /** Takes the next bytes of the console. */
  feed(bytes: Uint8Array): void {
    for (const byte of bytes) this.take(byte);
  }

  /** Takes one byte; says whether it completes the words by which the kernel gives up. */
  take(byte: number): boolean {
    const before = this.#panicOver;
    if (byte === LF || byte === CR) this.#endLine();
    else if (this.#length < LINE_LIMIT) this.#line[this.#length++] = byte;
    return this.#panicOver && !before;
  }

  #endLine(): void {
    if (this.#length === 0) return;
    const line = String.fromCharCode(...this.#line.subarray(0, this.#length));
    this.#length = 0;
    this.#panic ??= PANIC.exec(line)?.[1]?.trimEnd();
    if (this.#panic !== undefined && PANIC_END.test(line)) this.#panicOver = true;
  }
}
