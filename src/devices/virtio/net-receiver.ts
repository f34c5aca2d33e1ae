/**
 * Frames on their way to a network device's driver: those that wait for buffers, and one that lies in some of them already, of
 * which the driver hears when all of it is there.
 *
 * Specification: VIRTIO 1.2 §5.1.6.3, §5.1.6.4.
 */
import { bytes, list, natural, record, refine, u16, u32, type Shape } from "../../bytes/shape.js";
import { ETHERNET_HEADER, MOST_FRAME } from "../../net/net-backend.js";
import { VIRTIO_FEATURE } from "../../spec/virtio.js";
import { VIRTIO_NET_FEATURE as F, VIRTIO_NET_HEADER as HEADER } from "../../spec/virtio-devices.js";
import { BYTE_BITS } from "../bus/access-bytes.js";
import type { PartMemory } from "../part.js";
import { RingFault } from "./chain.js";
import type { Virtqueue } from "./queue.js";
import type { VirtioBus } from "./virtio-device.js";

/** A buffer that has a part of the frame. */
interface Filled {
  id: number;
  slots: number;
  written: number;
}

export interface NetReceiverState {
  /** Frames behind their heads, the oldest first. */
  held: Uint8Array[];
  /** Bytes of the oldest that lie in these buffers. */
  given: number;
  filled: Filled[];
  /** Addresses of the two bytes of its head's number of buffers. */
  countLow: number;
  countHigh: number;
}

const MOST_HELD = 64;
/** The longest segment may be cut into 1400 frames (`LEAST_SEGMENT`), behind others. */
const MOST_CUT = 8192;
/** Frames that are taken from the network ahead of the driver: bytes. */
export const MOST_HELD_BYTES = 256 * 1024;
/** Frames a turn, after which the guest's CPUs go on. */
const MOST_A_TURN = 64;

/** No part of a frame lies in any buffer. */
function nothingGiven(): Omit<NetReceiverState, "held"> {
  return { given: 0, filled: [], countLow: 0, countHigh: 0 };
}

/** Nothing is on its way. */
export function initialReceiver(): NetReceiverState {
  return { held: [], ...nothingGiven() };
}

/** `buffers`: the most that the queue has. */
export function receiverShape(buffers: number): Shape<NetReceiverState> {
  const filled = record<Filled>({ id: u16, slots: u16, written: u32 });
  const shape = record<NetReceiverState>({
    held: list(bytes({ min: HEADER.SIZE + ETHERNET_HEADER, max: HEADER.SIZE + MOST_FRAME }), {
      max: MOST_CUT,
    }),
    given: natural,
    filled: list(filled, { max: buffers }),
    countLow: natural,
    countHigh: natural,
  });
  return refine(shape, ({ held, given, filled: some }) => {
    const length = held.at(0)?.length ?? 0;
    if (given < Math.max(length, 1) && given > 0 === some.length > 0) return undefined;
    return { at: ".given", found: `${given}`, expected: `less than the ${length} bytes of the first frame` };
  });
}

export class NetReceiver {
  #life = 0;

  /** `index`: the queue's; `buffers`: the most that it has. */
  constructor(
    private readonly index: number,
    private readonly on: { bus: VirtioBus; memory: () => PartMemory; buffers: number },
    private readonly state: NetReceiverState,
  ) {}

  /** How many frames may be taken from the network now. */
  get room(): number {
    const { held } = this.state;
    const bytes = held.reduce((sum, { length }) => sum + length, 0);
    return bytes >= MOST_HELD_BYTES ? 0 : Math.max(0, MOST_HELD - held.length);
  }

  /** More frames, each with a head of 12 bytes before it: as many as `room` said. May throw RingFault. */
  take(frames: readonly Uint8Array[]): void {
    this.state.held.push(...frames);
    this.deliver();
  }

