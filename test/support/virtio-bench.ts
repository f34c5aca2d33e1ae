/** A virtio device on a bench: its registers, its interrupt, memory of its own, and what answers later, without a machine. */
import type { BlockBackend } from "../../src/block/backend.js";
import type { InterruptLine, MmioDevice } from "../../src/devices/device.js";
import type { Part, PartType, PlanPart, Wires } from "../../src/devices/part.js";
import { Completions } from "../../src/machine/completions.js";
import { WakeSources } from "../../src/machine/wake.js";
import type { CheckedMemory } from "../../src/memory/checked-memory.js";
import { VIRTIO_FEATURE, VIRTIO_MMIO, VIRTIO_STATUS } from "../../src/spec/virtio.js";
import { boardPlan } from "./device-board.js";
import { FakeClock } from "./fake-clock.js";
import { plainMemory } from "./guest-memory.js";

export const RAM_BYTES = 2 ** 20;

export interface BenchOptions {
  disks?: ReadonlyMap<string, BlockBackend>;
  /** Runs repeat. */
  deterministic?: boolean;
  memory?: CheckedMemory;
  clock?: FakeClock;
  /** What the device was saved as. */
  state?: object;
  /** Replaces any of its wires. */
  wires?: Partial<Wires>;
}

/** Bits of features by their numbers: 0–31, and 32–63. */
export function featureWords(...features: readonly number[]): [number, number] {
  const word = (which: number): number =>
    features
      .filter((one) => Math.floor(one / 32) === which)
      .reduce((all, one) => (all | (1 << (one % 32))) >>> 0, 0);
  return [word(0), word(1)];
}

export class VirtioBench {
  readonly memory: CheckedMemory;
  readonly clock: FakeClock;
  readonly completions = new Completions(new WakeSources());
  /** Level of its interrupt. */
  raised = false;
  /** How often that went up. */
  edges = 0;
  readonly #part: Part<object>;
  #registers!: MmioDevice;

