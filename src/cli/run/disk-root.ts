/** Where on a disk the root of a run is: the device as Linux names it, and its file system. */
import { linuxRoot } from "../../boot/disk-root.js";
import type { DiskRequest } from "../../host/node/disk-request.js";
import { openDisk } from "../disk-image.js";

/** The first disk of the machine. */
const DEVICE = "/dev/vda";

/** Throws DiskError and BlockError for a file that is no disk. */
export async function diskRoot(request: DiskRequest): Promise<{ device: string; type: string | undefined }> {
  const image = await openDisk(request);
  try {
    const volume = linuxRoot(image.disk)?.volume;
    const number = volume?.partition?.number;
    return { device: `${DEVICE}${number ?? ""}`, type: volume?.fileSystem?.type };
  } finally {
    image.close();
  }
}
