/**
 * What a virtio device is to its transport, and the transport to it. A device knows its queues by number, its configuration
 * and its features; not how rings lie in memory, nor by which registers a driver reaches it.
 */
import type { Shape } from "../../bytes/shape.js";
import type { AccessSize } from "../device.js";
import type { PlanPart, Wires } from "../part.js";
import type { Chain } from "./chain.js";
import type { Virtqueue } from "./queue.js";

/** A device made live. */
export interface VirtioDevice {
  /** Bits of its own, 0 to 23 and 50 on, that drivers may take. */
  readonly features: number;
  /** Reads of its configuration; what is not there reads as zeros. */
  readConfig(offset: number, size: AccessSize): number;
  writeConfig?(offset: number, size: AccessSize, value: number): void;
  /** There is something in queue `index`, or room. Called by `VirtioBus.serve` too. May throw RingFault. */
  notified(index: number): void;
  /** The driver is ready, and all that was negotiated stands. */
  started?(): void;
  /** All is as at power-on, for the driver; requests in flight are nobody's. */
  reset?(): void;
  /** Its state is about to be looked at: what belongs to it and is elsewhere goes into it. */
  saving?(): void;
}

/** What a device may ask of its transport. */
export interface VirtioBus {
  /** A queue that the driver has set up, while the device runs; otherwise undefined. */
  queue(index: number): Virtqueue | undefined;
  /** Whether the driver took a feature of the device's own. */
  has(feature: number): boolean;
  /** One of them for any use that ends before the call does. */
  readonly chain: Chain;
  /** Tells the driver of what was given back, if it wants to be told. */
  tell(index: number): void;
  /** The configuration is another. */
  configChanged(): void;
  /**
   * Runs `serve` and what it calls; a ring that cannot be costs the device its life until the driver resets it. For calls that do
   * not come from the transport.
   */
  guarded(serve: () => void): void;
  /** Something that changes when queue `index` is reset: an answer from before is nobody's. */
  life(index: number): number;
  /** Calls `notified` for the queue again soon, in a turn of its own: a device does not do everything at once. */
  again(index: number): void;
}

/** Chains that are served in one turn: rings may be written so that serving one makes another, without end. */
const TURN_CHAINS = 256;

/**
 * Serves what is in queue `index`, chain by chain; `serve` gives what one took of `turn`, after which the guest's CPUs go on before
 * the rest is served. "left": the chain was put back, and what is in the queue waits until it is served again. May throw RingFault.
 */
export function serveQueue(
  bus: VirtioBus,
  index: number,
  turn: number,
  serve: (queue: Virtqueue, chain: Chain) => number | "left",
): void {
  const queue = bus.queue(index);
  if (queue === undefined) return;
  let spent = 0;
  for (let chains = 1; queue.pop(bus.chain); chains++) {
    const taken = serve(queue, bus.chain);
    if (taken === "left") break;
    spent += taken;
    if (spent < turn && chains < TURN_CHAINS) continue;
    bus.again(index);
    break;
  }
  bus.tell(index);
}

/** A kind of virtio device. `State` is what of it is saved, beside the transport's. */
export interface VirtioKind<State extends object> {
  /** Name of the part type. */
  readonly type: string;
  readonly summary: string;
  /** The specification's number, §5. */
  readonly id: number;
  /** Queues and the most descriptors that each may have; by the part's line. */
  queues(part: PlanPart): readonly number[];
  /** Throws PartError for a configuration that makes no sense. */
  check?(part: PlanPart): void;
  /** See `PartType.unsaved`. */
  unsaved?(part: PlanPart, state: State, again: boolean): string | undefined;
  shape(part: PlanPart): Shape<State>;
  initial(part: PlanPart): State;
  create(part: PlanPart, wires: Wires, bus: VirtioBus, state: State): VirtioDevice;
}
