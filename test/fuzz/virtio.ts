/**
 * Random drivers: rings, descriptors and requests that are nearly right, registers written at random, resets in between, states
 * saved and restored. Whatever they do costs at most the device: nothing throws but a RingFault inside, every step ends soon,
 * back ends are asked only for what they have, and what is saved can be restored.
 */
import assert from "node:assert/strict";
import { BlockError } from "../../src/block/block-error.js";
import type { Channel, PartType, PartValue, Wires } from "../../src/devices/part.js";
import { virtioBalloonPart } from "../../src/devices/virtio/balloon.js";
import { virtioBlkPart } from "../../src/devices/virtio/blk.js";
import { virtioConsolePart } from "../../src/devices/virtio/console.js";
import { virtioNetPart } from "../../src/devices/virtio/net.js";
import type { NetBackend } from "../../src/net/net-backend.js";
import { virtioRngPart } from "../../src/devices/virtio/rng.js";
import { VIRTIO_FEATURE, VIRTIO_MMIO, VIRTIO_STATUS } from "../../src/spec/virtio.js";
import { boardPlan } from "../support/device-board.js";
import { FakeClock } from "../support/fake-clock.js";
import { plainMemory } from "../support/guest-memory.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { mutated } from "../support/mutations.js";
import { Random, randomBytes } from "../support/random.js";
import { VirtioBench } from "../support/virtio-bench.js";

const RAM = [
  { start: 0, size: 0x2_0000 },
  { start: 0x10_0000, size: 0x1000 },
];
const SECTORS = 32;

/** Bytes that one step may move: a turn, and one request more. */
const MOST_MOVED = 80 * 2 ** 20;

/** A disk that holds its device to its promises. */
class StrictDisk extends MemoryDisk {
  moved = 0;
  readonly waiting: (() => void)[] = [];

  constructor(readonly random: Random) {
    super(randomBytes(3, SECTORS * 512));
  }

  override read(offset: number, into: Uint8Array): void {
    this.#asked(offset, into.length);
    super.read(offset, into);
  }

  override write(offset: number, from: Uint8Array): void {
    this.#asked(offset, from.length);
    super.write(offset, from);
  }

  override discard(offset: number, length: number): void {
    this.#asked(offset, length);
  }

  override writeZeroes(offset: number, length: number): void {
    this.#asked(offset, length);
    super.writeZeroes(offset, length);
  }

  flushAside(done: (failed: BlockError | undefined) => void): void {
    const failed =
      this.random.below(4) === 0 ? new BlockError(0, "a fault", "none", "Try again.") : undefined;
    this.waiting.push(() => done(failed));
  }

  #asked(offset: number, length: number): void {
    this.moved += length;
    assert.ok(Number.isSafeInteger(offset) && offset >= 0 && length > 0 && offset + length <= this.size);
    if (this.random.below(50) === 0) throw new BlockError(offset, "a fault", "none", "Try again.");
  }
}

interface Kind {
  type: PartType;
  config: { readonly [key: string]: PartValue };
  queues: number;
}

function kind(type: object, config: Kind["config"], queues: number): Kind {
  return { type: type as PartType, config, queues };
}

const DISK = { disk: "disk0", sectors: SECTORS, serial: "s" };
const NET = { net: "net0", mac: "52:54:00:12:34:56", mtu: 1500 };
const KINDS: readonly Kind[] = [
  kind(virtioBlkPart, { ...DISK, readOnly: false }, 1),
  kind(virtioBlkPart, { ...DISK, readOnly: true }, 1),
  kind(virtioBlkPart, { ...DISK, readOnly: false, version: 1 }, 1),
  kind(virtioRngPart, {}, 1),
  kind(virtioConsolePart, { backend: "console" }, 2),
  kind(virtioConsolePart, { backend: "console", ports: ["a", "b"] }, 8),
  kind(virtioBalloonPart, { pages: 3 }, 3),
  kind(virtioNetPart, NET, 3),
  kind(virtioNetPart, { ...NET, queues: 3 }, 7),
  kind(virtioNetPart, { ...NET, version: 1 }, 3),
];

/** Where things lie: rings and tables overlap what they point at more often than chance would have it. */
const PLACES = [
  0, 0x100, 0x1000, 0x1400, 0x2000, 0x3000, 0x4000, 0x8000, 0x1_f000, 0x1_fff0, 0x10_0000, 0x10_0ff0,
];
const ODD_PLACES = [0x1_ffff, 0x2_0000, 0x10_1000, 0xffff_fff0, 2 ** 40];
const SIZES = [1, 2, 4, 8, 16, 256];
const LENGTHS = [1, 2, 8, 15, 16, 17, 20, 64, 511, 512, 513, 1024, 4096, 0x1_0000];
const ODD_LENGTHS = [0, 0x2_0001, 0xffff_ffff];

export interface FuzzReport {
  /** Chains that came back, and devices that wanted a reset. */
  served: number;
  faults: number;
}

