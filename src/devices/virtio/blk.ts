/**
 * A disk: requests of a driver, carried out between guest memory and the disk's back end. Only a flush takes its time
 * elsewhere; the driver goes on meanwhile. What a request gets wrong costs the request.
 *
 * Specification: VIRTIO 1.2 §5.2.
 */
import type { BlockBackend } from "../../block/backend.js";
import { BlockError } from "../../block/block-error.js";
import { bool, record } from "../../bytes/shape.js";
import {
  VIRTIO_BLK_CONFIG,
  VIRTIO_BLK_FEATURE,
  VIRTIO_BLK_HEADER,
  VIRTIO_BLK_ID_BYTES,
  VIRTIO_BLK_S,
  VIRTIO_BLK_SEGMENT,
  VIRTIO_BLK_T,
  VIRTIO_ID,
  VIRTIO_SECTOR,
} from "../../spec/virtio-devices.js";
import type { AccessSize } from "../device.js";
import type { PartValue, PlanPart, Wires } from "../part.js";
import { PartError } from "../resources.js";
import { RingFault, type Chain, type Taken } from "./chain.js";
import { configValue } from "./config-space.js";
import { virtioPart } from "./part.js";
import type { Virtqueue } from "./queue.js";
import { serveQueue, type VirtioBus, type VirtioDevice } from "./virtio-device.js";

export interface BlkState {
  /** The driver has not asked for every write to be on the disk at once. */
  writeback: boolean;
}

/** A disk as a part has it, in its `config`; beside it there may be a `version`. */
export interface DiskConfig {
  /** By which name the machine is handed the disk. */
  readonly disk: string;
  /** Of 512 bytes. */
  readonly sectors: number;
  readonly readOnly: boolean;
  /** At most 20 bytes of it reach the guest. */
  readonly serial: string;
}

const QUEUE_SIZE = 256;
/** The head, its end, and what is between them: all in a queue. */
const MOST_SEGMENTS = QUEUE_SIZE - 2;
/** What one request may move: no driver asks for as much by itself, and a host copies it in some hundredths of a second. */
const MOST_BYTES = 64 * 2 ** 20;
const BEST_BYTES = 64 * 1024;
/** Head or status, and the data in one piece: nothing is won by a copy. */
const PIECES_AT_ONCE = 2;
/** What stays in a host's cache between the file and guest memory. */
const STAGING_BYTES = 256 * 1024;
/** After so many bytes the guest's CPUs go on before the next request. */
const TURN_BYTES = 4 * 2 ** 20;
/** Sectors that are discarded or zeroed in one segment: what a back end does in some milliseconds. */
const MOST_DISCARDED = 2 ** 17;
const MOST_ZEROED = 2 ** 15;
const DISCARD_SEGMENTS = 16;
const BLOCK = 4096;
const BLOCK_EXPONENT = 3;

function configOf({ name, config = {} }: PlanPart): DiskConfig {
  const field = <T extends PartValue>(
    key: string,
    expected: string,
    is: (value: unknown) => value is T,
  ): T => {
    const value: unknown = config[key];
    if (is(value)) return value;
    throw new PartError(name, `${key} ${JSON.stringify(value)}`, expected, "A disk needs to know it.");
  };
  const text = (value: unknown): value is string => typeof value === "string";
  return {
    disk: field("disk", "the name of a disk", text),
    sectors: field(
      "sectors",
      "a number of sectors",
      (value): value is number => Number.isSafeInteger(value) && (value as number) >= 0,
    ),
    readOnly: field("readOnly", "true or false", (value): value is boolean => typeof value === "boolean"),
    serial: field("serial", "a text", text),
  };
}

/** No SIZE_MAX: FreeBSD's driver refuses a device that has it. */
function features({ readOnly }: DiskConfig): number {
  const F = VIRTIO_BLK_FEATURE;
  const always = [F.SEG_MAX, F.BLK_SIZE, F.FLUSH, F.TOPOLOGY, F.CONFIG_WCE];
  const own = readOnly ? [F.RO] : [F.DISCARD, F.WRITE_ZEROES];
  return [...always, ...own].reduce((all, bit) => all | (1 << bit), 0) >>> 0;
}

