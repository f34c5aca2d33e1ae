/**
 * A split virtqueue: a table of descriptors, a ring of the driver's, a ring of the device's.
 *
 * ```
 *  descriptors: size × { address u64, length u32, flags u16, next u16 }
 *  driver:      flags u16, index u16, size × head u16, used_event u16
 *  device:      flags u16, index u16, size × { id u32, length u32 }, avail_event u16
 * ```
 *
 * Specification: VIRTIO 1.2 §2.7.
 */
import type { CheckedMemory } from "../../memory/checked-memory.js";
import { VIRTQ_DESC, VIRTQ_DESC_F, VIRTQ_INDEX_MASK, VIRTQ_RING } from "../../spec/virtio.js";
import { RingFault, type Chain, type Taken } from "./chain.js";
import { passed, type QueueState, type RingContext, type Virtqueue } from "./queue.js";

export class SplitRing implements Virtqueue {
  constructor(
    private readonly state: QueueState,
    private readonly context: RingContext,
  ) {}

  pop(chain: Chain): boolean {
    const { state, context } = this;
    const memory = context.memory();
    const index = there(memory.readU16(state.driver + VIRTQ_RING.INDEX), "the driver's ring");
    const waiting = (index - state.next) & VIRTQ_INDEX_MASK;
    if (waiting > state.size) throw new RingFault(`${waiting} chains in a queue of ${state.size}`);
    if (waiting === 0) {
      if (context.eventIndex && !memory.writeU16(this.availEvent(), state.next))
        throw new RingFault("the device's ring is not RAM");
      return false;
    }
    const slot = state.driver + VIRTQ_RING.ELEMENTS + (state.next % state.size) * VIRTQ_RING.AVAIL_ELEMENT;
    const head = there(memory.readU16(slot), "the driver's ring");
    chain.clear();
    chain.id = head;
    this.follow(memory, chain, head);
    state.next = (state.next + 1) & VIRTQ_INDEX_MASK;
    return true;
  }

  unpop(): void {
    this.state.next = (this.state.next - 1) & VIRTQ_INDEX_MASK;
  }

  push({ id }: Taken, written: number): void {
    const { state } = this;
    const memory = this.context.memory();
    const element = state.device + VIRTQ_RING.ELEMENTS + (state.used % state.size) * VIRTQ_RING.USED_ELEMENT;
    const used = (state.used + 1) & VIRTQ_INDEX_MASK;
    const done =
      memory.writeU32(element, id) &&
      memory.writeU32(element + VIRTQ_RING.USED_LENGTH, written) &&
      memory.writeU16(state.device + VIRTQ_RING.INDEX, used);
    if (!done) throw new RingFault("the device's ring is not RAM");
    state.used = used;
  }

  wantsInterrupt(): boolean {
    const { state, context } = this;
    const { used, told } = state;
    if (used === told) return false;
    state.told = used;
    const memory = context.memory();
    if (!context.eventIndex)
      return (memory.readU16(state.driver + VIRTQ_RING.FLAGS) & VIRTQ_RING.NO_INTERRUPT) === 0;
    const event = state.driver + VIRTQ_RING.ELEMENTS + state.size * VIRTQ_RING.AVAIL_ELEMENT;
    return told < 0 || passed(memory.readU16(event), used, told);
  }

  private availEvent(): number {
    const { device, size } = this.state;
    return device + VIRTQ_RING.ELEMENTS + size * VIRTQ_RING.USED_ELEMENT;
  }

  /** Collects the pieces from descriptor `head` on. */
  private follow(memory: CheckedMemory, chain: Chain, head: number): void {
    let table = this.state.descriptors;
    let size = this.state.size;
    let indirect = false;
    // No chain passes a descriptor twice.
    let left = size;
    for (let index = head; ;) {
      if (index >= size) throw new RingFault(`descriptor ${index} of ${size}`);
      if (left-- === 0) throw new RingFault("a chain that comes back to itself");
      const at = table + index * VIRTQ_DESC.SIZE;
      const flags = there(memory.readU16(at + VIRTQ_DESC.FLAGS), "a table of descriptors");
      const address = memory.readU64(at + VIRTQ_DESC.ADDRESS);
      const length = memory.readU32(at + VIRTQ_DESC.LENGTH);
      if ((flags & VIRTQ_DESC_F.INDIRECT) === 0) {
        chain.add(memory, address, length, (flags & VIRTQ_DESC_F.WRITE) !== 0, this.context.most);
        if ((flags & VIRTQ_DESC_F.NEXT) === 0) return;
        index = there(memory.readU16(at + VIRTQ_DESC.NEXT), "a table of descriptors");
        continue;
      }
      if (indirect || !this.context.indirect) throw new RingFault("an indirect descriptor where none may be");
      if ((flags & VIRTQ_DESC_F.NEXT) !== 0) throw new RingFault("a descriptor behind an indirect one");
      size = left = indirectCount(length, this.context.most);
      table = address;
      indirect = true;
      index = 0;
    }
  }
}

/** Descriptors of an indirect table of so many bytes. Throws RingFault. */
export function indirectCount(bytes: number, most: number): number {
  const count = bytes / VIRTQ_DESC.SIZE;
  if (count >= 1 && count <= most && Number.isInteger(count)) return count;
  throw new RingFault(`an indirect table of ${bytes} bytes`);
}

/** What was read; throws RingFault where nothing was. */
export function there(value: number, what: string): number {
  if (value < 0) throw new RingFault(`${what} is not RAM`);
  return value;
}
