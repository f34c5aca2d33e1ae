/** Where gdb connects: a port of the loopback interface, or a socket in the file system; one gdb at a time. Knows no protocol. */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { asBytes, packet } from "../../diagnose/gdb/packets.js";
import { encodeGdbFrame, GdbFrameReader, type GdbFrame } from "../gdb-frames.js";
import { hostReason } from "./disk-error.js";

/** Where to listen. Port 0: any that is free. */
export type GdbPlace = { port: number } | { path: string };

const LOOPBACK = "127.0.0.1";
/** Of whoever runs this program, and nobody else. */
const OWNER_ONLY_MASK = 0o177;
/** Not part of the protocol: gdb shows the text of an error that begins so. */
const TAKEN = "E.this machine has a gdb already";
/** How long what was said last may take to leave, ms. */
const LAST_WORDS_MS = 300;

/** Nobody can listen there. */
export class GdbServerError extends Error {
  override readonly name = "GdbServerError";
}

function refusal(place: GdbPlace, error: Error): GdbServerError {
  const where = "port" in place ? `port ${place.port}` : place.path;
  const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
  const hint =
    "port" in place
      ? "another program has it: choose another port, or 0 for any"
      : "it is there already: remove it if nobody listens";
  return new GdbServerError(`--gdb ${where}: ${taken ? hint : hostReason(error)}`);
}

export class GdbServer {
  readonly #server: Server;
  readonly #reader = new GdbFrameReader();
  readonly #say: (line: string) => void;
  #give: ((bytes: Uint8Array) => number) | undefined;
  /** What the channel had no room for. */
  #rest: Uint8Array[] = [];
  #socket: Socket | undefined;
  #connection = 0;

  private constructor(say: (line: string) => void) {
    this.#say = say;
    this.#server = createServer((socket) => this.#arrive(socket));
  }

  /** Rejects with GdbServerError. `say`: told of gdbs that come and go, a line at a time. */
  static async open(place: GdbPlace, say: (line: string) => void): Promise<GdbServer> {
    const made = new GdbServer(say);
    const listening = new Promise<void>((resolve, reject) => {
      made.#server.once("listening", resolve);
      made.#server.once("error", (error) => reject(refusal(place, error)));
    });
    if ("port" in place) made.#server.listen(place.port, LOOPBACK);
    else {
      const mask = process.umask(OWNER_ONLY_MASK);
      made.#server.listen(place.path);
      process.umask(mask);
    }
    await listening;
    made.#server.on("error", (error) => say(hostReason(error)));
    return made;
  }

  /** What gdb's `target remote` takes. */
  get target(): string {
    const address = this.#server.address() as AddressInfo | string;
    return typeof address === "string" ? address : `:${address.port}`;
  }

  /** What the machine says; resolves when more is wanted. */
  async take(bytes: Uint8Array): Promise<void> {
    for (const frame of this.#reader.push(bytes)) await this.#deliver(frame);
  }

  /** Frames for the machine go here: gives how many bytes were taken. */
  connect(give: (bytes: Uint8Array) => number): void {
    this.#give = give;
    this.offer();
  }

  /** Nobody can connect any more; what was said last still leaves, for a moment. */
  async close(): Promise<void> {
    this.#give = undefined;
    this.#server.close();
    const socket = this.#socket;
    if (socket === undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LAST_WORDS_MS);
      socket.end(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    socket.destroy();
  }

  #arrive(socket: Socket): void {
    socket.setNoDelay(true);
    // However a connection ends: "close" follows.
    socket.on("error", () => undefined);
    if (this.#socket !== undefined) {
      this.#say("gdb: a second one was turned away");
      socket.end(packet(asBytes(TAKEN)));
      return;
    }
    const connection = ++this.#connection;
    this.#socket = socket;
    this.#say("gdb: attached; the machine stands still");
    this.#tell({ connection, kind: "opened", bytes: new Uint8Array(0) });
    socket.on("data", (bytes) => this.#tell({ connection, kind: "data", bytes }));
    socket.on("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#say("gdb: gone; the machine goes on");
      this.#tell({ connection, kind: "closed", bytes: new Uint8Array(0) });
    });
  }

  #tell(frame: GdbFrame): void {
    this.#rest.push(encodeGdbFrame(frame));
    this.offer();
  }

  /** There may be room: gives what waits; whoever sends more than there is room for waits too. */
  offer(): void {
    if (this.#give === undefined) return;
    for (let first = this.#rest.at(0); first !== undefined; first = this.#rest.at(0)) {
      const taken = this.#give(first);
      if (taken < first.length) {
        this.#rest[0] = first.subarray(taken);
        this.#socket?.pause();
        return;
      }
      this.#rest.shift();
    }
    this.#socket?.resume();
  }

  /** To the gdb that it is for; for one that is gone to nobody. */
  async #deliver({ connection, bytes }: GdbFrame): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || connection !== this.#connection || socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      socket.once("drain", resolve);
      socket.once("close", resolve);
    });
  }
}
