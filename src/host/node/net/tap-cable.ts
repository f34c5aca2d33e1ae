/**
 * A cable that leads to an interface of the host, a tap. A thread of libuv's waits for its frames, and for a pipe that ends the waiting: the
 * process could not end otherwise. A tap that was not there before goes when the process does, however it ends.
 */
import fs from "node:fs";
import { MOST_FRAME } from "../../../net/net-backend.js";
import { hostReason } from "../disk-error.js";
import { NativeCallError, nativeCalls, nativeVerdict } from "../native-calls.js";
import type { Cable, CableUser } from "./cable.js";
import { NetError } from "./net-error.js";
import type { TapCalls } from "./tap-calls.js";

const DEVICE = "/dev/net/tun";
/** So many frames are read before others have their turn. */
const TURN_FRAMES = 64;
const ERRNO = { EPERM: 1, EBUSY: 16, EINVAL: 22 } as const;

interface OpenTap {
  readonly calls: TapCalls;
  readonly descriptor: number;
  readonly wake: { read: number; write: number };
}

/** Why a tap cannot be had, and what to do. */
function refusal(name: string, found: string, meaning: string): NetError {
  return new NetError(`tap ${name}`, found, "an interface that this process may have", meaning);
}

function attachRefusal(name: string, errno: number): NetError {
  switch (errno) {
    case ERRNO.EPERM:
      return refusal(
        name,
        "no leave to make or take it",
        `Have root make it: ip tuntap add dev ${name} mode tap user $USER && ip link set ${name} up`,
      );
    case ERRNO.EBUSY:
      return refusal(name, "another process that has it", "Take another one: each machine needs its own.");
    case ERRNO.EINVAL:
      return refusal(
        name,
        "an interface of another kind, or a tap of several queues",
        "Take another name, or make it without multi_queue; ip -d tuntap lists taps.",
      );
    default:
      return refusal(name, `error ${errno}`, "See ip tuntap.");
  }
}

async function openTap(name: string): Promise<OpenTap> {
  const native = nativeCalls();
  if (native === undefined) {
    const verdict = nativeVerdict();
    throw refusal(
      name,
      verdict.usable ? "no calls" : verdict.reason,
      "A tap needs Linux and the optional package koffi; --net user needs neither.",
    );
  }
  const calls = await native.tapCalls();
  let descriptor: number;
  try {
    descriptor = fs.openSync(DEVICE, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  } catch (error) {
    throw refusal(
      name,
      `${DEVICE}: ${hostReason(error)}`,
      "Have root load its module (modprobe tun) and give it to all (mode 0666, as is usual), or give it to the container.",
    );
  }
  try {
    calls.attach(descriptor, name);
    return { calls, descriptor, wake: calls.pipe() };
  } catch (error) {
    fs.closeSync(descriptor);
    throw error instanceof NativeCallError ? attachRefusal(name, error.errno) : error;
  }
}

export class TapCable implements Cable {
  /** Never: a write is taken or lost at once. */
  readonly isFull = false;
  readonly taken = 0;
  readonly #buffer = new Uint8Array(MOST_FRAME);
  #tap: OpenTap | undefined;
  #waits = false;
  /** A frame for which there was no room. */
  #held: Uint8Array | undefined;
  #closed = false;
  #ended: (() => void) | undefined;
  readonly #onExit = (): void => this.#wake();

  constructor(
    private readonly name: string,
    private readonly user: CableUser,
  ) {}

  async open(): Promise<void> {
    this.#tap = await openTap(this.name);
    // Node waits for the thread in the end, also where nobody closes this.
    process.once("exit", this.#onExit);
    this.#wait();
  }

  /** One that the host does not take is lost: the interface is down, or its queue is full. */
  send(frame: Uint8Array): void {
    if (this.#tap === undefined || this.#closed) return;
    try {
      fs.writeSync(this.#tap.descriptor, frame);
    } catch {
      // Nobody resends what an Ethernet loses.
    }
  }

  onDrain(callback: () => void): void {
    callback();
  }

  resume(): void {
    const frame = this.#held;
    if (frame === undefined) return;
    this.#held = undefined;
    if (this.#offer(frame)) this.#carry();
  }

  close(): Promise<void> {
    this.#closed = true;
    process.off("exit", this.#onExit);
    if (!this.#waits) {
      this.#end();
      return Promise.resolve();
    }
    const ended = new Promise<void>((resolve) => (this.#ended = resolve));
    this.#wake();
    return ended;
  }

  #wake(): void {
    if (this.#waits && this.#tap !== undefined) fs.writeSync(this.#tap.wake.write, Uint8Array.of(1));
  }

  #end(): void {
    const tap = this.#tap;
    this.#tap = undefined;
    if (tap !== undefined)
      for (const one of [tap.descriptor, tap.wake.read, tap.wake.write]) fs.closeSync(one);
    this.#ended?.();
  }

  #wait(): void {
    const { calls, descriptor, wake } = this.#tap!;
    this.#waits = true;
    calls.whenReadable([descriptor, wake.read], () => {
      this.#waits = false;
      if (this.#closed) this.#end();
      else this.#carry();
    });
  }

  #offer(frame: Uint8Array): boolean {
    if (this.user.frame(frame)) return true;
    this.#held = frame;
    return false;
  }

  #carry(): void {
    for (let frames = 0; frames < TURN_FRAMES; frames++) {
      const frame = this.#read();
      if (frame === undefined || !this.#offer(frame)) return;
    }
    setImmediate(() => {
      if (this.#tap !== undefined && !this.#closed) this.#carry();
    });
  }

  /** The next frame; undefined where there is none now: then it is waited for, or the tap is gone. */
  #read(): Uint8Array | undefined {
    try {
      const length = fs.readSync(this.#tap!.descriptor, this.#buffer);
      return this.#buffer.slice(0, length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") this.#wait();
      else this.user.say(`tap ${this.name}: ${hostReason(error)}; nothing more is exchanged with it`);
      return undefined;
    }
  }
}
