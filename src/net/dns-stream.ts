/** Questions that come by a connection, each behind its length in two bytes, and their answers likewise. Specification: RFC 7766. */
import type { NameServer } from "./dns.js";
import type { TcpConnection, TcpUser } from "./tcp/connection.js";

const LENGTH_BYTES = 2;
const MOST_MESSAGE = 65535;
/** Questions of one connection that may wait; then its bytes do. */
const MOST_QUESTIONS = 16;

const EMPTY = new Uint8Array(0);

export class DnsStream implements TcpUser {
  connection: TcpConnection | undefined;
  /** What came and was not read, at the start of a buffer that may be longer. */
  #held = EMPTY;
  #length = 0;
  #waiting = 0;
  #reading = false;
  /** The other side takes no answers for now. */
  #full = false;
  #ended = false;

  constructor(
    private readonly server: NameServer,
    private readonly gone: () => void,
  ) {}

  established(): void {
    // Whoever connected speaks first.
  }

  room(): void {
    this.#full = false;
    this.#read();
  }

  received(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#held.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(this.#held.subarray(0, this.#length));
      this.#held = larger;
    }
    this.#held.set(bytes, this.#length);
    this.#length = length;
    this.#read();
  }

  finished(): void {
    this.#ended = true;
    this.#read();
  }

  closed(): void {
    this.connection = undefined;
    this.#length = 0;
    this.gone();
  }

  /** Asks what is there in full. An answer may come from within the question: the loop that runs goes on then, and none within it. */
  #read(): void {
    if (this.#reading) return;
    this.#reading = true;
    let at = 0;
    while (!this.#full && this.#waiting < MOST_QUESTIONS && this.#length - at >= LENGTH_BYTES) {
      const start = at + LENGTH_BYTES;
      const end = start + ((this.#held[at] << 8) | this.#held[at + 1]);
      if (this.#length < end) break;
      at = end;
      this.#waiting++;
      const asked = this.server.message(this.#held.slice(start, end), (answer) => this.#reply(answer));
      if (!asked) {
        this.#breakOff();
        return;
      }
    }
    this.#reading = false;
    if (at > 0) this.#drop(at);
    // Half a question at the end is none.
    if (this.#ended && this.#waiting === 0 && !this.#full) this.connection?.end();
  }

  /** Nobody knows what follows something that is no question. */
  #breakOff(): void {
    this.connection?.abort();
    this.closed();
  }

  #drop(count: number): void {
    this.#held.copyWithin(0, count, this.#length);
    this.#length -= count;
    if (this.#length === 0) this.#held = EMPTY;
    this.connection?.consumed(count);
  }

  #reply(answer: Uint8Array): void {
    this.#waiting--;
    const bytes = answer.subarray(0, MOST_MESSAGE);
    const framed = new Uint8Array(LENGTH_BYTES + bytes.length);
    framed.set([bytes.length >> 8, bytes.length & 0xff]);
    framed.set(bytes, LENGTH_BYTES);
    if (this.connection?.write(framed) === false) this.#full = true;
    this.#read();
  }
}
