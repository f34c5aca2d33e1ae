/**
 * The MMIO transport: registers by which a driver finds a device, negotiates features and sets up queues; version 2, and the
 * legacy version 1. Whatever a driver writes costs at most its device: a ring that cannot be sets DEVICE_NEEDS_RESET.
 *
 * Specification: VIRTIO 1.2 §2 (what devices have in common), §4.2.2 (registers), §4.2.4 (legacy).
 */
import { bits, list, natural, record, u32, whole, type Shape } from "../../bytes/shape.js";
import type { CheckedMemory } from "../../memory/checked-memory.js";
import {
  VIRTIO_FEATURE,
  VIRTIO_INTERRUPT,
  VIRTIO_MMIO,
  VIRTIO_MMIO_MAGIC,
  VIRTIO_STATUS,
  VIRTQ_DESC,
  VIRTQ_RING,
} from "../../spec/virtio.js";
import { BYTE_BITS, lowBytes } from "../bus/access-bytes.js";
import type { AccessSize, Clock, InterruptLine, MmioDevice, Timers } from "../device.js";
import { Chain, RingFault } from "./chain.js";
import { PackedRing } from "./packed-ring.js";
import { initialQueue, queueShape, type QueueState, type RingContext, type Virtqueue } from "./queue.js";
import { SplitRing } from "./split-ring.js";
import type { VirtioBus, VirtioDevice } from "./virtio-device.js";

/** Of the transport's registers. */
export type MmioVersion = 1 | 2;

export interface TransportState {
  status: number;
  /** What the driver took: bits 0–31, and 32–63. */
  features: number[];
  deviceFeaturesSel: number;
  driverFeaturesSel: number;
  queueSel: number;
  interruptStatus: number;
  configGeneration: number;
  /** Legacy. */
  guestPageSize: number;
  queues: QueueState[];
  /** Legacy: alignment of the device's ring, and the number of the first page; by queue. */
  legacy: { align: number; pfn: number }[];
  /** When the queues of `again` are served, ns since power-on. */
  due: number;
  /** Queues that are to be served then, a bit each. */
  again: number;
}

/** More queues than any device here has; a bit each. */
const MOST_QUEUES = 31;
const VENDOR = 0x4f43_4f4c;
const LOW = 0x1_0000_0000;
const SHM_NONE = 0xffff_ffff;
const DEFAULT_PAGE = 4096;
const STATUS_BITS = 0xff;

/** As at power-on; `most`: the most descriptors of each queue. */
export function initialTransport(most: readonly number[]): TransportState {
  return {
    status: 0,
    features: [0, 0],
    deviceFeaturesSel: 0,
    driverFeaturesSel: 0,
    queueSel: 0,
    interruptStatus: 0,
    configGeneration: 0,
    guestPageSize: DEFAULT_PAGE,
    queues: most.map(initialQueue),
    legacy: most.map(() => ({ align: DEFAULT_PAGE, pfn: 0 })),
    due: 0,
    again: 0,
  };
}

/** What a saved state must be. */
export function transportShape(most: readonly number[]): Shape<TransportState> {
  const queues = most.map(queueShape);
  const each: Shape<QueueState[]> = {
    check(value, path) {
      const all = list(anything, most.length).check(value, path);
      return all.map((one, index) => queues[index].check(one, `${path}[${index}]`));
    },
  };
  return record<TransportState>({
    status: bits(STATUS_BITS),
    features: list(u32, 2),
    deviceFeaturesSel: u32,
    driverFeaturesSel: u32,
    queueSel: u32,
    interruptStatus: bits(VIRTIO_INTERRUPT.USED_BUFFER | VIRTIO_INTERRUPT.CONFIG_CHANGE),
    configGeneration: u32,
    guestPageSize: u32,
    queues: each,
    legacy: list(record({ align: u32, pfn: u32 }), most.length),
    due: natural,
    again: whole(0, 2 ** most.length - 1),
  });
}

