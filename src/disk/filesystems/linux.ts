/** ext2, ext3, ext4, xfs and btrfs by their superblocks. */
import type { ByteView } from "../../bytes/byte-view.js";
import { isPowerOfTwo } from "../../bytes/align.js";
import type { BlockSource } from "../../block/backend.js";
import { EXT, EXT3_FEATURES, EXT_COMPAT, EXT_INCOMPAT } from "../../spec/ext.js";
import { BTRFS, XFS } from "../../spec/superblocks.js";
import { viewAt } from "../source.js";
import { utf8Text, uuidText } from "../text.js";
import { named, type FileSystem, type FileSystemType } from "./file-system.js";

/** ext2 to ext4, or a journal by itself. */
export function ext(source: BlockSource): FileSystem | undefined {
  const sb = viewAt(source, EXT.AT, EXT.SIZE);
  if (sb === undefined || sb.u16(EXT.MAGIC_AT) !== EXT.MAGIC) return undefined;
  const log = sb.u32(EXT.LOG_BLOCK_SIZE);
  const groups = [EXT.INODES, EXT.BLOCKS, EXT.BLOCKS_PER_GROUP];
  const isJournal = (sb.u32(EXT.INCOMPAT) & EXT_INCOMPAT.JOURNAL_DEV) !== 0;
  if (log > EXT.LARGEST_LOG_BLOCK || (!isJournal && groups.some((at) => sb.u32(at) === 0))) return undefined;
  const high = (sb.u32(EXT.INCOMPAT) & EXT_INCOMPAT.SIXTY_FOUR) !== 0 ? sb.u32(EXT.BLOCKS_HIGH) : 0;
  return named(sb, {
    type: extType(sb),
    label: utf8Text(sb, EXT.LABEL, EXT.LABEL_SIZE),
    uuid: uuidText(sb, EXT.UUID),
    mountedOn: utf8Text(sb, EXT.LAST_MOUNTED, EXT.LAST_MOUNTED_SIZE),
    size: (high * 2 ** 32 + sb.u32(EXT.BLOCKS)) * EXT.SMALLEST_BLOCK * 2 ** log,
    offset: EXT.MAGIC_AT,
  });
}

function extType(sb: ByteView): FileSystemType {
  const incompat = sb.u32(EXT.INCOMPAT);
  if ((incompat & EXT_INCOMPAT.JOURNAL_DEV) !== 0) return "jbd";
  const more =
    (incompat & ~EXT3_FEATURES.INCOMPAT) !== 0 || (sb.u32(EXT.RO_COMPAT) & ~EXT3_FEATURES.RO_COMPAT) !== 0;
  if (more) return "ext4";
  return (sb.u32(EXT.COMPAT) & EXT_COMPAT.HAS_JOURNAL) !== 0 ? "ext3" : "ext2";
}

/** XFS. */
export function xfs(source: BlockSource): FileSystem | undefined {
  const sb = viewAt(source, 0, XFS.SIZE);
  if (sb === undefined || !sb.matches(0, XFS.MAGIC)) return undefined;
  const blockSize = sb.u32be(XFS.BLOCK_SIZE);
  const [least, most] = XFS.BLOCK_SIZES;
  const blocks = Number(sb.u64be(XFS.BLOCKS));
  if (!isPowerOfTwo(blockSize) || blockSize < least || blockSize > most || blocks === 0) return undefined;
  return named(sb, {
    type: "xfs",
    label: utf8Text(sb, XFS.LABEL, XFS.LABEL_SIZE),
    uuid: uuidText(sb, XFS.UUID),
    size: blocks * blockSize,
    offset: 0,
  });
}

/** Btrfs: the first of its superblocks. */
export function btrfs(source: BlockSource): FileSystem | undefined {
  const sb = viewAt(source, BTRFS.AT, BTRFS.SIZE);
  if (sb === undefined || !sb.matches(BTRFS.MAGIC_AT, BTRFS.MAGIC)) return undefined;
  if (!isPowerOfTwo(sb.u32(BTRFS.SECTOR_SIZE))) return undefined;
  return named(sb, {
    type: "btrfs",
    label: utf8Text(sb, BTRFS.LABEL, BTRFS.LABEL_SIZE),
    uuid: uuidText(sb, BTRFS.UUID),
    size: Number(sb.u64(BTRFS.BYTES)),
    offset: BTRFS.MAGIC_AT,
  });
}
