/** A connection of the guest's tied to one of the host's: bytes go through, ends and breaks too, and neither side runs ahead of the other. */
import type { HostConnection, HostConnectionUser, HostFailure } from "./host-sockets.js";
import type { TcpConnection, TcpUser } from "./tcp/connection.js";

/** Who keeps a flow. */
export interface FlowOwner {
  /** The host's side is there. */
  ready(): void;
  /** The host's side did not come about. */
  failed(why: HostFailure): void;
  /** It is over. `host` is there where the host's side is not closed yet. */
  gone(): void;
  /** The host's side is closed: what was over before is so altogether. */
  hostClosed(): void;
}

export class TcpFlow {
  /** The guest's side; absent until the host's is there. */
  connection: TcpConnection | undefined;
  /** The host's side, as long as the host has it: it may still hold what the guest has said, after the guest's is over. */
  host: HostConnection | undefined;
  /** Grows with what the host's side gets rid of. */
  moved = 0;
  /** The guest has said all, and the host was told. */
  #said = false;
  /** Nobody is to hear any more of it, but that the host's side is closed. */
  #over = false;

  constructor(private readonly owner: FlowOwner) {}

  /** The same for all writes: a guest chooses how many there are. */
  readonly #left = (count: number): void => {
    this.moved++;
    this.connection?.consumed(count);
  };

  /** Hears from the guest. */
  readonly ofGuest: TcpUser = {
    established: () => this.host?.resume(),
    received: (bytes) => this.host?.write(bytes, this.#left),
    finished: () => {
      this.#said = true;
      this.host?.end();
    },
    room: () => this.host?.resume(),
    closed: (how) => {
      this.connection = undefined;
      this.#over = true;
      if (how !== "done") this.#abortHost();
      this.owner.gone();
    },
  };

  /** Hears from the host. */
  readonly ofHost: HostConnectionUser = {
    connected: () => {
      if (!this.#over) this.owner.ready();
    },
    received: (bytes) => {
      if (this.connection?.write(bytes) === false) this.host?.pause();
    },
    finished: () => this.connection?.end(),
    failed: (why) => {
      this.host = undefined;
      if (this.#over) return;
      this.#over = true;
      if (this.connection === undefined) this.owner.failed(why);
      this.connection?.abort();
      this.connection = undefined;
      this.owner.gone();
    },
    closed: () => {
      this.host = undefined;
      this.owner.hostClosed();
    },
  };

  /** Ends the guest's side, and the host's, unless that has all that the guest said and only has to send it. */
  leave(): void {
    if (!this.#said) {
      this.abort();
      return;
    }
    this.#over = true;
    this.connection?.abort();
    this.connection = undefined;
  }

  /** Ends both sides at once. */
  abort(): void {
    this.#over = true;
    this.connection?.abort();
    this.connection = undefined;
    this.#abortHost();
  }

  #abortHost(): void {
    this.host?.abort();
    this.host = undefined;
  }
}