function configBytes({ sectors }: DiskConfig): Uint8Array {
  const bytes = new Uint8Array(VIRTIO_BLK_CONFIG.SIZE);
  const view = new DataView(bytes.buffer);
  const u32 = (offset: number, value: number): void => view.setUint32(offset, value, true);
  const at = VIRTIO_BLK_CONFIG;
  view.setBigUint64(at.CAPACITY, BigInt(sectors), true);
  u32(at.SEG_MAX, MOST_SEGMENTS);
  u32(at.BLK_SIZE, VIRTIO_SECTOR);
  // Reading and writing is cheapest in pages, though sectors do.
  bytes[at.PHYSICAL_BLOCK_EXPONENT] = BLOCK_EXPONENT;
  view.setUint16(at.MIN_IO_SIZE, BLOCK / VIRTIO_SECTOR, true);
  u32(at.OPT_IO_SIZE, BEST_BYTES / VIRTIO_SECTOR);
  u32(at.MAX_DISCARD_SECTORS, MOST_DISCARDED);
  u32(at.MAX_DISCARD_SEGMENTS, DISCARD_SEGMENTS);
  u32(at.DISCARD_ALIGNMENT, BLOCK / VIRTIO_SECTOR);
  u32(at.MAX_ZEROES_SECTORS, MOST_ZEROED);
  u32(at.MAX_ZEROES_SEGMENTS, 1);
  bytes[at.ZEROES_MAY_UNMAP] = 1;
  return bytes;
}

/** What a disk is connected to. */
interface DiskWires {
  readonly part: PlanPart;
  readonly wires: Wires;
  readonly bus: VirtioBus;
}

class Blk implements VirtioDevice {
  readonly features: number;
  readonly #config: Uint8Array;
  readonly #header = new Uint8Array(VIRTIO_BLK_HEADER.SIZE);
  readonly #headerView = new DataView(this.#header.buffer);
  #staging: Uint8Array | undefined;
  /** Flushes without an answer, of this life of the queue. */
  #flushing = 0;
  #life = 0;

  constructor(
    private readonly disk: BlockBackend,
    private readonly about: DiskConfig,
    private readonly on: DiskWires,
    private readonly state: BlkState,
  ) {
    this.features = features(about);
    this.#config = configBytes(about);
  }

  readConfig(offset: number, size: AccessSize): number {
    this.#config[VIRTIO_BLK_CONFIG.WRITEBACK] = this.state.writeback ? 1 : 0;
    return configValue(this.#config, offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    const toggles = offset === VIRTIO_BLK_CONFIG.WRITEBACK && size === 1;
    if (toggles && this.on.bus.has(VIRTIO_BLK_FEATURE.CONFIG_WCE)) this.state.writeback = (value & 1) !== 0;
  }

  reset(): void {
    this.state.writeback = true;
  }

  notified(index: number): void {
    serveQueue(this.on.bus, index, TURN_BYTES, (queue, chain) => {
      this.#request(queue, chain);
      return chain.readable + chain.writable;
    });
  }

  #request(queue: Virtqueue, chain: Chain): void {
    const memory = this.on.wires.memory();
    if (chain.readable < VIRTIO_BLK_HEADER.SIZE || chain.writable < 1)
      throw new RingFault("a request without head or without room for its status");
    chain.copyFrom(memory, 0, this.#header);
    const type = this.#headerView.getUint32(VIRTIO_BLK_HEADER.TYPE, true);
    const room = chain.writable - 1;
    let status: number | undefined;
    try {
      status = this.#carryOut(type, chain, room);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      status = VIRTIO_BLK_S.IOERR;
    }
    const at = chain.addressToWrite(room);
    const written = type === VIRTIO_BLK_T.IN || type === VIRTIO_BLK_T.GET_ID ? chain.writable : 1;
    if (status === undefined) this.#flushAside({ id: chain.id, slots: chain.slots }, at, written);
    else {
      memory.writeU8(at, status);
      queue.push(chain, written);
    }
  }

  /** The status, or undefined for what a flush still has to end. Throws BlockError. */
  #carryOut(type: number, chain: Chain, room: number): number | undefined {
    switch (type) {
      case VIRTIO_BLK_T.IN:
        return this.#transfer(chain, room, false);
      case VIRTIO_BLK_T.OUT:
        return this.#transfer(chain, chain.readable - VIRTIO_BLK_HEADER.SIZE, true);
      case VIRTIO_BLK_T.FLUSH:
        return this.#flush();
      case VIRTIO_BLK_T.GET_ID:
        return this.#identify(chain, room);
      case VIRTIO_BLK_T.DISCARD:
      case VIRTIO_BLK_T.WRITE_ZEROES:
        return this.#clear(type, chain);
      default:
        return VIRTIO_BLK_S.UNSUPP;
    }
  }

