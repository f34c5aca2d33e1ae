/** Sockets of datagrams of the host's, as the user-mode network uses them. */
import dgram from "node:dgram";
import type { HostAddress, HostDatagrams } from "../../../net/host-sockets.js";

/** Bytes that wait in a socket for the host; what is sent beyond is lost, as in every network. */
const MOST_WAITING = 2 ** 20;

export class UdpSocket implements HostDatagrams {
  readonly #socket = dgram.createSocket("udp4");
  readonly ready: Promise<void>;
  #closed = false;

  /** `failed`: the host has no such socket, for want of descriptors perhaps; it is closed then. */
  constructor(received: (data: Uint8Array, from: HostAddress) => void, failed: () => void, at?: HostAddress) {
    this.#socket.on("message", (data, { address, port }) => received(data, { address, port }));
    this.ready = new Promise((resolve, reject) => {
      // Behind the first one, a datagram that cannot be sent is lost and nothing else.
      this.#socket.on("error", reject);
      this.#socket.bind({ port: at?.port ?? 0, ...(at && { address: at.address }), exclusive: true }, () => {
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
