/** `--share DIR:TAG,rw,cache=C,owner=O,protocol=P`: a folder of the host that the guest may mount. */
import { shareName } from "../boot/options.js";
import type { ShareRequest } from "../host/node/share-request.js";
import { SHARE_CACHES, SHARE_PROTOCOLS, type ShareOwner } from "../share/share-options.js";
import { VIRTIO_FS_CONFIG } from "../spec/virtio-devices.js";
import { UsageError, type OptionSpec } from "./args.js";
import { parseSuboptions } from "./values.js";

const USAGE = `--share DIR[:TAG][,rw][,cache=${SHARE_CACHES.join("|")}][,owner=UID:GID][,protocol=${SHARE_PROTOCOLS.join("|")}]`;

/** The largest user or group that a file can have; one more stands for none. */
const MOST_ID = 2 ** 32 - 2;

export const SHARE_OPTION: OptionSpec = {
  name: "share",
  value: "DIR:TAG,…",
  repeats: true,
  help:
    "a folder of the host, which the guest mounts by its tag: mount -t virtiofs TAG /mnt; the tag is what is behind the last colon, else share0, share1, …; the guest reads, with rw it writes; " +
    "cache=none: it sees every change of the host's at once, auto: after a second at most (the default), always: nobody else changes the folder; owner=UID:GID: the guest sees all of it belong to these; protocol=9p: for a kernel without FUSE, mount -t 9p -o trans=virtio TAG /mnt; two commas are one of a name",
};

/** Whether the guest may write: rw or ro, each alone. */
function readAccess(key: "rw" | "ro", value: string): "read" | "write" {
  if (value !== "on" && value !== "off")
    throw new UsageError(`--share ${key}=${value}: expected ${key} alone`, USAGE);
  return (key === "rw") === (value === "on") ? "write" : "read";
}

function readTag(text: string, tag: string): string {
  const length = new TextEncoder().encode(tag).length;
  if (length > 0 && length <= VIRTIO_FS_CONFIG.TAG_BYTES && !tag.includes("\0")) return tag;
  throw new UsageError(
    `--share ${text}: expected a tag of 1 to ${VIRTIO_FS_CONFIG.TAG_BYTES} bytes behind the colon`,
    USAGE,
  );
}

function readOwner(value: string): ShareOwner {
  const [uid = NaN, gid = NaN] = /^(\d+):(\d+)$/.exec(value)?.slice(1).map(Number) ?? [];
  if (uid <= MOST_ID && gid <= MOST_ID) return { uid, gid };
  throw new UsageError(
    `--share owner=${value}: expected two numbers up to ${MOST_ID}, a user's and a group's`,
    "owner=1000:1000",
  );
}

/** What a guest remembers over 9P it says when it mounts: that it is to remember nothing it can be told. */
function checkNineP(text: string, { cache }: ShareRequest): void {
  if (cache === "always")
    throw new UsageError(
      `--share ${text}: with protocol=9p the guest chooses what it remembers`,
      "leave cache=always out, and in the guest: mount -t 9p -o trans=virtio,cache=loose TAG /mnt",
    );
}

function parseShare(text: string, index: number): ShareRequest {
  const [[first, where], ...pairs] = parseSuboptions(text, "folder");
  const colon = where.lastIndexOf(":");
  const folder = colon < 0 ? where : where.slice(0, colon);
  if (first !== "folder" || folder === "")
    throw new UsageError(`--share ${text}: expected a folder first`, USAGE);
  const tag = colon < 0 ? shareName(index) : readTag(text, where.slice(colon + 1));
  const share: ShareRequest = { folder, tag, access: "read", cache: "auto" };
  for (const [key, value] of pairs) {
    if (key === "rw" || key === "ro") share.access = readAccess(key, value);
    else if (key === "cache") {
      const cache = SHARE_CACHES.find((one) => one === value);
      if (cache === undefined)
        throw new UsageError(`--share cache=${value}: expected ${SHARE_CACHES.join(", ")}`, USAGE);
      share.cache = cache;
    } else if (key === "owner") share.owner = readOwner(value);
    else if (key === "protocol") {
      const protocol = SHARE_PROTOCOLS.find((one) => one === value);
      if (protocol === undefined)
        throw new UsageError(`--share protocol=${value}: expected ${SHARE_PROTOCOLS.join(" or ")}`, USAGE);
      share.protocol = protocol;
    } else throw new UsageError(`--share ${text}: there is no ${key}`, USAGE);
  }
  if (share.protocol === "9p") checkNineP(text, share);
  return share;
}

/** Reads the values of `--share`, in their order. Throws UsageError. */
export function parseShares(texts: readonly string[]): ShareRequest[] {
  const shares = texts.map(parseShare);
  for (const [index, { tag, folder }] of shares.entries()) {
    const other = shares.findIndex((one) => one.tag === tag);
    if (other !== index)
      throw new UsageError(
        `--share ${folder}: ${shares[other].folder} has the tag ${tag} already`,
        "give it another: --share DIR:TAG",
      );
  }
  return shares;
}