  #transfer(chain: Chain, length: number, write: boolean): number | undefined {
    const sector = this.#sector(this.#headerView, VIRTIO_BLK_HEADER.SECTOR);
    const sectors = length / VIRTIO_SECTOR;
    if (!Number.isInteger(sectors) || length > MOST_BYTES || !this.#inside(sector, sectors))
      return VIRTIO_BLK_S.IOERR;
    if (write && this.about.readOnly) return VIRTIO_BLK_S.IOERR;
    const start = sector * VIRTIO_SECTOR;
    const inPieces = (write ? chain.readableCount : chain.count - chain.readableCount) > PIECES_AT_ONCE;
    if (inPieces) this.#transferStaged(chain, start, length, write);
    else this.#transferDirectly(chain, start, length, write);
    return write && this.#through ? this.#flush() : VIRTIO_BLK_S.OK;
  }

  /** Straight between guest memory and the disk, piece by piece. */
  #transferDirectly(chain: Chain, start: number, length: number, write: boolean): void {
    const { disk } = this;
    const memory = this.on.wires.memory();
    if (write)
      chain.read(memory, VIRTIO_BLK_HEADER.SIZE, length, (from, at) => {
        disk.write(start + at, from);
        return true;
      });
    else
      chain.write(memory, 0, length, (into, at) => {
        disk.read(start + at, into);
        return true;
      });
  }

  /** By a copy: a call of the host for every page of a large request costs more. */
  #transferStaged(chain: Chain, start: number, length: number, write: boolean): void {
    const { disk } = this;
    const memory = this.on.wires.memory();
    this.#staging ??= new Uint8Array(STAGING_BYTES);
    for (let done = 0; done < length; done += STAGING_BYTES) {
      const bytes = this.#staging.subarray(0, Math.min(STAGING_BYTES, length - done));
      if (write) {
        chain.copyFrom(memory, VIRTIO_BLK_HEADER.SIZE + done, bytes);
        disk.write(start + done, bytes);
      } else {
        disk.read(start + done, bytes);
        chain.copyTo(memory, done, bytes);
      }
    }
  }

  #identify(chain: Chain, room: number): number {
    const id = new Uint8Array(VIRTIO_BLK_ID_BYTES);
    id.set(new TextEncoder().encode(this.about.serial).subarray(0, id.length));
    if (room < id.length) return VIRTIO_BLK_S.IOERR;
    chain.copyTo(this.on.wires.memory(), 0, id);
    return VIRTIO_BLK_S.OK;
  }

  /** Discards, or writes zeroes. All segments are looked at before the first is done. */
  #clear(type: number, chain: Chain): number | undefined {
    const { about, disk } = this;
    if (about.readOnly) return VIRTIO_BLK_S.IOERR;
    const at = VIRTIO_BLK_SEGMENT;
    const zeroes = type === VIRTIO_BLK_T.WRITE_ZEROES;
    const length = chain.readable - VIRTIO_BLK_HEADER.SIZE;
    const count = length / at.SIZE;
    if (!Number.isInteger(count) || count < 1 || count > (zeroes ? 1 : DISCARD_SEGMENTS))
      return VIRTIO_BLK_S.IOERR;
    const bytes = new Uint8Array(length);
    chain.copyFrom(this.on.wires.memory(), VIRTIO_BLK_HEADER.SIZE, bytes);
    const view = new DataView(bytes.buffer);
    for (let segment = 0; segment < length; segment += at.SIZE) {
      const flags = view.getUint32(segment + at.FLAGS, true);
      const sectors = view.getUint32(segment + at.SECTORS, true);
      if ((flags & ~(zeroes ? at.UNMAP : 0)) !== 0) return VIRTIO_BLK_S.UNSUPP;
      const sector = this.#sector(view, segment + at.SECTOR);
      if (sectors > (zeroes ? MOST_ZEROED : MOST_DISCARDED) || !this.#inside(sector, sectors))
        return VIRTIO_BLK_S.IOERR;
    }
    for (let segment = 0; segment < length; segment += at.SIZE) {
      const start = this.#sector(view, segment + at.SECTOR) * VIRTIO_SECTOR;
      const size = view.getUint32(segment + at.SECTORS, true) * VIRTIO_SECTOR;
      if (size === 0) continue;
      if (zeroes) disk.writeZeroes(start, size, (view.getUint32(segment + at.FLAGS, true) & at.UNMAP) !== 0);
      else disk.discard(start, size);
    }
    return this.#through ? this.#flush() : VIRTIO_BLK_S.OK;
  }

  /** Every write is on the disk when its request is done: a driver that cannot flush, or asked for it (§5.2.6.2). */
  get #through(): boolean {
    const {
      on: { bus },
      state,
    } = this;
    if (!bus.has(VIRTIO_BLK_FEATURE.FLUSH)) return true;
    return bus.has(VIRTIO_BLK_FEATURE.CONFIG_WCE) && !state.writeback;
  }

  #sector(view: DataView, offset: number): number {
    return Number(view.getBigUint64(offset, true));
  }

  #inside(sector: number, sectors: number): boolean {
    return sector + sectors <= this.about.sectors;
  }

  /** Runs repeat exactly only where nobody waits for a host. */
  #flush(): number | undefined {
    if (this.disk.flushAside !== undefined && this.on.wires.machine.clock.deterministic === undefined)
      return undefined;
    this.disk.flush();
    return VIRTIO_BLK_S.OK;
  }

  #flushAside(taken: Taken, statusAt: number, written: number): void {
    const { bus, wires, part } = this.on;
    const life = bus.life(0);
    if (life !== this.#life) this.#flushing = 0;
    this.#life = life;
    if (++this.#flushing > QUEUE_SIZE)
      throw new RingFault("more requests in flight than a queue has room for");
    const request = wires.completions.begin(`flush of ${part.name}`);
    this.disk.flushAside?.((failed) =>
      request.complete(() => {
        // Of before a reset of the queue: nobody waits for it.
        if (bus.life(0) !== life) return;
        this.#flushing--;
        const queue = bus.queue(0);
        if (queue === undefined) return;
        bus.guarded(() => {
          wires.memory().writeU8(statusAt, failed === undefined ? VIRTIO_BLK_S.OK : VIRTIO_BLK_S.IOERR);
          queue.push(taken, written);
          bus.tell(0);
        });
      }),
    );
  }
}

/** A disk. */
export const virtioBlkPart = virtioPart<BlkState>({
  type: "virtio-blk",
  summary: "virtio disk",
  id: VIRTIO_ID.BLOCK,
  queues: () => [QUEUE_SIZE],
  check: (part) => void configOf(part),
  shape: () => record<BlkState>({ writeback: bool }),
  initial: () => ({ writeback: true }),
  create(part, wires, bus, state) {
    const about = configOf(part);
    const disk = wires.disk(about.disk);
    const bytes = about.sectors * VIRTIO_SECTOR;
    if (disk.size < bytes || (disk.readOnly && !about.readOnly))
      throw new PartError(
        part.name,
        `a disk "${about.disk}" of ${disk.size} bytes${disk.readOnly ? ", read-only" : ""}`,
        `${bytes} bytes at least${about.readOnly ? "" : ", that can be written"}`,
        "The plan was made for another disk: hand in that one, or plan again.",
      );
    return new Blk(disk, about, { part, wires, bus }, state);
  },
});
