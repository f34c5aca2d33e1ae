/**
 * A cable that leads to a switch which several machines of a user name. There is no process for it: the first machine has the switch and
 * a socket, the others connect to that, with QEMU's framing. When the machine that has it ends, or is killed, one of the others has
 * the next switch a moment later; what is sent meanwhile is lost, as when somebody changes a switch for another.
 */
import type net from "node:net";
import { LateFrames } from "../../../net/late-frames.js";
import { NetSwitch, type Plugged } from "../../../net/net-switch.js";
import { WireError } from "../../../net/wire-stream.js";
import { hostReason } from "../disk-error.js";
import type { Cable, CableUser } from "./cable.js";
import { NetError } from "./net-error.js";
import { connectPath, fitsSocket, isNobody, PathListener, PathTaken } from "./path-socket.js";
import { sayOnce } from "./say-once.js";
import { StreamPeer } from "./stream-peer.js";
import { isOwnSwitch, switchPath, touchSwitch } from "./switch-place.js";

/** Machines on a switch. */
const MOST_PORTS = 128;
/** How long it takes until a switch that is gone is looked for, ms: one of all is first. */
const SOON_MS = 20;
/** After so many times in a row it is looked for less often, ms. */
const SOON_TIMES = 20;
const LATER_MS = 500;
/** How often who has the switch looks whether its path still leads there, ms. */
const LOOK_MS = 1000;
/** How often it says that its files are still used, ms: hosts remove temporary ones that are days old. */
const TOUCH_MS = 3_600_000;

/** What a machine has of the switch. */
interface Way {
  send(frame: Uint8Array): void;
  resume(): void;
  close(): Promise<unknown>;
}

/** The switch itself, in this process. */
class OwnSwitch implements Way {
  readonly #switch = new NetSwitch(() => performance.now());
  readonly #peers = new Set<StreamPeer>();
  readonly #guest: Plugged;
  readonly #late: LateFrames;
  #listener: PathListener | undefined;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly name: string,
    user: CableUser,
    /** What stations bring about is said once, also by the switches that this machine has later. */
    private readonly sayOnce: (kind: "full" | "nonsense", line: string) => void,
  ) {
    this.#late = new LateFrames(({ bytes }) => user.frame(bytes));
    this.#guest = this.#switch.plug({ send: (frame) => this.#late.take(frame) });
  }

  /** Opens its socket. `lost`: told that its path leads to another, or through a folder that others may change. Rejects as PathListener does. */
  async open(path: string, lost: () => void): Promise<void> {
    const listener = await PathListener.open(path, (socket) => this.#visited(socket));
    this.#listener = listener;
    this.#timers.push(
      setInterval(() => {
        if (!isOwnSwitch(this.name, path) || !listener.isThere) lost();
      }, LOOK_MS).unref(),
      setInterval(() => touchSwitch(path), TOUCH_MS).unref(),
    );
  }

  send(bytes: Uint8Array): void {
    this.#guest.send({ bytes });
  }

  resume(): void {
    this.#late.flush();
  }

  close(): Promise<unknown> {
    this.#timers.forEach((timer) => clearInterval(timer));
    this.#listener?.close();
    return Promise.all([...this.#peers].map((peer) => peer.close()));
  }

  #visited(socket: net.Socket): void {
    if (this.#peers.size + 1 >= MOST_PORTS) {
      socket.destroy();
      this.sayOnce(
        "full",
        `switch ${this.name}: ${MOST_PORTS} machines are plugged in; another one was sent away`,
      );
      return;
    }
    const peer: StreamPeer = new StreamPeer(socket, {
      frame: (bytes) => {
        plugged.send({ bytes });
        return true;
      },
      gone: (why) => {
        plugged.unplug();
        this.#peers.delete(peer);
        if (why instanceof WireError)
          this.sayOnce("nonsense", `switch ${this.name}: a station sends ${why.message}; it is sent away`);
      },
    });
    const plugged = this.#switch.plug({
      hasRoom: (bytes) => peer.hasRoom(bytes),
      send: ({ bytes }) => peer.send(bytes),
    });
    this.#peers.add(peer);
  }
}

