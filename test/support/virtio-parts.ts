/** Virtio devices as tests ask for them. */
import type { BlockBackend } from "../../src/block/backend.js";
import type { FileBackend } from "../../src/share/file-backend.js";
import type { PartRequest, PartValue } from "../../src/devices/part.js";

export const SECTOR = 512;

/** A disk that the machine knows as `name`. */
export function diskPart(
  disk: BlockBackend,
  name = "disk0",
  more: Record<string, PartValue> = {},
): PartRequest {
  const sectors = Math.floor(disk.size / SECTOR);
  return {
    name,
    type: "virtio-blk",
    config: { disk: name, sectors, readOnly: disk.readOnly, serial: `serial-${name}`, ...more },
  };
}

/** A folder that the machine knows as `name`, and the guest mounts by that. */
export function sharePart(
  { readOnly }: FileBackend,
  name = "share0",
  more: Record<string, PartValue> = {},
  type: "virtio-fs" | "virtio-9p" = "virtio-fs",
): PartRequest {
  return { name, type, config: { share: name, tag: name, readOnly, cache: "auto", ...more } };
}