  /** Its queue is used no more: what is held is lost, and buffers that have a part of it go back with nothing in them. May throw RingFault. */
  stop(): void {
    const { state, index } = this;
    const { bus } = this.on;
    const queue = bus.queue(index);
    if (queue !== undefined && bus.life(index) === this.#life)
      for (const one of state.filled) queue.push(one, 0);
    if (state.filled.length > 0) bus.tell(index);
    Object.assign(state, initialReceiver());
  }

  /** Puts what is held into what buffers there are. May throw RingFault. */
  deliver(): void {
    const { state, index } = this;
    const { bus } = this.on;
    const queue = bus.queue(index);
    const life = bus.life(index);
    if (life !== this.#life) this.#forget();
    this.#life = life;
    if (queue === undefined) {
      state.held.length = 0;
      Object.assign(state, nothingGiven());
      return;
    }
    const mergeable = bus.has(F.MRG_RXBUF);
    let done = 0;
    while (
      done < MOST_A_TURN &&
      state.held.length > 0 &&
      (mergeable ? this.#merge(queue) : this.#single(queue))
    )
      done++;
    if (done > 0) bus.tell(index);
    if (done === MOST_A_TURN && state.held.length > 0) bus.again(index);
  }

  /** Buffers of an earlier life of the queue are nobody's; what they had of a frame is lost with them. */
  #forget(): void {
    const { state } = this;
    if (state.given > 0) state.held.shift();
    Object.assign(state, nothingGiven());
  }

  /** Into one buffer, or nowhere: a frame that is too long for it is lost. False where there is no buffer. */
  #single(queue: Virtqueue): boolean {
    const { bus, memory } = this.on;
    const { held } = this.state;
    const { chain } = bus;
    if (!queue.pop(chain)) return false;
    const frame = held.shift()!;
    const modern = bus.has(VIRTIO_FEATURE.VERSION_1);
    const head = modern ? HEADER.SIZE : HEADER.LEGACY_SIZE;
    const length = frame.length - HEADER.SIZE + head;
    if (chain.writable < head) throw new RingFault("a buffer without room for a head");
    if (length > chain.writable) {
      queue.unpop(chain);
      return true;
    }
    // The only buffer.
    frame[HEADER.NUM_BUFFERS] = 1;
    chain.copyTo(memory(), 0, frame.subarray(0, head));
    this.#copy(frame.subarray(HEADER.SIZE), head);
    queue.push(chain, length);
    return true;
  }

  #copy(bytes: Uint8Array, at: number): void {
    const { bus, memory } = this.on;
    bus.chain.write(memory(), at, bytes.length, (room, done) => {
      room.set(bytes.subarray(done, done + room.length));
      return true;
    });
  }

  /** Into as many buffers as it takes. False where there are too few; what lies in some stays there. */
  #merge(queue: Virtqueue): boolean {
    const { state } = this;
    const { bus, memory, buffers } = this.on;
    const { chain } = bus;
    const frame = state.held[0];
    while (state.given < frame.length) {
      if (!queue.pop(chain)) return false;
      // A split ring may name a buffer again that it has not got back.
      if (state.filled.length >= buffers) throw new RingFault("more buffers than the queue has");
      const first = state.given === 0;
      if (chain.writable < (first ? HEADER.SIZE : 1)) throw new RingFault("a buffer without room");
      if (first) {
        state.countLow = chain.addressToWrite(HEADER.NUM_BUFFERS);
        state.countHigh = chain.addressToWrite(HEADER.NUM_BUFFERS + 1);
      }
      const written = chain.copyTo(memory(), 0, frame.subarray(state.given));
      state.filled.push({ id: chain.id, slots: chain.slots, written });
      state.given += written;
    }
    const { filled, countLow, countHigh } = state;
    const { length } = filled;
    if (!memory().writeU8(countLow, length) || !memory().writeU8(countHigh, length >>> BYTE_BITS))
      throw new RingFault("a head that is not RAM");
    state.held.shift();
    Object.assign(state, nothingGiven());
    for (const one of filled) queue.push(one, one.written);
    return true;
  }
}