  constructor(type: PartType, config: PlanPart["config"], options: BenchOptions = {}) {
    this.memory = options.memory ?? plainMemory([{ start: 0, size: RAM_BYTES }]);
    this.clock = options.clock ?? new FakeClock(1000);
    const line: InterruptLine = {
      set: (raised) => {
        if (raised && !this.raised) this.edges++;
        this.raised = raised;
      },
    };
    const machine = boardPlan([]);
    const clock = options.deterministic === true ? { ...machine.clock, deterministic: {} } : machine.clock;
    const wires = {
      machine: { ...machine, clock },
      clock: this.clock,
      timers: this.clock,
      completions: this.completions,
      memory: () => this.memory,
      interrupt: () => line,
      mmio: (_range: number, device: MmioDevice) => (this.#registers = device),
      disk: (name: string) => options.disks!.get(name)!,
      ...options.wires,
    } as unknown as Wires;
    const part = { name: "one", type: type.type, mmio: [{ start: 0xd000_0000, size: 0x200 }], irqs: [5] };
    const state = options.state && structuredClone(options.state);
    this.#part = type.create({ ...part, ...(config && { config }) }, wires, state);
  }

  /** Its whole state: a copy. */
  get state(): object {
    return structuredClone(this.#part.save());
  }

  read(register: number, size: 1 | 2 | 4 = 4): number {
    return this.#registers.readMmio(register, size);
  }

  write(register: number, value: number, size: 1 | 2 | 4 = 4): void {
    this.#registers.writeMmio(register, size, value);
  }

  get status(): number {
    return this.read(VIRTIO_MMIO.STATUS);
  }

  get needsReset(): boolean {
    return (this.status & VIRTIO_STATUS.NEEDS_RESET) !== 0;
  }

  /** All that it offers. */
  get offered(): [number, number] {
    return [0, 1].map((word) => {
      this.write(VIRTIO_MMIO.DEVICE_FEATURES_SEL, word);
      return this.read(VIRTIO_MMIO.DEVICE_FEATURES);
    }) as [number, number];
  }

  /** From reset to FEATURES_OK with these features; gives the status. */
  negotiate([low, high]: readonly [number, number]): number {
    this.write(VIRTIO_MMIO.STATUS, 0);
    this.write(VIRTIO_MMIO.STATUS, VIRTIO_STATUS.ACKNOWLEDGE | VIRTIO_STATUS.DRIVER);
    [low, high].forEach((word, index) => {
      this.write(VIRTIO_MMIO.DRIVER_FEATURES_SEL, index);
      this.write(VIRTIO_MMIO.DRIVER_FEATURES, word);
    });
    this.write(VIRTIO_MMIO.STATUS, this.status | VIRTIO_STATUS.FEATURES_OK);
    return this.status;
  }

  /** The driver is ready. */
  run(): void {
    this.write(VIRTIO_MMIO.STATUS, this.status | VIRTIO_STATUS.DRIVER_OK);
  }

  /** Puts a queue's areas at these addresses and makes it ready. */
  setUp(
    queue: number,
    { size, descriptors, driver, device }: Record<"size" | "descriptors" | "driver" | "device", number>,
  ): void {
    this.write(VIRTIO_MMIO.QUEUE_SEL, queue);
    this.write(VIRTIO_MMIO.QUEUE_NUM, size);
    const areas = [
      [VIRTIO_MMIO.QUEUE_DESC_LOW, descriptors],
      [VIRTIO_MMIO.QUEUE_DRIVER_LOW, driver],
      [VIRTIO_MMIO.QUEUE_DEVICE_LOW, device],
    ];
    for (const [register, address] of areas) {
      this.write(register, address >>> 0);
      this.write(register + 4, Math.floor(address / 2 ** 32));
    }
    this.write(VIRTIO_MMIO.QUEUE_READY, 1);
  }

  notify(queue = 0): void {
    this.write(VIRTIO_MMIO.QUEUE_NOTIFY, queue);
  }

  /** Takes the interrupts that are there; gives why. */
  acknowledge(): number {
    const why = this.read(VIRTIO_MMIO.INTERRUPT_STATUS);
    this.write(VIRTIO_MMIO.INTERRUPT_ACK, why);
    return why;
  }

  /** Lets back ends' answers in, and time pass. */
  settle(): void {
    this.clock.advance(0);
    this.completions.drain(0, 0);
  }
}

/** A piece of a chain. */
export interface Piece {
  address: number;
  length: number;
  write?: boolean;
}

/** What a device gave back. */
export interface Used {
  id: number;
  length: number;
}

/** A driver's side of one queue. */
export interface DriverQueue {
  /** Makes a chain available; gives its id. */
  add(pieces: readonly Piece[]): number;
  /** What came back since it was last asked. */
  used(): Used[];
}

const DESC = 16;
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** Where a queue of a bench lies, and how it is used. */
export interface QueuePlan {
  queue?: number;
  size?: number;
  packed?: boolean;
  /** Every chain is a table of its own. */
  indirect?: boolean;
  /** Its areas begin here; 64 KiB are enough for 256 descriptors and their tables. */
  base?: number;
}

/** Sets a queue up on a bench that has negotiated. */
export function driverQueue(bench: VirtioBench, plan: QueuePlan = {}): DriverQueue {
  const { queue = 0, size = 8, base = 0x1000, packed = false, indirect = false } = plan;
  const at = { descriptors: base, driver: base + 0x2000, device: base + 0x3000, tables: base + 0x4000 };
  bench.setUp(queue, { size, ...at });
  const { memory } = bench;
  let nextTable = 0;
  const table = (): number => at.tables + (nextTable++ % size) * 0x800;
  const descriptor = (where: number, piece: Piece, tail: readonly [number, number]): void => {
    memory.writeU64(where, piece.address >>> 0, Math.floor(piece.address / 2 ** 32));
    memory.writeU32(where + 8, piece.length);
    memory.writeU16(where + 12, tail[0]);
    memory.writeU16(where + 14, tail[1]);
  };
  const flagsOf = (piece: Piece, more: boolean): number =>
    (piece.write === true ? WRITE : 0) | (more ? NEXT : 0);
  const inTable = (pieces: readonly Piece[]): Piece => {
    const address = table();
    pieces.forEach((piece, index) => {
      const more = index < pieces.length - 1;
      const flags = flagsOf(piece, more);
      descriptor(address + index * DESC, piece, packed ? [0, flags & WRITE] : [flags, more ? index + 1 : 0]);
    });
    return { address, length: pieces.length * DESC };
  };

  const splitQueue = (): DriverQueue => {
    let free = 0;
    let available = 0;
    let seen = 0;
    return {
      add(pieces) {
        const head = free % size;
        const chain = indirect ? [inTable(pieces)] : pieces;
        chain.forEach((piece, index) => {
          const more = index < chain.length - 1;
          const flags = indirect ? INDIRECT : flagsOf(piece, more);
          descriptor(at.descriptors + (free % size) * DESC, piece, [flags, (free + 1) % size]);
          free++;
        });
        memory.writeU16(at.driver + 4 + 2 * (available % size), head);
        memory.writeU16(at.driver + 2, ++available & 0xffff);
        return head;
      },
      used() {
        const found: Used[] = [];
        for (; seen !== memory.readU16(at.device + 2); seen = (seen + 1) & 0xffff) {
          const element = at.device + 4 + 8 * (seen % size);
          found.push({ id: memory.readU32(element), length: memory.readU32(element + 4) });
        }
        return found;
      },
    };
  };

  const packedQueue = (): DriverQueue => {
    let next = 0;
    let wrap = true;
    let seen = 0;
    let seenWrap = true;
    let nextId = 0;
    const slots = new Map<number, number>();
    return {
      add(pieces) {
        const id = nextId++ % size;
        const chain = indirect ? [inTable(pieces)] : pieces;
        slots.set(id, chain.length);
        const heads: (() => void)[] = [];
        chain.forEach((piece, index) => {
          const more = index < chain.length - 1;
          const own = wrap ? 0x80 : 0x8000;
          const flags = (indirect ? INDIRECT : flagsOf(piece, more)) | own;
          const where = at.descriptors + next * DESC;
          heads.push(() => descriptor(where, piece, [id, flags]));
          if (++next < size) return;
          next = 0;
          wrap = !wrap;
        });
        // The first descriptor is the last to be seen.
        for (const put of heads.reverse()) put();
        return id;
      },
      used() {
        const found: Used[] = [];
        for (;;) {
          const where = at.descriptors + seen * DESC;
          const flags = memory.readU16(where + 14) & 0x8080;
          if (flags !== (seenWrap ? 0x8080 : 0)) return found;
          const id = memory.readU16(where + 12);
          found.push({ id, length: memory.readU32(where + 8) });
          seen += slots.get(id)!;
          if (seen < size) continue;
          seen -= size;
          seenWrap = !seenWrap;
        }
      },
    };
  };
  return packed ? packedQueue() : splitQueue();
}

/** Negotiates what is needed for a queue's layout and features of the device's own, and runs. */
export function started(
  bench: VirtioBench,
  plan: QueuePlan & { eventIndex?: boolean; features?: readonly number[] } = {},
): DriverQueue {
  const { packed = false, indirect = false, eventIndex = false, features = [] } = plan;
  const wanted = [
    ...[VIRTIO_FEATURE.VERSION_1, VIRTIO_FEATURE.RING_RESET, ...features],
    ...(packed ? [VIRTIO_FEATURE.RING_PACKED] : []),
    ...(indirect ? [VIRTIO_FEATURE.INDIRECT_DESC] : []),
    ...(eventIndex ? [VIRTIO_FEATURE.EVENT_IDX] : []),
  ];
  bench.negotiate(featureWords(...wanted));
  const queue = driverQueue(bench, plan);
  bench.run();
  return queue;
}
