/** Where the parts of an ext file system lie, by its superblock; checked as far as its reader relies on it. */
import { isPowerOfTwo } from "../../bytes/align.js";
import { hex } from "../../bytes/hex.js";
import type { ByteView } from "../../bytes/byte-view.js";
import { TWO_32 } from "../../bytes/words.js";
import type { BlockSource } from "../../block/backend.js";
import { BlockError } from "../../block/block-error.js";
import { EXT, EXT_COMPAT, EXT_INCOMPAT, EXT_RO_COMPAT } from "../../spec/ext.js";
import { readAt } from "../source.js";

export interface ExtLayout {
  readonly blockSize: number;
  readonly inodes: number;
  readonly inodesPerGroup: number;
  readonly inodeSize: number;
  readonly descriptorSize: number;
  /** Block numbers have 64 bits. */
  readonly wide: boolean;
  /** Its journal holds what was not written to its place: it was not unmounted. */
  readonly unclean: boolean;
  /** Byte where a group's descriptor stands. */
  descriptorAt(group: number): number;
}

/** Features that change how a file is read and that are known here. */
const KNOWN =
  EXT_INCOMPAT.FILETYPE |
  EXT_INCOMPAT.RECOVER |
  EXT_INCOMPAT.META_BG |
  EXT_INCOMPAT.EXTENTS |
  EXT_INCOMPAT.SIXTY_FOUR |
  EXT_INCOMPAT.MMP |
  EXT_INCOMPAT.FLEX_BG |
  EXT_INCOMPAT.EA_INODE |
  EXT_INCOMPAT.CSUM_SEED |
  EXT_INCOMPAT.LARGE_DIR |
  EXT_INCOMPAT.INLINE_DATA |
  EXT_INCOMPAT.ENCRYPT |
  EXT_INCOMPAT.CASEFOLD;
/** Groups beside the first two that have a copy of the superblock: powers of these. */
const COPY_BASES = [3, 5, 7];

/** Throws BlockError for one that cannot be read here. */
export function readExtLayout(source: BlockSource): ExtLayout {
  const sb = readAt(source, EXT.AT, EXT.SIZE);
  const refuse = (offset: number, found: string, expected: string, advice: string): never => {
    throw new BlockError(EXT.AT + offset, found, expected, advice);
  };
  const damaged = "The superblock is damaged: e2fsck repairs it from a copy.";
  if (sb.u16(EXT.MAGIC_AT) !== EXT.MAGIC)
    refuse(EXT.MAGIC_AT, hex(sb.u16(EXT.MAGIC_AT)), hex(EXT.MAGIC), damaged);
  const incompat = sb.u32(EXT.INCOMPAT);
  const unknown = (incompat & ~KNOWN) >>> 0;
  if (unknown !== 0)
    refuse(
      EXT.INCOMPAT,
      `features ${hex(unknown)}`,
      "those of ext2, ext3 and ext4",
      "They are not known here: files cannot be read.",
    );
  const log = sb.u32(EXT.LOG_BLOCK_SIZE);
  if (log > EXT.LARGEST_LOG_BLOCK)
    refuse(EXT.LOG_BLOCK_SIZE, `blocks of 2^${log} KiB`, "64 KiB at most", damaged);
  const inodeSize = sb.u32(EXT.REVISION) === 0 ? EXT.OLD_INODE_SIZE : sb.u16(EXT.INODE_SIZE);
  const blockSize = EXT.SMALLEST_BLOCK * 2 ** log;
  if (!isPowerOfTwo(inodeSize) || inodeSize < EXT.OLD_INODE_SIZE || inodeSize > blockSize)
    refuse(EXT.INODE_SIZE, `inodes of ${inodeSize} bytes`, `${EXT.OLD_INODE_SIZE} to ${blockSize}`, damaged);
  const inodesPerGroup = sb.u32(EXT.INODES_PER_GROUP);
  if (inodesPerGroup === 0 || sb.u32(EXT.BLOCKS_PER_GROUP) === 0)
    refuse(EXT.INODES_PER_GROUP, "groups of no inodes or blocks", "some", damaged);
  const wide = (incompat & EXT_INCOMPAT.SIXTY_FOUR) !== 0;
  const descriptorSize = wide ? sb.u16(EXT.DESCRIPTOR_SIZE) : EXT.OLD_DESCRIPTOR_SIZE;
  if (!isPowerOfTwo(descriptorSize) || descriptorSize < EXT.OLD_DESCRIPTOR_SIZE || descriptorSize > blockSize)
    refuse(EXT.DESCRIPTOR_SIZE, `descriptors of ${descriptorSize} bytes`, "32 or more", damaged);
  return {
    blockSize,
    inodes: sb.u32(EXT.INODES),
    inodesPerGroup,
    inodeSize,
    descriptorSize,
    wide,
    unclean: (incompat & EXT_INCOMPAT.RECOVER) !== 0,
    descriptorAt: descriptors(sb, blockSize, descriptorSize),
  };
}

/** With META_BG the descriptors lie in the groups that they describe, some groups together; otherwise all behind the superblock. */
function descriptors(sb: ByteView, blockSize: number, size: number): (group: number) => number {
  const first = sb.u32(EXT.FIRST_DATA_BLOCK);
  const perBlock = blockSize / size;
  const spread = (sb.u32(EXT.INCOMPAT) & EXT_INCOMPAT.META_BG) !== 0 ? sb.u32(EXT.FIRST_META_GROUP) : TWO_32;
  const hasCopy = copies(sb);
  return (group) => {
    const meta = Math.floor(group / perBlock);
    if (meta < spread) return (first + 1) * blockSize + group * size;
    const leader = meta * perBlock;
    const block = first + leader * sb.u32(EXT.BLOCKS_PER_GROUP) + (hasCopy(leader) ? 1 : 0);
    return block * blockSize + (group % perBlock) * size;
  };
}

/** Which groups begin with a copy of the superblock. */
function copies(sb: ByteView): (group: number) => boolean {
  if ((sb.u32(EXT.COMPAT) & EXT_COMPAT.SPARSE_SUPER2) !== 0) {
    const two = EXT.COPIES.map((at) => sb.u32(at));
    return (group) => group === 0 || two.includes(group);
  }
  if ((sb.u32(EXT.RO_COMPAT) & EXT_RO_COMPAT.SPARSE_SUPER) === 0) return () => true;
  return (group) => group <= 1 || COPY_BASES.some((base) => isPower(group, base));
}

function isPower(value: number, base: number): boolean {
  while (value > 1 && value % base === 0) value /= base;
  return value === 1;
}
