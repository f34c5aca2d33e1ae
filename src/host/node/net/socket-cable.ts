/** A cable that leads to a peer by a stream socket of the host's, with QEMU's and passt's framing. A peer that goes away may come back. */
import type net from "node:net";
import { hostReason } from "../disk-error.js";
import { WireError } from "../../../net/wire-stream.js";
import type { Cable, CableUser } from "./cable.js";
import { NetError } from "./net-error.js";
import type { CableKind } from "./net-request.js";
import { connectPath, fitsSocket, isNobody, PathListener, PathTaken } from "./path-socket.js";
import { sayOnce } from "./say-once.js";
import { StreamPeer } from "./stream-peer.js";

/** How often a peer that is gone is looked for, ms. */
const AGAIN_MS = 500;

export type SocketKind = Extract<CableKind, { kind: "socket" }>;

export class SocketCable implements Cable {
  readonly #about: SocketKind;
  readonly #user: CableUser;
  #listener: PathListener | undefined;
  #peer: StreamPeer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** A peer that comes and goes all the time is no reason to say so all the time. */
  readonly #sayOnce: (kind: "nonsense" | "gone", line: string) => void;

  constructor(about: SocketKind, user: CableUser) {
    this.#about = about;
    this.#user = user;
    this.#sayOnce = sayOnce((line) => user.say(line));
  }

  async open(): Promise<void> {
    const { path, listen } = this.#about;
    if (!fitsSocket(path))
      throw new NetError(
        `socket ${path}`,
        "a path that is too long for a socket",
        "a shorter one",
        "Take a folder nearer to the root.",
      );
    try {
      if (listen) this.#listener = await PathListener.open(path, (socket) => this.#visited(socket));
      else this.#connected(await connectPath(path));
    } catch (error) {
      throw this.#cannot(error);
    }
  }

  get isFull(): boolean {
    return this.#peer?.isFull ?? false;
  }

  get taken(): number {
    return this.#peer?.taken ?? 0;
  }

  onDrain(callback: () => void): void {
    if (this.#peer === undefined) callback();
    else this.#peer.onDrain(callback);
  }

  send(frame: Uint8Array): void {
    this.#peer?.send(frame);
  }

  resume(): void {
    this.#peer?.resume();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#listener?.close();
    await this.#peer?.close();
  }

  #cannot(error: unknown): NetError {
    const { path, listen } = this.#about;
    const what = `socket ${path}`;
    if (error instanceof PathTaken)
      return new NetError(
        what,
        error.message,
        "a path where nobody listens",
        "Take another path, or leave listen=yes out to connect to it.",
      );
    if (listen) return new NetError(what, hostReason(error), "a path for a socket", "Correct it.");
    const found = isNobody(error) ? "nobody who listens there" : hostReason(error);
    return new NetError(
      what,
      found,
      "a peer that listens",
      "Start it first, or write listen=yes to have it come here.",
    );
  }

  /** One peer at a time: who comes besides is sent away. */
  #visited(socket: net.Socket): void {
    if (this.#peer === undefined) this.#connected(socket);
    else socket.destroy();
  }

  #connected(socket: net.Socket): void {
    this.#peer = new StreamPeer(socket, {
      frame: (bytes) => this.#user.frame(bytes),
      gone: (why) => this.#gone(why),
    });
  }

  #gone(why: Error | undefined): void {
    this.#peer = undefined;
    if (this.#closed) return;
    const { path, listen } = this.#about;
    if (why instanceof WireError) {
      const rest = listen ? "it is sent away, and another may come" : "nothing more is exchanged with it";
      this.#sayOnce("nonsense", `socket ${path}: the peer sends ${why.message}; ${rest}`);
      return;
    }
    this.#sayOnce("gone", `socket ${path}: the peer is gone; what the guest sends is lost until it is back`);
    if (!listen) this.#again();
  }

  /** Looks for a peer that is gone. */
  #again(): void {
    this.#timer = setTimeout(() => void this.#lookForPeer(), AGAIN_MS);
    this.#timer.unref();
  }

  async #lookForPeer(): Promise<void> {
    try {
      const socket = await connectPath(this.#about.path);
      if (this.#closed) socket.destroy();
      else this.#connected(socket);
    } catch {
      if (!this.#closed) this.#again();
    }
  }
}