class Case {
  readonly memory = plainMemory(RAM);
  readonly clock = new FakeClock(1000);
  readonly disk: StrictDisk;
  readonly kind: Kind;
  bench: VirtioBench;
  packed = false;
  sizes: number[] = [];
  places: number[][] = [];
  receive: (bytes: Uint8Array) => number = () => 0;
  pushed = 0;

  constructor(readonly random: Random) {
    this.disk = new StrictDisk(random);
    this.kind = random.pick(KINDS);
    this.bench = this.make();
  }

  make(state?: object): VirtioBench {
    const channel: Channel = {
      write: () => undefined,
      read: (limit) => new Uint8Array(Math.min(limit, 100)),
    };
    const pulled = (): boolean => this.random.below(100) === 0;
    const net: NetBackend = {
      get up() {
        return !pulled();
      },
      send: ({ bytes, checksum }) => {
        assert.ok(checksum === undefined || checksum.start + checksum.offset + 2 <= bytes.length);
        return this.random.below(4) > 0;
      },
      receive: () => {
        const bytes = randomBytes(this.random.below(100), 14 + this.random.below(3000));
        const checksum = { start: 14, offset: this.random.below(4) };
        return this.random.below(3) === 0
          ? undefined
          : { bytes, ...(this.random.below(2) === 0 && bytes.length > 20 && { checksum }) };
      },
    };
    const wires = {
      net: () => net,
      wake: { hold: () => ({ release: () => undefined }) },
      channel: () => channel,
      random32: () => this.random.below(2 ** 32),
      offer: () => undefined,
      console: {
        transmit: () => undefined,
        receiveReady: () => void this.receive(Uint8Array.of(1, 2, 3)),
        connect: (port: { receive(bytes: Uint8Array): number }) =>
          (this.receive = (bytes) => port.receive(bytes)),
      },
    } as Partial<Wires>;
    const { type, config } = this.kind;
    const { memory, clock } = this;
    return new VirtioBench(type, config, {
      memory,
      clock,
      disks: new Map([["disk0", this.disk]]),
      wires,
      ...(state && { state }),
    });
  }

  place(): number {
    const { random } = this;
    if (random.below(60) === 0) return random.pick(ODD_PLACES);
    return random.pick(PLACES) + (random.below(8) === 0 ? random.below(64) : 0);
  }

  /** A driver that begins properly, nearly always. */
  begin(): void {
    const { random, bench } = this;
    const offered = bench.offered;
    const words = offered.map((word) =>
      random.below(3) === 0 ? word : (word & random.below(2 ** 32)) >>> 0,
    );
    if (random.below(20) > 0) words[1] |= 1;
    this.packed = (words[1] & (1 << (VIRTIO_FEATURE.RING_PACKED % 32))) !== 0;
    bench.negotiate([words[0] >>> 0, words[1] >>> 0]);
    this.sizes = [];
    this.places = [];
    for (let queue = 0; queue < this.kind.queues; queue++) {
      const size = random.pick(SIZES);
      const [descriptors, driver, device] = [this.place(), this.place(), this.place()];
      this.sizes.push(size);
      this.places.push([descriptors, driver, device]);
      if (this.kind.config["version"] === 1) {
        bench.write(VIRTIO_MMIO.QUEUE_NUM, size);
        bench.write(VIRTIO_MMIO.QUEUE_PFN, descriptors >>> 12);
        const at = (descriptors >>> 12) * 4096;
        this.places[queue] = [at, at + 16 * size, Math.ceil((at + 18 * size + 6) / 4096) * 4096];
      } else bench.setUp(queue, { size, descriptors, driver, device });
    }
    bench.run();
  }

  descriptor(table: number, index: number, size: number, ownFlags: number): void {
    const { random, memory } = this;
    const at = table + index * 16;
    const address = this.place();
    const length = random.below(40) === 0 ? random.pick(ODD_LENGTHS) : random.pick(LENGTHS);
    memory.writeU64(at, address >>> 0, Math.floor(address / 2 ** 32));
    memory.writeU32(at + 8, length);
    const flags = (random.below(2) * 2) | (random.below(12) === 0 ? 4 : 0) | (random.below(2) * 1) | ownFlags;
    const next = random.below(30) === 0 ? random.below(2 ** 16) : (index + 1) % size;
    memory.writeU16(at + 12, this.packed ? random.below(size) : flags);
    memory.writeU16(at + 14, this.packed ? flags : next);
  }

