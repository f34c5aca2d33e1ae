/** One who sends and takes frames by a stream socket, and whom nobody trusts: what waits for it is bounded, and what it sends is taken as fast as there is room. */
import type net from "node:net";
import { wireFrame, WireReader } from "../../../net/wire-stream.js";
import { WriteQueue } from "./write-queue.js";

/** Bytes that wait for the peer at most; what comes beyond is lost, as on every wire. */
const MOST_WAITING = 2 ** 20;
/** With so many bytes waiting, whoever can wait waits, until half of them have left. */
const ENOUGH_WAITING = 2 ** 18;

/** How long what was sent last may take to leave, ms. */
const LAST_WORDS_MS = 300;

export interface PeerEvents {
  /** Takes a frame; false where there is no room now: it comes again after `resume`. */
  frame(bytes: Uint8Array): boolean;
  /** The peer is gone; an error where it was broken off, of its stream (WireError) or of the host. Called once. */
  gone(why: Error | undefined): void;
}

export class StreamPeer {
  readonly #socket: net.Socket;
  readonly #events: PeerEvents;
  readonly #reader = new WireReader();
  /** A frame for which there was no room. */
  #waiting: Uint8Array | undefined;
  readonly #queue: WriteQueue;
  #drained: (() => void)[] = [];
  #why: Error | undefined;

  constructor(socket: net.Socket, events: PeerEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#queue = new WriteQueue(socket, () => {
      if (this.#queue.waiting <= ENOUGH_WAITING / 2) this.#tellDrained();
    });
    socket.on("data", (bytes) => {
      this.#reader.push(bytes);
      this.#carry();
    });
    socket.on("error", (error) => (this.#why ??= error));
    socket.on("close", () => {
      events.gone(this.#why);
      this.#tellDrained();
    });
  }

  /** Whether more than enough waits for it. */
  get isFull(): boolean {
    return this.#queue.waiting > ENOUGH_WAITING;
  }

  /** Bytes that the host has taken for it so far: more of them tell that it is slow, not stuck. */
  get taken(): number {
    return this.#queue.taken;
  }

  /** Whether `send` would take a frame of so many bytes. */
  hasRoom(bytes: number): boolean {
    return !this.#socket.destroyed && this.#queue.waiting + bytes <= MOST_WAITING;
  }

  /** Sends a frame; false where it is lost. */
  send(frame: Uint8Array): boolean {
    if (!this.hasRoom(frame.length)) return false;
    this.#queue.push(wireFrame(frame));
    return true;
  }

  /** Calls back once, when enough of what waited has left or the peer is gone. */
  onDrain(callback: () => void): void {
    this.#drained.push(callback);
  }

  /** There is room for its frames again. */
  resume(): void {
    if (this.#waiting === undefined) return;
    const frame = this.#waiting;
    this.#waiting = undefined;
    if (this.#offer(frame)) this.#carry();
  }

  /** Ends it; what was sent last still leaves, for a while. */
  close(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve();
      };
      const timer = setTimeout(done, LAST_WORDS_MS);
      socket.once("close", done);
      socket.once("finish", done);
      this.#queue.end();
    });
  }

  #tellDrained(): void {
    const callbacks = this.#drained;
    this.#drained = [];
    for (const callback of callbacks) callback();
  }

  #offer(frame: Uint8Array): boolean {
    if (this.#events.frame(frame)) return true;
    this.#waiting = frame;
    return false;
  }

  #carry(): void {
    try {
      for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
        if (this.#offer(frame)) continue;
        this.#socket.pause();
        return;
      }
      if (this.#socket.isPaused()) this.#socket.resume();
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  }
}
