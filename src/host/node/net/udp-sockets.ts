/** Sockets of datagrams of the host's, as the user-mode network uses them. */
import dgram from "node:dgram";
import net from "node:net";
import type { HostAddress, HostDatagrams } from "../../../net/host-sockets.js";

/** Bytes that wait in a socket for the host; what is sent beyond is lost, as in every network. */
const MOST_WAITING = 2 ** 20;

export class UdpSocket implements HostDatagrams {
  readonly #socket: dgram.Socket;
  readonly ready: Promise<void>;
  #closed = false;

  /** `failed`: the host has no such socket, for want of descriptors perhaps; it is closed then. */
  constructor(
    received: (data: Uint8Array, from: HostAddress) => void,
    failed: () => void,
    at: HostAddress | 4 | 6,
  ) {
    const [bound, family] = typeof at === "number" ? [undefined, at] : [at, net.isIPv6(at.address) ? 6 : 4];
    // One of IPv6 that hears IPv4, too, would say so in a spelling of its own.
    this.#socket =
      family === 6 ? dgram.createSocket({ type: "udp6", ipv6Only: true }) : dgram.createSocket("udp4");
    this.#socket.on("message", (data, { address, port }) => received(data, { address, port }));
    this.ready = new Promise((resolve, reject) => {
      // Behind the first one, a datagram that cannot be sent is lost and nothing else.
      this.#socket.on("error", reject);
      this.#socket.bind({ port: 0, ...bound, exclusive: true }, () => {
        resolve();
      });
    });
    this.ready.catch(() => {
      if (this.#closed) return;
      this.close();
      failed();
    });
  }

  send(data: Uint8Array, { address, port }: HostAddress): void {
    // Nobody is at port 0; Node takes it for a mistake of its caller.
    if (this.#closed || port === 0 || this.#socket.getSendQueueSize() > MOST_WAITING) return;
    this.#socket.send(data, port, address, () => undefined);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const close = (): unknown => this.#socket.close();
    // Node closes one that is still being bound only when it is.
    this.ready.then(close, close);
  }
}