export class SwitchCable implements Cable {
  /** Never: what a switch has no room for is lost. */
  readonly isFull = false;
  readonly taken = 0;
  #way: Way | undefined;
  readonly #sayOnce: (kind: "full" | "nonsense" | "away", line: string) => void;
  #tries = 0;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly name: string,
    private readonly user: CableUser,
  ) {
    this.#sayOnce = sayOnce((line) => user.say(line));
  }

  async open(): Promise<void> {
    const path = switchPath(this.name);
    if (!fitsSocket(path))
      throw new NetError(
        `switch ${this.name}`,
        `the path ${path}`,
        "one that is short enough for a socket",
        "Set XDG_RUNTIME_DIR to a shorter one.",
      );
    try {
      while (!(await this.#join())) await new Promise((resolve) => setTimeout(resolve, SOON_MS));
    } catch (error) {
      if (error instanceof NetError) throw error;
      throw new NetError(
        `switch ${this.name}`,
        `${path}: ${hostReason(error)}`,
        "a socket",
        "Remove what is there.",
      );
    }
  }

  send(frame: Uint8Array): void {
    this.#way?.send(frame);
  }

  onDrain(callback: () => void): void {
    callback();
  }

  resume(): void {
    this.#way?.resume();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#way?.close();
  }

  /** Connects to the switch, or becomes it; false where somebody else just did. Rejects where neither can be. */
  async #join(): Promise<boolean> {
    // Each time: a folder that was removed meanwhile may be anybody's by now.
    const path = switchPath(this.name);
    try {
      this.#plugIn(await connectPath(path));
      return true;
    } catch (error) {
      if (!isNobody(error)) throw error;
    }
    const own = new OwnSwitch(this.name, this.user, this.#sayOnce);
    try {
      await own.open(path, () => {
        void own.close();
        this.#lost(own);
      });
    } catch (error) {
      void own.close();
      // ENOENT: the folder went meanwhile.
      if ((error instanceof PathTaken && error.isListener) || isNobody(error)) return false;
      throw error;
    }
    this.#found(own);
    return true;
  }

  #plugIn(socket: net.Socket): void {
    const peer: StreamPeer = new StreamPeer(socket, {
      frame: (bytes) => this.user.frame(bytes),
      gone: () => this.#lost(way),
    });
    const way: Way = {
      send: (frame) => void peer.send(frame),
      resume: () => peer.resume(),
      close: () => peer.close(),
    };
    this.#found(way);
  }

  #found(way: Way): void {
    if (this.#closed) void way.close();
    else this.#way = way;
    this.#since = performance.now();
  }

  /** The switch is gone: the next one is looked for, by one machine a little earlier than by the others. */
  #lost(way: Way): void {
    if (this.#closed || this.#way !== way) return;
    this.#way = undefined;
    // One that sends everybody away is no switch that was found.
    if (performance.now() - this.#since > LATER_MS) this.#tries = 0;
    else if (this.#tries >= SOON_TIMES)
      this.#sayOnce(
        "away",
        `switch ${this.name}: it sends this machine away again and again, as one does that has ${MOST_PORTS} machines`,
      );
    this.#lookAgain();
  }

  #lookAgain(): void {
    const wait = this.#tries++ < SOON_TIMES ? SOON_MS * Math.random() : LATER_MS;
    this.#timer = setTimeout(() => {
      this.#join().then(
        (joined) => {
          if (!joined && !this.#closed) this.#lookAgain();
        },
        (error: unknown) => {
          if (this.#closed) return;
          if (this.#tries === SOON_TIMES)
            this.user.say(`switch ${this.name}: ${hostReason(error)}; it is looked for again and again`);
          this.#lookAgain();
        },
      );
    }, wait);
    this.#timer.unref();
  }
}