const anything: Shape<unknown> = { check: (value) => value };

/** What a transport is connected to. */
export interface TransportWires {
  readonly name: string;
  readonly version: MmioVersion;
  /** The specification's number of the device. */
  readonly deviceId: number;
  /** The most descriptors of each queue. */
  readonly most: readonly number[];
  readonly interrupt: InterruptLine;
  readonly clock: Clock;
  readonly timers: Timers;
  memory(): CheckedMemory;
}

function bit(feature: number): number {
  return (1 << (feature % 32)) >>> 0;
}

export class MmioTransport implements MmioDevice, VirtioBus {
  readonly name: string;
  readonly chain = new Chain();
  readonly #wires: TransportWires;
  readonly #state: TransportState;
  /** Made when first asked for; forgotten whenever something changes that they depend on. */
  readonly #rings: (Virtqueue | undefined)[];
  readonly #lives: number[];
  readonly #rank: number;
  /** Armed while the state has queues to be served. */
  #timer: number | undefined;
  #device!: VirtioDevice;

  constructor(wires: TransportWires, state: TransportState) {
    if (wires.most.length > MOST_QUEUES) throw new RangeError(`${wires.most.length} queues`);
    this.name = wires.name;
    this.#wires = wires;
    this.#state = state;
    this.#rings = wires.most.map(() => undefined);
    this.#lives = wires.most.map(() => 0);
    this.#rank = wires.timers.rank();
  }

