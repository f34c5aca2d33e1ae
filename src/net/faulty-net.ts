/** A network behind a bad line, as a device sees it: for a machine and a network on one thread. */
import { FaultyLine, type Faults } from "./faults.js";
import type { NetBackend, NetFrame } from "./net-backend.js";

/** Frames that are put on the line at a time: the network may never run out of them. */
const MOST_AT_ONCE = 64;

export class FaultyNet implements NetBackend {
  readonly #toGuest: FaultyLine;
  readonly #fromGuest: FaultyLine;
  /** What is through, and the network had no room for. */
  #waiting: NetFrame | undefined;

  /** `now`: milliseconds, of whatever beginning; never goes back. Throws RangeError for faults that make no sense. */
  constructor(
    private readonly network: NetBackend,
    faults: Faults,
    private readonly now: () => number,
  ) {
    this.#toGuest = new FaultyLine(faults, "to-guest");
    this.#fromGuest = new FaultyLine(faults, "from-guest");
  }

  get up(): boolean {
    return this.network.up !== false;
  }

  /** When the next frame is through, by the time of `now`; undefined where none is on the line. A host that waits waits no longer. */
  get next(): number | undefined {
    const both = [this.#toGuest.next, this.#fromGuest.next].filter((one) => one !== undefined);
    return both.length === 0 ? undefined : Math.min(...both);
  }

  send(frame: NetFrame): boolean {
    if (!this.#fromGuest.room) return false;
    this.#fromGuest.push(frame, this.now());
    this.#flush();
    return true;
  }

  receive(): NetFrame | undefined {
    this.#flush();
    for (let count = 0; count < MOST_AT_ONCE && this.#toGuest.room; count++) {
      const frame = this.network.receive();
      if (frame === undefined) break;
      this.#toGuest.push(frame, this.now());
    }
    return this.#toGuest.pull(this.now());
  }

  #flush(): void {
    for (;;) {
      this.#waiting ??= this.#fromGuest.pull(this.now());
      if (this.#waiting === undefined || !this.network.send(this.#waiting)) return;
      this.#waiting = undefined;
    }
  }
}
