/**
 * A shared folder for kernels without FUSE: 9P2000.L requests of a driver, each answered before the next is taken.
 *
 * Source: Linux, net/9p/trans_virtio.c; VIRTIO 1.2 §5 has its number only.
 */
import { NinePServer } from "../../share/ninep/server.js";
import { VIRTIO_9P_CONFIG, VIRTIO_9P_FEATURE, VIRTIO_ID } from "../../spec/virtio-devices.js";
import { virtioPart } from "./part.js";
import {
  initialShareState,
  sharedFolder,
  shareConfig,
  shareStateShape,
  tagBytes,
  unsavedShare,
  type ShareConfig,
  type ShareState,
} from "./share-config.js";
import { ShareDevice } from "./share-device.js";

/** A message of Linux's takes 128 descriptors at most; two of them have room. */
const QUEUE_SIZE = 256;

function configBytes({ tag }: ShareConfig): Uint8Array {
  const bytes = tagBytes(tag)!;
  const config = new Uint8Array(VIRTIO_9P_CONFIG.TAG + bytes.length);
  new DataView(config.buffer).setUint16(VIRTIO_9P_CONFIG.TAG_LENGTH, bytes.length, true);
  config.set(bytes, VIRTIO_9P_CONFIG.TAG);
  return config;
}

/** A shared folder for kernels without FUSE. */
export const virtioNinePPart = virtioPart<ShareState>({
  type: "virtio-9p",
  summary: "virtio shared folder over 9P",
  id: VIRTIO_ID.NINE_P,
  queues: () => [QUEUE_SIZE],
  check: (part) => void shareConfig(part),
  shape: () => shareStateShape,
  initial: initialShareState,
  unsaved: unsavedShare,
  create(part, wires, bus, state) {
    const about = shareConfig(part);
    const server = new NinePServer(sharedFolder(part, wires), { cache: about.cache });
    const features = 1 << VIRTIO_9P_FEATURE.MOUNT_TAG;
    const fault = "a 9P request without its header or room for an error";
    return new ShareDevice(server, { features, config: configBytes(about), fault }, { wires, bus }, state);
  },
});
