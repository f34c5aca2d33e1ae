/**
 * A shared folder: FUSE requests of a driver, each answered before the next is taken. Queue 0 has what must not wait, which is what the
 * guest forgets; nothing waits here, so that it is served as the other is.
 *
 * Specification: VIRTIO 1.2 §5.11.
 */
import { VIRTIO_FS_CONFIG, VIRTIO_ID } from "../../spec/virtio-devices.js";
import { FuseServer } from "../../share/fuse/server.js";
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

const FORGET_QUEUE_SIZE = 128;
/** Linux asks for as many pages at once as a queue has room for, less some for the head of a request. */
const REQUEST_QUEUE_SIZE = 1024;
const REQUEST_QUEUES = 1;

function configBytes({ tag }: ShareConfig): Uint8Array {
  const config = new Uint8Array(VIRTIO_FS_CONFIG.SIZE);
  config.set(tagBytes(tag)!, VIRTIO_FS_CONFIG.TAG);
  new DataView(config.buffer).setUint32(VIRTIO_FS_CONFIG.REQUEST_QUEUES, REQUEST_QUEUES, true);
  return config;
}

/** A shared folder. */
export const virtioFsPart = virtioPart<ShareState>({
  type: "virtio-fs",
  summary: "virtio shared folder",
  id: VIRTIO_ID.FILE_SYSTEM,
  queues: () => [FORGET_QUEUE_SIZE, REQUEST_QUEUE_SIZE],
  check: (part) => void shareConfig(part),
  shape: () => shareStateShape,
  initial: initialShareState,
  unsaved: unsavedShare,
  create(part, wires, bus, state) {
    const about = shareConfig(part);
    const server = new FuseServer(sharedFolder(part, wires), { cache: about.cache });
    const fault = "a FUSE request without its header or room for a reply's";
    return new ShareDevice(server, { features: 0, config: configBytes(about), fault }, { wires, bus }, state);
  },
});
