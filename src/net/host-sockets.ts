/**
 * What the network needs of its host: connections, datagrams and names. A host implements it; calls come back at once, and what
 * comes later comes by a call of its own, never from within one of these.
 */

/** An address of a host's, as text ("192.0.2.1", "2001:db8::1"), and a port. */
export interface HostAddress {
  readonly address: string;
  readonly port: number;
}

/** Why a connection did not come about, or broke. */
export type HostFailure = "refused" | "unreachable" | "timeout" | "reset";

/** What a connection tells whoever uses it. Nothing but `closed` follows `failed`. */
export interface HostConnectionUser {
  connected(): void;
  /** The bytes are the user's. */
  received(bytes: Uint8Array): void;
  /** The other side says no more. */
  finished(): void;
  failed(why: HostFailure): void;
  /** It is gone, with all that it held, however it ended. The last that is heard. */
  closed(): void;
}

/** A connection of the host's; each side may end its own direction. */
export interface HostConnection {
  /** Whether it has led to the host itself, by whatever address. */
  readonly isOwn: boolean;
  /**
   * Sends bytes. `done` is called when they have left, whatever became of them, with how many; what several calls wrote may be
   * done at once, and every call brings the same `done`.
   */
  write(bytes: Uint8Array, done: (count: number) => void): void;
  /** No more will be sent. */
  end(): void;
  /** No `received` until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends it at once and lets the other side know. `failed` does not follow. */
  abort(): void;
}

/** A socket of datagrams. */
export interface HostDatagrams {
  /** What cannot be sent is lost. */
  send(data: Uint8Array, to: HostAddress): void;
  close(): void;
}

/** What is known of a name: addresses and for how long, seconds; or why not. */
export type HostNames =
  | { readonly addresses: readonly string[]; readonly seconds: number }
  | { readonly failed: "no-name" | "no-answer" };

export interface HostSockets {
  connect(to: HostAddress, user: HostConnectionUser): HostConnection;
  /**
   * A socket of datagrams at `at`, or at a port of the host's choice that speaks this version of IP; undefined where there is none to be had.
   * `failed`: it turned out later that there is none; what was sent is lost, and nothing more is heard.
   */
  datagrams(
    received: (data: Uint8Array, from: HostAddress) => void,
    failed: () => void,
    at: HostAddress | 4 | 6,
  ): HostDatagrams | undefined;
  /** Waits for connections; whoever connects is handed to `accept`, which gives who uses it. Gives what ends it. */
  listen(at: HostAddress, accept: (connection: HostConnection) => HostConnectionUser): () => void;
  /** Addresses of a name, as the host's own programs would find them. */
  lookup(name: string, family: 4 | 6, done: (names: HostNames) => void): void;
  /** A question in the form of DNS to whom the host asks, and its answer as it is; undefined: there was none. */
  ask(question: Uint8Array, done: (answer: Uint8Array | undefined) => void): void;
  /** Every address that is the host's own, and prefixes (`192.0.2.0/24`) of those that all are. */
  ownAddresses(): readonly string[];
}
