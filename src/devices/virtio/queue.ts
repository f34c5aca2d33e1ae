/**
 * A virtqueue as devices see it, whichever way its rings lie in memory: take a chain, give it back. Its state is plain data;
 * `split-ring.ts` and `packed-ring.ts` know the two layouts.
 */
import { bool, natural, record, u16, whole } from "../../bytes/shape.js";
import type { Shape } from "../../bytes/shape.js";
import type { CheckedMemory } from "../../memory/checked-memory.js";
import { VIRTQ_INDEX_MASK } from "../../spec/virtio.js";
import type { Chain, Taken } from "./chain.js";

/** One queue's state. Addresses are guest-physical and as the driver gave them: they may be no RAM. */
export interface QueueState {
  /** Descriptors; from 1 to the device's maximum. */
  size: number;
  ready: boolean;
  descriptors: number;
  /** The area that the driver writes, and the one that the device writes. */
  driver: number;
  device: number;
  /** What is taken next, and what is given back next: free-running in a split queue, a slot in a packed one. */
  next: number;
  used: number;
  /** Wrap counters; of a packed queue. */
  nextWrap: boolean;
  usedWrap: boolean;
  /** `used` when the driver was last told; -1: not since the queue became ready, or since it wrapped. */
  told: number;
}

/** A queue that nobody has set up; `size`: the most descriptors that it may have. */
export function initialQueue(size: number): QueueState {
  return {
    size,
    ready: false,
    descriptors: 0,
    driver: 0,
    device: 0,
    next: 0,
    used: 0,
    nextWrap: true,
    usedWrap: true,
    told: -1,
  };
}

/** What a queue's state must be. */
export function queueShape(most: number): Shape<QueueState> {
  return record<QueueState>({
    size: whole(1, most),
    ready: bool,
    descriptors: natural,
    driver: natural,
    device: natural,
    next: u16,
    used: u16,
    nextWrap: bool,
    usedWrap: bool,
    told: whole(-1, VIRTQ_INDEX_MASK),
  });
}

/** Chains of one queue. A ring that cannot be throws RingFault from any of these. */
export interface Virtqueue {
  /**
   * Fills `chain` with the next one; false where there is none, and then the driver will notify of the next.
   * Throws RingFault.
   */
  pop(chain: Chain): boolean;
  /** Puts back what `pop` gave before: it was not to be taken yet. Right after `pop` only. */
  unpop(chain: Chain): void;
  /** Gives a chain back, in any order; `written` bytes of those to be written were. Throws RingFault. */
  push(taken: Taken, written: number): void;
  /** Whether the driver wants an interrupt for what was given back since this was last asked. */
  wantsInterrupt(): boolean;
}

/** What a ring is made over. */
export interface RingContext {
  memory(): CheckedMemory;
  /** Descriptors that a chain may have: the device's largest queue. */
  readonly most: number;
  /** Features that were negotiated. */
  readonly indirect: boolean;
  readonly eventIndex: boolean;
}

/** Whether going from `old` to `now` passed `event` (§2.7.10.1); all three free-running. */
export function passed(event: number, now: number, old: number): boolean {
  return ((now - event - 1) & VIRTQ_INDEX_MASK) < ((now - old) & VIRTQ_INDEX_MASK);
}
