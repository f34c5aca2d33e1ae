/** Questions that come by a connection, each behind its length in two bytes, and their answers likewise. Specification: RFC 7766. */
import type { NameServer } from "./dns.js";
import type { TcpConnection, TcpUser } from "./tcp/connection.js";

const LENGTH_BYTES = 2;
const MOST_MESSAGE = 65535;
/** Questions of one connection that may wait; then its bytes do. */
const MOST_QUESTIONS = 16;

export class DnsStream implements TcpUser {
  connection: TcpConnection | undefined;
  #held = new Uint8Array(0);
  #waiting = 0;
  #ended = false;

  constructor(
    private readonly server: NameServer,
    private readonly gone: () => void,
  ) {}

  established(): void {
    // Whoever connected speaks first.
  }

  room(): void {
    // Answers are short, and there are few.
  }

  received(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#held.length + bytes.length);
    all.set(this.#held);
    all.set(bytes, this.#held.length);
    this.#held = all;
    this.#read();
  }

  finished(): void {
    this.#ended = true;
    this.#endIfDone();
  }

  closed(): void {
    this.connection = undefined;
    this.gone();
  }

  #read(): void {
    while (this.#waiting < MOST_QUESTIONS && this.#held.length >= LENGTH_BYTES) {
      const length = (this.#held[0] << 8) | this.#held[1];
      const end = LENGTH_BYTES + length;
      if (this.#held.length < end) return;
      const message = this.#held.slice(LENGTH_BYTES, end);
      this.#held = this.#held.slice(end);
      this.connection?.consumed(end);
      this.#waiting++;
      this.server.message(message, (answer) => this.#reply(answer));
    }
  }

  #reply(answer: Uint8Array): void {
    this.#waiting--;
    const bytes = answer.subarray(0, MOST_MESSAGE);
    const framed = new Uint8Array(LENGTH_BYTES + bytes.length);
    framed.set([bytes.length >> 8, bytes.length & 0xff]);
    framed.set(bytes, LENGTH_BYTES);
    this.connection?.write(framed);
    this.#read();
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#ended && this.#waiting === 0) this.connection?.end();
  }
}
