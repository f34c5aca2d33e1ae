/** Connections of the host's, as the user-mode network uses them. */
import net from "node:net";
import type {
  HostAddress,
  HostConnection,
  HostConnectionUser,
  HostFailure,
} from "../../../net/host-sockets.js";
import { SendBuffer } from "../../../net/tcp/send-buffer.js";

const FAILURES: Readonly<Record<string, HostFailure>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ETIMEDOUT: "timeout",
};

/** Whoever says nothing for so long is asked whether it is still there: one that is gone would keep a connection of the guest's for ever. */
const KEEPALIVE_MS = 5 * 60_000;
/** Bytes of one write: whoever takes them slowly is heard of meanwhile. */
const MOST_JOINED = 65_536;

class TcpSocket implements HostConnection {
  #over = false;
  /** What waits for the write that is on its way: a write of Node's costs hundreds of bytes, whatever it has. */
  readonly #waiting = new SendBuffer();
  #writing = false;
  #done: (count: number) => void = () => undefined;

  constructor(private readonly socket: net.Socket) {}

  /** Whoever uses it hears from here on. */
  use(user: HostConnectionUser): this {
    const { socket } = this;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    socket.on("connect", () => user.connected());
    socket.on("data", (bytes) => user.received(bytes));
    socket.on("end", () => {
      if (!this.#over) user.finished();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (this.#over) return;
      this.#over = true;
      user.failed(FAILURES[error.code ?? ""] ?? "unreachable");
    });
    socket.on("close", () => user.closed());
    return this;
  }

  /** A host that talks to itself does so from the address that it talks to. */
  get isOwn(): boolean {
    const { localAddress, remoteAddress } = this.socket;
    return localAddress !== undefined && localAddress === remoteAddress;
  }

  write(bytes: Uint8Array, done: (count: number) => void): void {
    this.#waiting.push(bytes);
    this.#done = done;
    if (!this.#writing) this.#flush();
  }

  /** What waits, in one write. */
  #flush(): void {
    const joined = new Uint8Array(Math.min(this.#waiting.length, MOST_JOINED));
    if (joined.length === 0) return;
    this.#waiting.copy(0, joined);
    this.#waiting.drop(joined.length);
    this.#writing = true;
    this.socket.write(joined, () => {
      this.#writing = false;
      this.#done(joined.length);
      this.#flush();
    });
  }

  end(): void {
    while (this.#waiting.length > 0) this.#flush();
    this.socket.end();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  abort(): void {
    this.#over = true;
    // A reset behind an end that is still being sent is refused by the system, and Node forgets the socket without closing it.
    if (this.socket.connecting || this.socket.writableEnded) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }
}

/** Begins a connection; `user` hears what becomes of it. */
export function connectTcp({ address, port }: HostAddress, user: HostConnectionUser): HostConnection {
  return new TcpSocket(net.connect({ host: address, port, allowHalfOpen: true })).use(user);
}

/** A port that waits for connections. */
export class TcpListener {
  readonly #server: net.Server;
  readonly ready: Promise<void>;

  constructor({ address, port }: HostAddress, accept: (connection: HostConnection) => HostConnectionUser) {
    this.#server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      const connection = new TcpSocket(socket);
      connection.use(accept(connection));
    });
    this.ready = new Promise((resolve, reject) => {
      // Behind the first one: a connection that cannot be taken is no reason to take none.
      this.#server.on("error", reject);
      // As with datagrams: who names an address of IPv6 does not open a port of IPv4.
      this.#server.listen({ host: address, port, exclusive: true, ipv6Only: true }, () => {
        resolve();
      });
    });
    this.ready.catch(() => undefined);
  }

  close(): void {
    this.#server.close();
  }
}
