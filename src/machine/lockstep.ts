/**
 * Deterministic machines that are tied to each other by a switch, and repeat exactly all the same: they run in turns, each up to the same
 * time on its own clock, and frames cross between the turns only. A frame is its receiver's from the next such moment on, whatever the
 * host does meanwhile.
 *
 * ```
 *  A  ▓▓▓▓▓▓▓▓┊▓▓▓▓▓▓▓▓┊      a frame that A sends here
 *        └────┊┐       ┊
 *  B  ▓▓▓▓▓▓▓▓┊▼▓▓▓▓▓▓▓┊      is B's from here on
 * ```
 */
import type { NetBackend, NetFrame } from "../net/net-backend.js";
import { NetSwitch, type Plugged } from "../net/net-switch.js";
import type { Machine } from "./machine.js";

/** How far apart frames cross, ns. */
const USUAL_STEP_NS = 100_000;
const NS_PER_MS = 1e6;
/** Frames that wait in a port, each way. */
const MOST_WAITING = 256;

export interface LockstepOptions {
  /** Time between two moments at which frames cross, ns of the machines' clocks. Absent: 100 µs. */
  stepNs?: number;
}

/** A card's place on the switch. */
class LockstepPort implements NetBackend {
  readonly #sent: NetFrame[] = [];
  readonly #come: NetFrame[] = [];
  readonly #plugged: Plugged;

  constructor(net: NetSwitch) {
    const hasRoom = (): boolean => this.#come.length < MOST_WAITING;
    this.#plugged = net.plug({ hasRoom, send: (frame) => hasRoom() && this.#come.push(frame) > 0 });
  }

  send(frame: NetFrame): boolean {
    return this.#sent.length < MOST_WAITING && this.#sent.push(frame) > 0;
  }

  receive(): NetFrame | undefined {
    return this.#come.shift();
  }

  exchange(): void {
    for (const frame of this.#sent.splice(0)) this.#plugged.send(frame);
  }
}

/** Machines in step. */
export class Lockstep {
  readonly #stepNs: number;
  readonly #machines: Machine[] = [];
  readonly #ports: LockstepPort[] = [];
  readonly #switch: NetSwitch;
  #now = 0;

  /** Throws RangeError for a step that is no whole number of nanoseconds, 1 at least. */
  constructor({ stepNs = USUAL_STEP_NS }: LockstepOptions = {}) {
    if (!Number.isSafeInteger(stepNs) || stepNs < 1)
      throw new RangeError(`stepNs ${stepNs}: expected a whole number of nanoseconds`);
    this.#stepNs = stepNs;
    this.#switch = new NetSwitch(() => this.#now / NS_PER_MS);
  }

  /** A place on the switch, for a machine that is made now (`MachineOptions.nets`). In which order places are taken counts. */
  port(): NetBackend {
    const port = new LockstepPort(this.#switch);
    this.#ports.push(port);
    return port;
  }

  /** Has a machine that was not run yet keep step. Throws RangeError for one whose time is real. */
  add(machine: Machine): void {
    if (!machine.deterministic)
      throw new RangeError("a machine in real time keeps step with nobody; plan it with clock.deterministic");
    this.#machines.push(machine);
  }

  /** What all clocks show, ns since power-on: when frames crossed last. */
  get now(): number {
    return this.#now;
  }

  /**
   * Runs all machines until their clocks show `ns`, up to the next moment at which frames cross. "ended": every machine has ended;
   * "waiting": one waits for an answer of its host's, a disk's for instance: call again when there is one.
   */
  run(ns: number): "ran" | "ended" | "waiting" {
    while (this.#now < ns) {
      const next = this.#now + this.#stepNs;
      for (const machine of this.#machines) if (machine.runUntil(next).state === "idle") return "waiting";
      this.#now = next;
      for (const port of this.#ports) port.exchange();
      if (this.#machines.every(({ end }) => end !== undefined)) return "ended";
    }
    return "ran";
  }
}
