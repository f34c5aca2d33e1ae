/** A connection of the guest's tied to one of the host's: bytes go through, ends and breaks too, and neither side runs ahead of the other. */
import type { HostConnection, HostConnectionUser, HostFailure } from "./host-sockets.js";
import type { TcpConnection, TcpUser } from "./tcp/connection.js";

/** Who keeps a flow. */
export interface FlowOwner {
  /** The host's side is there. */
  ready(): void;
  /** The host's side did not come about. */
  failed(why: HostFailure): void;
  /** It is over. */
  gone(): void;
}

export class TcpFlow {
  /** The guest's side; absent until the host's is there. */
  connection: TcpConnection | undefined;
  host: HostConnection | undefined;

  constructor(private readonly owner: FlowOwner) {}

  /** The same for all writes: a guest chooses how many there are. */
  readonly #left = (count: number): void => this.connection?.consumed(count);

  /** Hears from the guest. */
  readonly ofGuest: TcpUser = {
    established: () => this.host?.resume(),
    received: (bytes) => this.host?.write(bytes, this.#left),
    finished: () => this.host?.end(),
    room: () => this.host?.resume(),
    closed: (how) => {
      this.connection = undefined;
      if (how !== "done") this.host?.abort();
      this.host = undefined;
      this.owner.gone();
    },
  };

  /** Hears from the host. */
  readonly ofHost: HostConnectionUser = {
    connected: () => this.owner.ready(),
    received: (bytes) => {
      if (this.connection?.write(bytes) === false) this.host?.pause();
    },
    finished: () => this.connection?.end(),
    failed: (why) => {
      this.host = undefined;
      if (this.connection === undefined) this.owner.failed(why);
      this.connection?.abort();
      this.connection = undefined;
      this.owner.gone();
    },
  };

  /** Ends both sides at once. */
  abort(): void {
    this.connection?.abort();
    this.host?.abort();
    this.connection = this.host = undefined;
  }
}
