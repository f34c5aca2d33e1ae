/** What parts that share a folder say of it, whatever protocol they speak. */
import { bool, record } from "../../bytes/shape.js";
import type { FileBackend } from "../../share/file-backend.js";
import { SHARE_CACHES, type ShareCache } from "../../share/share-options.js";
import { VIRTIO_FS_CONFIG } from "../../spec/virtio-devices.js";
import type { PlanPart, Wires } from "../part.js";
import { PartError } from "../resources.js";

/** A share as a part has it, in its `config`; beside it there may be a `version`. */
export interface ShareConfig {
  /** By which name the machine is handed the folder. */
  readonly share: string;
  /** What the guest mounts it by: 1 to 36 bytes. */
  readonly tag: string;
  readonly readOnly: boolean;
  readonly cache: ShareCache;
}

/** Throws PartError. */
export function shareConfig({ name, config = {} }: PlanPart): ShareConfig {
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
export function tagBytes(tag: string): Uint8Array | undefined {
  const bytes = new TextEncoder().encode(tag);
  return bytes.length > 0 && bytes.length <= VIRTIO_FS_CONFIG.TAG_BYTES && !bytes.includes(0)
    ? bytes
    : undefined;
}

/** The folder that the machine was handed. Throws PartError where it is another than the part says. */
export function sharedFolder(part: PlanPart, wires: Wires): FileBackend {
  const { share, readOnly } = shareConfig(part);
  const folder = wires.share(share);
  if (folder.readOnly === readOnly) return folder;
  throw new PartError(
    part.name,
    `a share "${share}" that ${folder.readOnly ? "is read-only" : "can be written"}`,
    `one that ${readOnly ? "is read-only" : "can be written"}`,
    "The plan was made for another one: hand in that one, or plan again.",
  );
}

/** What of a part that shares a folder is saved. */
export interface ShareState {
  /** The guest has asked for something of the folder, since its driver was reset. */
  asked: boolean;
}

export const shareStateShape = record<ShareState>({ asked: bool });

export const initialShareState = (): ShareState => ({ asked: false });

/** Why a machine with the part is not saved: a folder that nobody asked for anything can be handed in again. */
export function unsavedShare(part: PlanPart, { asked }: ShareState, again: boolean): string | undefined {
  if (again && !asked) return undefined;
  const { share, tag } = shareConfig(part);
  return `the shared folder "${share}" (tag "${tag}"), of which a snapshot cannot hold what the guest has open`;
}
