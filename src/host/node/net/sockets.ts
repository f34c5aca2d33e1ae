/** The host's sockets and names for the user-mode network, on the thread that has an event loop. */
import type {
  HostAddress,
  HostConnection,
  HostConnectionUser,
  HostDatagrams,
  HostNames,
  HostSockets,
} from "../../../net/host-sockets.js";
import { ask, lookup } from "./names.js";
import { NetError } from "./net-error.js";
import { ownAddresses } from "./own-addresses.js";
import { connectTcp, TcpListener } from "./tcp-sockets.js";
import { UdpSocket } from "./udp-sockets.js";
import { hostReason } from "../disk-error.js";

/** For so long the host's own addresses are believed, ms: asking takes system calls. */
const ADDRESSES_MS = 1000;

export class NodeSockets implements HostSockets {
  readonly #ready: { what: string; promise: Promise<void> }[] = [];
  #own: { at: number; addresses: readonly string[] } | undefined;

  /** Once every port that was asked for is there. Rejects with NetError. */
  async opened(): Promise<void> {
    for (const { what, promise } of this.#ready) {
      try {
        await promise;
      } catch (cause) {
        throw new NetError(
          what,
          hostReason(cause),
          "a port that is free",
          "Publish at another port, or end what has it.",
        );
      }
    }
  }

  connect(to: HostAddress, user: HostConnectionUser): HostConnection {
    return connectTcp(to, user);
  }

  datagrams(
    received: (data: Uint8Array, from: HostAddress) => void,
    failed: () => void,
    at: HostAddress | 4 | 6,
  ): HostDatagrams {
    const socket = new UdpSocket(received, failed, at);
    if (typeof at === "object")
      this.#ready.push({ what: `udp ${at.address}:${at.port}`, promise: socket.ready });
    return socket;
  }

  listen(at: HostAddress, accept: (connection: HostConnection) => HostConnectionUser): () => void {
    const listener = new TcpListener(at, accept);
    this.#ready.push({ what: `tcp ${at.address}:${at.port}`, promise: listener.ready });
    return () => listener.close();
  }

  lookup(name: string, family: 4 | 6, done: (names: HostNames) => void): void {
    lookup(name, family, done);
  }

  ask(question: Uint8Array, done: (answer: Uint8Array | undefined) => void): void {
    void ask(question).then(done);
  }

  ownAddresses(): readonly string[] {
    const now = performance.now();
    if (this.#own === undefined || now - this.#own.at > ADDRESSES_MS) {
      this.#own = { at: now, addresses: ownAddresses() };
    }
    return this.#own.addresses;
  }
}
