/** A machine's network that is a cable: what the guest sends leaves as it is, and what comes is the guest's. */
import { plainFrames } from "../../../net/wire-stream.js";
import type { Cable, CableUser } from "./cable.js";
import { GuestEnd } from "./guest-end.js";
import type { HostNetwork, NetworkEvents } from "./host-network.js";
import type { CableRequest } from "./net-request.js";
import { SocketCable } from "./socket-cable.js";
import { SwitchCable } from "./switch-cable.js";
import { TapCable } from "./tap-cable.js";

/** So long a guest is held back for a peer that takes nothing; then what it sends is lost until the peer does, ms. */
const PATIENCE_MS = 1000;

function cableOf({ cable }: CableRequest, user: CableUser): Cable {
  switch (cable.kind) {
    case "socket":
      return new SocketCable(cable, user);
    case "switch":
      return new SwitchCable(cable.name, user);
    case "tap":
      return new TapCable(cable.name, user);
  }
}

export class CableNetwork implements HostNetwork {
  readonly #cable: Cable;
  readonly #guest: GuestEnd;
  /** What the peer had taken when it had taken nothing more for so long that nobody waits for it. */
  #stuckAt: number | undefined;
  /** Ends the wait for the peer. */
  #wake: (() => void) | undefined;
  #asked = false;

  /** Throws NetError. */
  constructor(request: CableRequest, { say }: NetworkEvents) {
    this.#guest = new GuestEnd({
      capture: request.capture,
      faults: request.faults,
      say,
      take: (frame) => plainFrames(frame).forEach((bytes) => this.#cable.send(bytes)),
      room: () => this.#cable.resume(),
      ready: () => (this.#cable.isFull && this.#cable.taken !== this.#stuckAt ? this.#drained() : undefined),
    });
    this.#cable = cableOf(request, { say, frame: (bytes) => this.#guest.send({ bytes }) });
  }

  get channel(): HostNetwork["channel"] {
    return this.#guest.channel;
  }

  opened(): Promise<void> {
    return this.#cable.open();
  }

  connect(give: (bytes: Uint8Array) => number): void {
    this.#guest.connect(give);
  }

  async close(): Promise<void> {
    this.#guest.close();
    this.#wake?.();
    await this.#cable.close();
  }

  /** Resolves when the peer has taken enough, or nothing for too long. */
  #drained(): Promise<void> {
    return new Promise((resolve) => {
      let { taken } = this.#cable;
      const look = setInterval(() => {
        if (this.#cable.taken === taken) {
          this.#stuckAt = taken;
          this.#wake?.();
        }
        taken = this.#cable.taken;
      }, PATIENCE_MS);
      this.#wake = () => {
        clearInterval(look);
        resolve();
      };
      if (this.#asked) return;
      this.#asked = true;
      this.#cable.onDrain(() => {
        this.#asked = false;
        this.#wake?.();
      });
    });
  }
}
