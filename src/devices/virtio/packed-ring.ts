/**
 * A packed virtqueue: one ring of descriptors that driver and device both write, in turns that a wrap counter tells apart.
 *
 * ```
 *  descriptors: size × { address u64, length u32, id u16, flags u16 }   AVAIL = wrap, USED ≠ wrap: the device's
 *  driver:      offset and wrap u16, flags u16                          which interrupts the driver wants
 *  device:      likewise                                                which notifications the device wants: all
 * ```
 *
 * Specification: VIRTIO 1.2 §2.8.
 */
import type { CheckedMemory } from "../../memory/checked-memory.js";
import { VIRTQ_DESC, VIRTQ_DESC_F, VIRTQ_EVENT, VIRTQ_INDEX_MASK } from "../../spec/virtio.js";
import { RingFault, type Chain, type Taken } from "./chain.js";
import { passed, type QueueState, type RingContext, type Virtqueue } from "./queue.js";
import { indirectCount, there } from "./split-ring.js";

const OWNER = VIRTQ_DESC_F.AVAIL | VIRTQ_DESC_F.USED;

export class PackedRing implements Virtqueue {
  constructor(
    private readonly state: QueueState,
    private readonly context: RingContext,
  ) {}

  pop(chain: Chain): boolean {
    const { state, context } = this;
    const memory = context.memory();
    let flags = this.flagsAt(memory, state.next % state.size);
    if ((flags & OWNER) !== (state.nextWrap ? VIRTQ_DESC_F.AVAIL : VIRTQ_DESC_F.USED)) return false;
    chain.clear();
    for (let slot = state.next % state.size; ;) {
      if (++chain.slots > state.size) throw new RingFault("a chain that is longer than its queue");
      const at = state.descriptors + slot * VIRTQ_DESC.SIZE;
      const address = memory.readU64(at + VIRTQ_DESC.ADDRESS);
      const length = memory.readU32(at + VIRTQ_DESC.LENGTH);
      const more = (flags & VIRTQ_DESC_F.NEXT) !== 0;
      if ((flags & VIRTQ_DESC_F.INDIRECT) === 0)
        chain.add(memory, address, length, (flags & VIRTQ_DESC_F.WRITE) !== 0, context.most);
      else if (!context.indirect || more || chain.slots > 1)
        throw new RingFault("an indirect descriptor where none may be");
      else this.addTable(memory, chain, address, indirectCount(length, context.most));
      if (!more) {
        chain.id = there(memory.readU16(at + VIRTQ_DESC.ID), "the ring");
        break;
      }
      slot = (slot + 1) % state.size;
      flags = this.flagsAt(memory, slot);
    }
    this.move(chain.slots);
    return true;
  }

  unpop({ slots }: Chain): void {
    const { state } = this;
    state.next -= slots;
    if (state.next >= 0) return;
    state.next += state.size;
    state.nextWrap = !state.nextWrap;
  }

  push({ id, slots }: Taken, written: number): void {
    const { state } = this;
    const memory = this.context.memory();
    const at = state.descriptors + (state.used % state.size) * VIRTQ_DESC.SIZE;
    // A driver that turned the flags looks at nothing else before.
    const done =
      memory.writeU16(at + VIRTQ_DESC.ID, id) &&
      memory.writeU32(at + VIRTQ_DESC.LENGTH, written) &&
      memory.writeU16(
        at + VIRTQ_DESC.PACKED_FLAGS,
        (state.usedWrap ? OWNER : 0) | (written > 0 ? VIRTQ_DESC_F.WRITE : 0),
      );
    if (!done) throw new RingFault("the ring is not RAM");
    state.used += slots;
    if (state.used < state.size) return;
    state.used %= state.size;
    state.usedWrap = !state.usedWrap;
    state.told = -1;
  }

  wantsInterrupt(): boolean {
    const { state, context } = this;
    const { used, told } = state;
    if (used === told) return false;
    state.told = used;
    const memory = context.memory();
    const flags = memory.readU16(state.driver + VIRTQ_EVENT.FLAGS) & VIRTQ_EVENT.FLAGS_MASK;
    if (flags === VIRTQ_EVENT.DISABLE) return false;
    if (flags !== VIRTQ_EVENT.DESCRIPTOR || !context.eventIndex || told < 0) return true;
    const wanted = memory.readU16(state.driver + VIRTQ_EVENT.OFFSET);
    const sameRound = ((wanted >> VIRTQ_EVENT.WRAP_SHIFT) & 1) === (state.usedWrap ? 1 : 0);
    const offset = (wanted & VIRTQ_EVENT.OFFSET_MASK) - (sameRound ? 0 : state.size);
    return passed(offset & VIRTQ_INDEX_MASK, used, told);
  }

  private flagsAt(memory: CheckedMemory, slot: number): number {
    const at = this.state.descriptors + slot * VIRTQ_DESC.SIZE;
    return there(memory.readU16(at + VIRTQ_DESC.PACKED_FLAGS), "the ring");
  }

  /** All descriptors of an indirect table, which need not be chained (§2.8.7). */
  private addTable(memory: CheckedMemory, chain: Chain, table: number, count: number): void {
    if (!memory.contains(table, count * VIRTQ_DESC.SIZE)) throw new RingFault("an indirect table is not RAM");
    for (let at = table; count > 0; count--, at += VIRTQ_DESC.SIZE) {
      const flags = memory.readU16(at + VIRTQ_DESC.PACKED_FLAGS);
      if ((flags & VIRTQ_DESC_F.INDIRECT) !== 0) throw new RingFault("an indirect table in another");
      const address = memory.readU64(at + VIRTQ_DESC.ADDRESS);
      const length = memory.readU32(at + VIRTQ_DESC.LENGTH);
      chain.add(memory, address, length, (flags & VIRTQ_DESC_F.WRITE) !== 0, this.context.most);
    }
  }

  private move(slots: number): void {
    const { state } = this;
    state.next = (state.next % state.size) + slots;
    if (state.next < state.size) return;
    state.next -= state.size;
    state.nextWrap = !state.nextWrap;
  }
}