  /** Puts the device behind the registers; it goes on where the state has it. */
  attach(device: VirtioDevice): void {
    this.#device = device;
    if (this.#state.interruptStatus !== 0) this.#wires.interrupt.set(true);
    if (this.#state.again !== 0) this.#arm();
  }

  // ── What devices ask ────────────────────────────────────────────────────────────────────────────────────

  queue(index: number): Virtqueue | undefined {
    const state = this.#state.queues.at(index);
    if (!this.#live() || state === undefined || !state.ready) return undefined;
    return (this.#rings[index] ??= this.#ring(index, state));
  }

  has(feature: number): boolean {
    return (this.#state.features[feature < 32 ? 0 : 1] & bit(feature)) !== 0;
  }

  tell(index: number): void {
    if (this.queue(index)?.wantsInterrupt() === true) this.#interrupt(VIRTIO_INTERRUPT.USED_BUFFER);
  }

  configChanged(): void {
    this.#state.configGeneration = (this.#state.configGeneration + 1) >>> 0;
    if ((this.#state.status & VIRTIO_STATUS.DRIVER_OK) !== 0) this.#interrupt(VIRTIO_INTERRUPT.CONFIG_CHANGE);
  }

  guarded(serve: () => void): void {
    try {
      serve();
    } catch (error) {
      if (!(error instanceof RingFault)) throw error;
      this.#fail();
    }
  }

  life(index: number): number {
    return this.#lives[index];
  }

  again(index: number): void {
    const state = this.#state;
    const armed = state.again !== 0;
    state.again |= 1 << index;
    if (armed) return;
    this.#disarm();
    state.due = this.#wires.clock.now();
    this.#arm();
  }

  // ── Registers ───────────────────────────────────────────────────────────────────────────────────────────

  readMmio(offset: number, size: AccessSize): number {
    if (offset >= VIRTIO_MMIO.CONFIG) return this.#device.readConfig(offset - VIRTIO_MMIO.CONFIG, size);
    const inside = offset % 4;
    return lowBytes(this.#read(offset - inside) >>> (BYTE_BITS * inside), size);
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    if (offset >= VIRTIO_MMIO.CONFIG)
      this.guarded(() => this.#device.writeConfig?.(offset - VIRTIO_MMIO.CONFIG, size, value));
    // Registers are 32 bits wide and aligned (§4.2.2.2).
    else if (size === 4 && offset % 4 === 0) this.#write(offset, value >>> 0);
  }

  #read(register: number): number {
    const state = this.#state;
    const queue = state.queues.at(state.queueSel);
    switch (register) {
      case VIRTIO_MMIO.MAGIC:
        return VIRTIO_MMIO_MAGIC;
      case VIRTIO_MMIO.VERSION:
        return this.#wires.version;
      case VIRTIO_MMIO.DEVICE_ID:
        return this.#wires.deviceId;
      case VIRTIO_MMIO.VENDOR_ID:
        return VENDOR;
      case VIRTIO_MMIO.DEVICE_FEATURES:
        return this.#offered(state.deviceFeaturesSel);
      case VIRTIO_MMIO.QUEUE_NUM_MAX:
        return queue === undefined ? 0 : this.#wires.most[state.queueSel];
      case VIRTIO_MMIO.QUEUE_PFN:
        return this.#legacy ? (state.legacy.at(state.queueSel)?.pfn ?? 0) : 0;
      case VIRTIO_MMIO.QUEUE_READY:
        return !this.#legacy && queue?.ready === true ? 1 : 0;
      case VIRTIO_MMIO.INTERRUPT_STATUS:
        return state.interruptStatus;
      case VIRTIO_MMIO.STATUS:
        return state.status;
      case VIRTIO_MMIO.SHM_LEN_LOW:
      case VIRTIO_MMIO.SHM_LEN_HIGH:
      case VIRTIO_MMIO.SHM_BASE_LOW:
      case VIRTIO_MMIO.SHM_BASE_HIGH:
        return SHM_NONE;
      case VIRTIO_MMIO.CONFIG_GENERATION:
        return state.configGeneration;
      default:
        return 0;
    }
  }

  #write(register: number, value: number): void {
    const state = this.#state;
    switch (register) {
      case VIRTIO_MMIO.DEVICE_FEATURES_SEL:
        state.deviceFeaturesSel = value;
        break;
      case VIRTIO_MMIO.DRIVER_FEATURES_SEL:
        state.driverFeaturesSel = value;
        break;
      case VIRTIO_MMIO.DRIVER_FEATURES:
        this.#takeFeatures(value);
        break;
      case VIRTIO_MMIO.QUEUE_SEL:
        state.queueSel = value;
        break;
      case VIRTIO_MMIO.QUEUE_NOTIFY:
        this.#notify(value);
        break;
      case VIRTIO_MMIO.INTERRUPT_ACK:
        state.interruptStatus &= ~value;
        if (state.interruptStatus === 0) this.#wires.interrupt.set(false);
        break;
      case VIRTIO_MMIO.STATUS:
        this.#setStatus(value & STATUS_BITS);
        break;
      default:
        this.#writeQueue(register, value);
    }
  }

  #writeQueue(register: number, value: number): void {
    const { queueSel, queues } = this.#state;
    if (queueSel >= queues.length) return;
    const queue = queues[queueSel];
    if (this.#legacy) this.#writeLegacyQueue(register, value, queueSel);
    else if (register === VIRTIO_MMIO.QUEUE_READY) {
      this.#setReady(queueSel, (value & 1) !== 0);
    } else if (register === VIRTIO_MMIO.QUEUE_RESET) {
      if ((value & 1) !== 0 && this.has(VIRTIO_FEATURE.RING_RESET)) this.#resetQueue(queueSel);
    } else if (!queue.ready) this.#setUpQueue(register, value, queue);
  }

  /** Nothing of a queue changes while it is ready (§4.2.2.2). */
  #setUpQueue(register: number, value: number, queue: QueueState): void {
    const low = (address: number): number => address - (address % LOW) + value;
    const high = (address: number): number => (address % LOW) + Math.min(value, MOST_HIGH) * LOW;
    switch (register) {
      case VIRTIO_MMIO.QUEUE_NUM:
        this.#setSize(value);
        break;
      case VIRTIO_MMIO.QUEUE_DESC_LOW:
        queue.descriptors = low(queue.descriptors);
        break;
      case VIRTIO_MMIO.QUEUE_DESC_HIGH:
        queue.descriptors = high(queue.descriptors);
        break;
      case VIRTIO_MMIO.QUEUE_DRIVER_LOW:
        queue.driver = low(queue.driver);
        break;
      case VIRTIO_MMIO.QUEUE_DRIVER_HIGH:
        queue.driver = high(queue.driver);
        break;
      case VIRTIO_MMIO.QUEUE_DEVICE_LOW:
        queue.device = low(queue.device);
        break;
      case VIRTIO_MMIO.QUEUE_DEVICE_HIGH:
        queue.device = high(queue.device);
        break;
    }
  }

  /** Version 1: a page number says where the rings are, one behind the other, and that they are ready (§4.2.4). */
  #writeLegacyQueue(register: number, value: number, index: number): void {
    const { legacy, queues, guestPageSize } = this.#state;
    if (register === VIRTIO_MMIO.QUEUE_NUM) {
      if (!queues[index].ready) this.#setSize(value);
    } else if (register === VIRTIO_MMIO.QUEUE_ALIGN) {
      if (value > 0 && (value & (value - 1)) === 0) legacy[index].align = value >>> 0;
    } else if (register === VIRTIO_MMIO.QUEUE_PFN) {
      this.#resetQueue(index);
      if (value === 0) return;
      const { align } = legacy[index];
      const queue = queues[index];
      legacy[index].pfn = value;
      queue.descriptors = value * guestPageSize;
      queue.driver = queue.descriptors + queue.size * VIRTQ_DESC.SIZE;
      const end =
        queue.driver + VIRTQ_RING.ELEMENTS + queue.size * VIRTQ_RING.AVAIL_ELEMENT + VIRTQ_RING.EVENT;
      queue.device = Math.ceil(end / align) * align;
      this.#setReady(index, true);
    }
  }

  /** A size that no queue can have is not taken: the driver then finds a device that wants a reset. */
  #setSize(size: number): void {
    const { queueSel, queues } = this.#state;
    const power = (size & (size - 1)) === 0;
    if (size < 1 || size > this.#wires.most[queueSel] || (!power && !this.has(VIRTIO_FEATURE.RING_PACKED)))
      this.#fail();
    else queues[queueSel].size = size;
  }

  #setReady(index: number, ready: boolean): void {
    const queue = this.#state.queues[index];
    if (queue.ready === ready) return;
    if (ready) queue.ready = true;
    else this.#resetQueue(index);
  }

  /** All but where the rings are: a driver that stops a queue may start it again. */
  #resetQueue(index: number): void {
    const { queues, legacy } = this.#state;
    const { size, descriptors, driver, device } = queues[index];
    queues[index] = { ...initialQueue(size), descriptors, driver, device };
    legacy[index].pfn = 0;
    this.#state.again &= ~(1 << index);
    if (this.#state.again === 0) this.#disarm();
    this.#rings[index] = undefined;
    this.#lives[index]++;
  }

  // ── Status and features ─────────────────────────────────────────────────────────────────────────────────

  get #legacy(): boolean {
    return this.#wires.version === 1;
  }

  /** Bits `32 × word` on of what drivers may take. */
  #offered(word: number): number {
    const common = bit(VIRTIO_FEATURE.INDIRECT_DESC) | bit(VIRTIO_FEATURE.EVENT_IDX);
    if (this.#legacy)
      return word === 0 ? (this.#device.features | common | bit(VIRTIO_FEATURE.ANY_LAYOUT)) >>> 0 : 0;
    if (word === 0) return (this.#device.features | common) >>> 0;
    const modern =
      bit(VIRTIO_FEATURE.VERSION_1) | bit(VIRTIO_FEATURE.RING_PACKED) | bit(VIRTIO_FEATURE.RING_RESET);
    return word === 1 ? modern >>> 0 : 0;
  }

  #takeFeatures(value: number): void {
    const { status, features, driverFeaturesSel } = this.#state;
    const settled = VIRTIO_STATUS.FEATURES_OK | VIRTIO_STATUS.DRIVER_OK;
    if (driverFeaturesSel > 1 || (status & settled) !== 0) return;
    features[driverFeaturesSel] = value;
  }

  /** Whether what the driver took was offered, and is all that it must take. */
  #agreed(): boolean {
    const { features } = this.#state;
    const known = features.every((taken, word) => (taken & ~this.#offered(word)) === 0);
    return known && (this.#legacy || this.has(VIRTIO_FEATURE.VERSION_1));
  }

  #setStatus(value: number): void {
    const state = this.#state;
    if (value === 0) {
      this.#reset();
      return;
    }
    const running = this.#live();
    // A driver clears no bit but all of them; NEEDS_RESET is the device's.
    let added = value & ~state.status & ~VIRTIO_STATUS.NEEDS_RESET;
    if ((added & VIRTIO_STATUS.FEATURES_OK) !== 0 && !this.#agreed()) added &= ~VIRTIO_STATUS.FEATURES_OK;
    // A legacy driver says nothing when it has chosen.
    if (this.#legacy && (added & VIRTIO_STATUS.DRIVER_OK) !== 0 && !this.#agreed())
      for (const word of [0, 1]) state.features[word] = (state.features[word] & this.#offered(word)) >>> 0;
    state.status |= added;
    if (!running && this.#live()) this.guarded(() => this.#device.started?.());
  }

  #live(): boolean {
    const needed = VIRTIO_STATUS.DRIVER_OK | (this.#legacy ? 0 : VIRTIO_STATUS.FEATURES_OK);
    return (this.#state.status & (needed | VIRTIO_STATUS.NEEDS_RESET)) === needed;
  }

  #reset(): void {
    const state = this.#state;
    const { configGeneration } = state;
    this.#wires.most.forEach((_, index) => this.#resetQueue(index));
    Object.assign(state, initialTransport(this.#wires.most), { configGeneration });
    this.#disarm();
    this.#wires.interrupt.set(false);
    this.#device.reset?.();
  }

  /** The device does nothing more until it is reset (§2.1.2). */
  #fail(): void {
    const state = this.#state;
    state.status |= VIRTIO_STATUS.NEEDS_RESET;
    state.again = 0;
    this.#disarm();
    this.configChanged();
  }

  // ── Work ────────────────────────────────────────────────────────────────────────────────────────────────

  #notify(index: number): void {
    if (this.queue(index) !== undefined && index < this.#rings.length)
      this.guarded(() => this.#device.notified(index));
  }

  #arm(): void {
    this.#timer = this.#wires.timers.schedule(
      this.#state.due,
      () => {
        this.#timer = undefined;
        const queues = this.#state.again;
        this.#state.again = 0;
        for (let index = 0; index < this.#rings.length; index++)
          if ((queues & (1 << index)) !== 0) this.#notify(index);
      },
      this.#rank,
    );
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#wires.timers.cancel(this.#timer);
    this.#timer = undefined;
  }

  #interrupt(why: number): void {
    this.#state.interruptStatus |= why;
    this.#wires.interrupt.set(true);
  }

  #ring(index: number, state: QueueState): Virtqueue {
    const context: RingContext = {
      memory: () => this.#wires.memory(),
      most: this.#wires.most[index],
      indirect: this.has(VIRTIO_FEATURE.INDIRECT_DESC),
      eventIndex: this.has(VIRTIO_FEATURE.EVENT_IDX),
    };
    const packed = this.has(VIRTIO_FEATURE.RING_PACKED);
    return packed ? new PackedRing(state, context) : new SplitRing(state, context);
  }
}

/** The upper half of an address; more would not be exact in a number, and lies beyond all RAM. */
const MOST_HIGH = 0x1f_fffe;
