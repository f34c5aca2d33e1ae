/** A network with a cable that can be pulled: what is sent meanwhile is lost, both ways, and the guest's driver is told. */
import type { NetBackend, NetFrame } from "./net-backend.js";

/** Frames that are thrown away at a time: the network may never run out of them. */
const MOST_LOST = 1024;

export class Cable implements NetBackend {
  #up = true;

  constructor(private readonly network: NetBackend) {}

  /** Whether it is in, and whatever is behind it, too. */
  get up(): boolean {
    return this.#up && this.network.up !== false;
  }

  /** Puts it in, or pulls it. The guest hears of it when its machine next looks for frames. */
  setLink(up: boolean): void {
    this.#up = up;
  }

  send(frame: NetFrame): boolean {
    return this.up ? this.network.send(frame) : true;
  }

  receive(): NetFrame | undefined {
    if (this.up) return this.network.receive();
    for (let lost = 0; lost < MOST_LOST && this.network.receive() !== undefined; lost++);
    return undefined;
  }
}
