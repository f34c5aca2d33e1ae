/**
 * The machine's side of its console: bytes from a serial port are gathered and handed on in blocks, bytes from
 * outside wait until the port has room. Knows no host: outside is an interface.
 */

/** The world's side of the console; a host implements it. All calls are synchronous. */
export interface ConsoleEnd {
  /** Takes output. The array is reused after the call: copy what is kept. May block until there is room. */
  write(bytes: Uint8Array): void;
  /** Gives at most `limit` bytes of input, an empty array when there is none now. */
  read(limit: number): Uint8Array;
  /** Whether input may still come. `false` after the end of a pipe once everything was read. */
  inputOpen(): boolean;
}

/** The receiving side of a serial port. */
export interface SerialReceiver {
  /** Offers bytes; returns how many were taken, from the front. */
  receive(bytes: Uint8Array): number;
}

/** Input bytes taken from outside ahead of the port: what a 16550's FIFO holds. */
export const MOST_INPUT_HELD = 16;
/** Output bytes gathered before they are handed on at the latest. */
const BLOCK_SIZE = 4096;

export class MachineConsole {
  readonly #outside: ConsoleEnd;
  readonly #block = new Uint8Array(BLOCK_SIZE);
  #length = 0;
  readonly #closed: () => boolean;
  #receiver: SerialReceiver | undefined;
  readonly #watchers: ((byte: number) => void)[] = [];
  /** Input that the port had no room for yet. */
  #held: Uint8Array = new Uint8Array(0);

  /** `held`: input that a machine had taken when it was saved. While `closed` answers true no input is passed on. */
  constructor(
    outside: ConsoleEnd,
    held: Uint8Array = new Uint8Array(0),
    closed: () => boolean = () => false,
  ) {
    this.#outside = outside;
    this.#held = held;
    this.#closed = closed;
  }

  /** Input that was taken from outside and that the port had no room for yet. */
  get held(): Uint8Array {
    return this.#held.slice();
  }

  /** The port that input goes to. */
  connect(receiver: SerialReceiver): void {
    this.#receiver = receiver;
  }

  /** Whether a key can still arrive: without one, a sleeping guest has one wake source less. */
  get inputPossible(): boolean {
    return this.#receiver !== undefined && (this.#held.length > 0 || this.#outside.inputOpen());
  }

  /** From now on every byte that is transmitted is shown to `saw`. */
  onByte(saw: (byte: number) => void): void {
    this.#watchers.push(saw);
  }

  /** A byte the guest transmitted. */
  transmit(byte: number): void {
    for (const saw of this.#watchers) saw(byte);
    this.#block[this.#length++] = byte;
    if (this.#length === BLOCK_SIZE) this.flush();
  }

  /** Hands on what was gathered. */
  flush(): void {
    if (this.#length === 0) return;
    const block = this.#block.subarray(0, this.#length);
    this.#length = 0;
    this.#outside.write(block);
  }

  /** Offers waiting input to the port until it takes no more. */
  pump(): void {
    if (this.#receiver === undefined || this.#closed()) return;
    for (;;) {
      if (this.#held.length === 0) this.#held = this.#outside.read(MOST_INPUT_HELD);
      if (this.#held.length === 0) return;
      const taken = this.#receiver.receive(this.#held);
      if (taken === 0) return;
      this.#held = this.#held.subarray(taken);
    }
  }
}
