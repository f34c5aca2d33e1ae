/** A member of a ZFS pool by its first label: an uberblock with the magic, and the pool's name in the list of pairs. */
import type { ByteView } from "../../bytes/byte-view.js";
import type { BlockSource } from "../../block/backend.js";
import { ZFS } from "../../spec/superblocks.js";
import { viewAt } from "../source.js";
import { utf8Text } from "../text.js";
import { named, type FileSystem } from "./file-system.js";

/** Version and flags follow the four bytes that tell the encoding. */
const FIRST_PAIR = 12;

/** How a list of pairs begins: in XDR, version 0, names unique; the second byte is the byte order of its host. */
function hasPairs(source: BlockSource): boolean {
  const start = viewAt(source, ZFS.PAIRS, FIRST_PAIR);
  return start?.u8(0) === ZFS.XDR && start.u32be(4) === 0 && start.u32be(8) === 1;
}

/** A member of a pool, by the first of its labels. */
export function zfs(source: BlockSource): FileSystem | undefined {
  if (!hasPairs(source)) return undefined;
  const blocks = viewAt(source, ZFS.UBERBLOCKS, ZFS.UBERBLOCKS_SIZE);
  if (blocks === undefined) return undefined;
  for (let at = 0; at < blocks.length; at += ZFS.UBERBLOCK) {
    // A pool is written in its host's byte order.
    if (blocks.u32(at) !== ZFS.MAGIC && blocks.u32be(at + 4) !== ZFS.MAGIC) continue;
    const pairs = viewAt(source, ZFS.PAIRS, ZFS.PAIRS_SIZE);
    const facts = pairs === undefined ? {} : topPairs(pairs);
    return named(blocks, { type: "zfs", meaning: "member of a ZFS pool", ...facts, offset: at });
  }
  return undefined;
}

/** Sizes encoded and decoded, length of the name. */
const PAIR_HEADER = 12;
const XDR_UNIT = 4;

function padded(size: number): number {
  return Math.ceil(size / XDR_UNIT) * XDR_UNIT;
}

/** Name and GUID of the pool, in XDR: each pair says how long it is. */
function topPairs(pairs: ByteView): { label?: string; uuid?: string } {
  const facts: { label?: string; uuid?: string } = {};
  let at = FIRST_PAIR;
  while (pairs.holds(at, PAIR_HEADER)) {
    const size = pairs.u32be(at);
    if (size < PAIR_HEADER || !pairs.holds(at, size)) break;
    const pair = pairs.view(at, size);
    at += size;
    const nameSize = pair.u32be(8);
    const typeAt = PAIR_HEADER + padded(nameSize);
    const valueAt = typeAt + 2 * XDR_UNIT;
    if (!pair.holds(PAIR_HEADER, nameSize) || !pair.holds(typeAt, 4 * XDR_UNIT)) continue;
    const name = utf8Text(pair, PAIR_HEADER, nameSize);
    const type = pair.u32be(typeAt);
    if (name === "name" && type === ZFS.TYPE_STRING) {
      const length = pair.u32be(valueAt);
      if (pair.holds(valueAt + XDR_UNIT, length)) facts.label = utf8Text(pair, valueAt + XDR_UNIT, length);
    }
    if (name === "pool_guid" && type === ZFS.TYPE_UINT64) facts.uuid = String(pair.u64be(valueAt));
  }
  return facts;
}