  /** A request that its device may understand: one piece to be read, some more, one to be written. */
  request(queue: number): void {
    const { random, memory } = this;
    const [descriptors, driver] = this.places[queue];
    const size = this.sizes[queue];
    const head = 0x8000 + random.below(4) * 0x100;
    memory.writeU32(head, random.pick([0, 1, 4, 8, 11, 13, 2, 0x10000, 3, 5, 6]));
    memory.writeU32(head + 4, random.below(2 ** 32));
    memory.writeU64(head + 8, random.below(40), random.below(20) === 0 ? random.below(2 ** 32) : 0);
    const first = random.below(size);
    const pieces = Math.min(size, 1 + random.below(5));
    for (let i = 0; i < pieces; i++) {
      const at = descriptors + ((first + i) % size) * 16;
      const more = i < pieces - 1;
      const write = i > 0 && (!more || random.below(2) === 0);
      const flags = (more ? 1 : 0) | (write ? 2 : 0);
      const length = i === 0 ? 16 : more ? random.pick(LENGTHS) : 1 + random.below(30);
      memory.writeU64(at, i === 0 ? head : this.place() >>> 0, 0);
      memory.writeU32(at + 8, length);
      memory.writeU16(at + 12, this.packed ? first : flags);
      memory.writeU16(at + 14, this.packed ? flags | random.pick([0x80, 0x8000]) : (first + i + 1) % size);
    }
    if (this.packed) return;
    const index = memory.readU16(driver + 2);
    if (index < 0) return;
    memory.writeU16(driver + 4 + 2 * (index % size), first);
    memory.writeU16(driver + 2, (index + 1 + (random.below(50) === 0 ? random.below(300) : 0)) & 0xffff);
  }

  step(): void {
    const { random, bench, memory, disk } = this;
    const queue = random.below(this.kind.queues);
    const [descriptors, driver] = this.places[queue];
    const size = this.sizes[queue];
    switch (random.below(16)) {
      case 0:
        return this.descriptor(
          descriptors,
          random.below(size),
          size,
          this.packed ? random.pick([0x80, 0x8000]) : 0,
        );
      case 1:
        return void memory.writeU16(driver + random.below(2 * size + 8), random.below(2 ** 16));
      case 2:
        return bench.write(random.below(0x80) * 4, random.below(2) ? random.below(2 ** 32) : random.below(8));
      case 3:
        return bench.write(random.below(0x200), random.below(256), random.pick([1, 2, 4]));
      case 4:
        return void bench.read(random.below(0x200), random.pick([1, 2, 4]));
      case 5:
        return random.below(4) === 0 ? this.begin() : undefined;
      case 6:
        return this.restore();
      case 7:
        while (disk.waiting.length > 0) disk.waiting.pop()!();
        return bench.settle();
      case 8:
        return void this.receive(Uint8Array.of(1, 2, 3, 4));
      default:
        this.request(queue);
        if (random.below(3) > 0) bench.notify(queue);
    }
  }

  /** Goes on where it was saved, in a device that was made anew; as a machine does, not while somebody owes an answer. */
  restore(): void {
    const { bench, kind: what, random } = this;
    if (bench.completions.inFlight + bench.completions.waiting > 0) return;
    const shape = what.type.state!(this.part(), boardPlan([]));
    const state = bench.state;
    assert.deepEqual(shape.check(state, "state"), state, "what is saved passes");
    const other =
      random.below(3) > 0 ? state : passing(shape, mutated(state, random, random.below(2) === 0), state);
    // The old device must not hear of the clock any more.
    bench.write(VIRTIO_MMIO.STATUS, 0);
    this.bench = this.make(other);
    assert.deepEqual(this.bench.state, what.type === virtioNetPart ? withLaterFields(other) : other);
  }

  part() {
    return { name: "one", type: this.kind.type.type, config: this.kind.config };
  }
}

/** A card's state may have been saved before it had all of these. */
function withLaterFields(state: object): object {
  const { device } = state as { device: object };
  return { ...state, device: { link: true, connections: [], ...device } };
}

/** `crafted` if it passes, `otherwise` if not. */
function passing(
  shape: { check(value: unknown, path: string): object },
  crafted: unknown,
  otherwise: object,
): object {
  try {
    return shape.check(crafted, "state");
  } catch {
    return otherwise;
  }
}

/** One driver's life. */
function live(seed: number, steps: number): FuzzReport {
  const one = new Case(new Random(seed));
  one.begin();
  let faults = 0;
  let served = 0;
  for (let i = 0; i < steps; i++) {
    one.disk.moved = 0;
    const failed = one.bench.needsReset;
    one.step();
    if (!failed && one.bench.needsReset) faults++;
    if (one.bench.edges > served) served = one.bench.edges;
    assert.ok(one.disk.moved <= MOST_MOVED, `${one.disk.moved} bytes in one step`);
    assert.ok(one.clock.armed <= 1, `${one.clock.armed} timers`);
    if (one.bench.needsReset && one.random.below(3) === 0) one.begin();
  }
  assert.equal(one.bench.status & ~0xff, 0);
  one.bench.write(VIRTIO_MMIO.STATUS, 0);
  assert.equal(one.bench.status & VIRTIO_STATUS.NEEDS_RESET, 0);
  return { served, faults };
}

/** Lives of seeds from `first` on; an error names its seed. */
export function fuzzVirtio(first: number, lives: number, steps = 40): FuzzReport {
  const report: FuzzReport = { served: 0, faults: 0 };
  for (let seed = first; seed < first + lives; seed++) {
    try {
      const { served, faults } = live(seed, steps);
      report.served += served;
      report.faults += faults;
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).stack ?? String(error)}`, { cause: error });
    }
  }
  return report;
}
