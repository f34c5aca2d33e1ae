/**
 * A shared folder: FUSE requests of a driver, each answered before the next is taken. Queue 0 has what must not wait, which is what the
 * guest forgets; nothing waits here, so that it is served as the other is.
 *
 * Specification: VIRTIO 1.2 §5.11.
 */
import { record } from "../../bytes/shape.js";
import { VIRTIO_FS_CONFIG, VIRTIO_ID } from "../../spec/virtio-devices.js";
import { FuseServer } from "../../share/fuse/server.js";
import type { AccessSize } from "../device.js";
import type { Wires } from "../part.js";
import { RingFault } from "./chain.js";
import { ChainMessage } from "./chain-message.js";
import { configValue } from "./config-space.js";
import { virtioPart } from "./part.js";
import { sharedFolder, shareConfig, tagBytes, unsavedShare, type ShareConfig } from "./share-config.js";
import { serveQueue, type VirtioBus, type VirtioDevice } from "./virtio-device.js";

const FORGET_QUEUE_SIZE = 128;
/** Linux asks for as many pages at once as a queue has room for, less some for the head of a request. */
const REQUEST_QUEUE_SIZE = 1024;
const REQUEST_QUEUES = 1;
/** After so many bytes the guest's CPUs go on before the next request. */
const TURN_BYTES = 4 * 2 ** 20;

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
  check: (part) => void shareConfig(part),
  shape: () => record<object>({}),
  initial: () => ({}),
  unsaved: unsavedShare,
  create(part, wires, bus) {
    const about = shareConfig(part);
    const folder = sharedFolder(part, wires);
    return new Fs(new FuseServer(folder, { cache: about.cache }), about, { wires, bus });
  },
});
