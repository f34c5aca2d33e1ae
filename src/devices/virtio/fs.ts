/**
 * A shared folder: FUSE requests of a driver, each answered before the next is taken. Queue 0 has what must not wait, which is what the
 * guest forgets; nothing waits here, so that it is served as the other is.
 *
 * Specification: VIRTIO 1.2 §5.11.
 */
import { record } from "../../bytes/shape.js";
import { VIRTIO_FS_CONFIG, VIRTIO_ID } from "../../spec/virtio-devices.js";
import type { FuseMessage } from "../../share/fuse/message.js";
import { FuseServer } from "../../share/fuse/server.js";
import { SHARE_CACHES, type ShareCache } from "../../share/share-options.js";
import type { AccessSize } from "../device.js";
import type { PartMemory, PlanPart, Wires } from "../part.js";
import { PartError } from "../resources.js";
import { RingFault, type Chain } from "./chain.js";
import { configValue } from "./config-space.js";
import { virtioPart } from "./part.js";
import { serveQueue, type VirtioBus, type VirtioDevice } from "./virtio-device.js";

/** A share as a part has it, in its `config`; beside it there may be a `version`. */
export interface ShareConfig {
  /** By which name the machine is handed the folder. */
  readonly share: string;
  /** What the guest mounts it by: 1 to 36 bytes. */
  readonly tag: string;
  readonly readOnly: boolean;
  readonly cache: ShareCache;
}

const FORGET_QUEUE_SIZE = 128;
/** Linux asks for as many pages at once as a queue has room for, less some for the head of a request. */
const REQUEST_QUEUE_SIZE = 1024;
const REQUEST_QUEUES = 1;
/** After so many bytes the guest's CPUs go on before the next request. */
const TURN_BYTES = 4 * 2 ** 20;

function configOf({ name, config = {} }: PlanPart): ShareConfig {
  const refuse = (key: string, expected: string): never => {
    const found = `${key} ${JSON.stringify(config[key])}`;
    throw new PartError(name, found, expected, "A shared folder needs to know it.");
  };
  const { share, tag, readOnly, cache } = config;
  const known = SHARE_CACHES.find((one) => one === cache);
  return {
    share: typeof share === "string" ? share : refuse("share", "the name of a share"),
    tag: typeof tag === "string" && tagBytes(tag) !== undefined ? tag : refuse("tag", TAG),
    readOnly: typeof readOnly === "boolean" ? readOnly : refuse("readOnly", "true or false"),
    cache: known ?? refuse("cache", SHARE_CACHES.join(", ")),
  };
}

const TAG = `a text of 1 to ${VIRTIO_FS_CONFIG.TAG_BYTES} bytes`;

/** A tag as drivers read it; undefined for one that has no room. */
function tagBytes(tag: string): Uint8Array | undefined {
  const bytes = new TextEncoder().encode(tag);
  return bytes.length > 0 && bytes.length <= VIRTIO_FS_CONFIG.TAG_BYTES && !bytes.includes(0)
    ? bytes
    : undefined;
}

/** The chain that is served, as the FUSE server sees it; one and the same object for all of them. */
class ChainMessage implements FuseMessage {
  readable = 0;
  writable = 0;
  readablePieces = 0;
  writablePieces = 0;
  #memory!: PartMemory;

  constructor(private readonly chain: Chain) {}

  take(memory: PartMemory): this {
    const { readable, writable, readableCount, count } = this.chain;
    this.#memory = memory;
    this.readable = readable;
    this.writable = writable;
    this.readablePieces = readableCount;
    this.writablePieces = count - readableCount;
    return this;
  }

  copyFrom(from: number, into: Uint8Array): number {
    return this.chain.copyFrom(this.#memory, from, into);
  }

  copyTo(from: number, bytes: Uint8Array): void {
    this.chain.write(this.#memory, from, bytes.length, (room, at) => {
      room.set(at === 0 && room.length === bytes.length ? bytes : bytes.subarray(at, at + room.length));
      return true;
    });
  }

  read(from: number, length: number, visit: (bytes: Uint8Array, at: number) => boolean): void {
    this.chain.read(this.#memory, from, length, visit);
  }

  write(from: number, length: number, visit: (bytes: Uint8Array, at: number) => boolean): void {
    this.chain.write(this.#memory, from, length, visit);
  }
}

class Fs implements VirtioDevice {
  readonly features = 0;
  readonly #config = new Uint8Array(VIRTIO_FS_CONFIG.SIZE);
  readonly #message: ChainMessage;

  constructor(
    private readonly server: FuseServer,
    about: ShareConfig,
    private readonly on: { readonly wires: Wires; readonly bus: VirtioBus },
  ) {
    this.#config.set(tagBytes(about.tag)!, VIRTIO_FS_CONFIG.TAG);
    new DataView(this.#config.buffer).setUint32(VIRTIO_FS_CONFIG.REQUEST_QUEUES, REQUEST_QUEUES, true);
    this.#message = new ChainMessage(on.bus.chain);
  }

  readConfig(offset: number, size: AccessSize): number {
    return configValue(this.#config, offset, size);
  }

  reset(): void {
    this.server.reset();
  }

  notified(index: number): void {
    const memory = this.on.wires.memory();
    serveQueue(this.on.bus, index, TURN_BYTES, (queue, chain) => {
      const written = this.server.serve(this.#message.take(memory));
      if (written < 0) throw new RingFault("a FUSE request without its header or room for a reply's");
      queue.push(chain, written);
      return chain.readable + chain.writable;
    });
  }
}

/** A shared folder. */
export const virtioFsPart = virtioPart<object>({
  type: "virtio-fs",
  summary: "virtio shared folder",
  id: VIRTIO_ID.FILE_SYSTEM,
  queues: () => [FORGET_QUEUE_SIZE, REQUEST_QUEUE_SIZE],
  check: (part) => void configOf(part),
  shape: () => record<object>({}),
  initial: () => ({}),
  unsaved: (part) => {
    const { share, tag } = configOf(part);
    return `the shared folder "${share}" (tag "${tag}"), of which a snapshot cannot hold what the guest has open`;
  },
  create(part, wires, bus) {
    const about = configOf(part);
    const folder = wires.share(about.share);
    if (folder.readOnly !== about.readOnly)
      throw new PartError(
        part.name,
        `a share "${about.share}" that ${folder.readOnly ? "is read-only" : "can be written"}`,
        `one that ${about.readOnly ? "is read-only" : "can be written"}`,
        "The plan was made for another one: hand in that one, or plan again.",
      );
    return new Fs(new FuseServer(folder, { cache: about.cache }), about, { wires, bus });
  },
});
