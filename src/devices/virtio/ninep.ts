/**
 * A shared folder for kernels without FUSE: 9P2000.L requests of a driver, each answered before the next is taken.
 *
 * Source: Linux, net/9p/trans_virtio.c; VIRTIO 1.2 §5 has its number only.
 */
import { record } from "../../bytes/shape.js";
import { NinePServer } from "../../share/ninep/server.js";
import { VIRTIO_9P_CONFIG, VIRTIO_9P_FEATURE, VIRTIO_ID } from "../../spec/virtio-devices.js";
import type { AccessSize } from "../device.js";
import type { Wires } from "../part.js";
import { RingFault } from "./chain.js";
import { ChainMessage } from "./chain-message.js";
import { configValue } from "./config-space.js";
import { virtioPart } from "./part.js";
import { sharedFolder, shareConfig, tagBytes, unsavedShare, type ShareConfig } from "./share-config.js";
import { serveQueue, type VirtioBus, type VirtioDevice } from "./virtio-device.js";

/** A message of Linux's takes 128 descriptors at most; two of them have room. */
const QUEUE_SIZE = 256;
/** After so many bytes the guest's CPUs go on before the next request. */
const TURN_BYTES = 4 * 2 ** 20;

function configBytes({ tag }: ShareConfig): Uint8Array {
  const bytes = tagBytes(tag)!;
  const config = new Uint8Array(VIRTIO_9P_CONFIG.TAG + bytes.length);
  new DataView(config.buffer).setUint16(VIRTIO_9P_CONFIG.TAG_LENGTH, bytes.length, true);
  config.set(bytes, VIRTIO_9P_CONFIG.TAG);
  return config;
}

class NineP implements VirtioDevice {
  readonly features = 1 << VIRTIO_9P_FEATURE.MOUNT_TAG;
  readonly #config: Uint8Array;
  readonly #message: ChainMessage;

  constructor(
    private readonly server: NinePServer,
    about: ShareConfig,
    private readonly on: { readonly wires: Wires; readonly bus: VirtioBus },
  ) {
    this.#config = configBytes(about);
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
      if (written < 0) throw new RingFault("a 9P request without its header or room for an error");
      queue.push(chain, written);
      return chain.readable + chain.writable;
    });
  }
}

/** A shared folder for kernels without FUSE. */
export const virtioNinePPart = virtioPart<object>({
  type: "virtio-9p",
  summary: "virtio shared folder over 9P",
  id: VIRTIO_ID.NINE_P,
  queues: () => [QUEUE_SIZE],
  check: (part) => void shareConfig(part),
  shape: () => record<object>({}),
  initial: () => ({}),
  unsaved: unsavedShare,
  create(part, wires, bus) {
    const about = shareConfig(part);
    const server = new NinePServer(sharedFolder(part, wires), { cache: about.cache });
    return new NineP(server, about, { wires, bus });
  },
});
