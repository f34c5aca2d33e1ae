/** UFS of FreeBSD, which is FFS of NetBSD and OpenBSD: nothing in a superblock says whose it is. */
import { isPowerOfTwo } from "../../bytes/align.js";
import { TWO_32 } from "../../bytes/words.js";
import type { BlockSource } from "../../block/backend.js";
import { UFS } from "../../spec/superblocks.js";
import { viewAt } from "../source.js";
import { utf8Text } from "../text.js";
import { named, type FileSystem } from "./file-system.js";

const TITLES = { ufs1: "UFS1, FFSv1 of the BSDs", ufs2: "UFS2, FFSv2 of the BSDs" } as const;

/** UFS1 or UFS2: the first superblock in the order in which kernels look. */
export function ufs(source: BlockSource): FileSystem | undefined {
  for (const place of UFS.PLACES) {
    const sb = viewAt(source, place, UFS.SIZE);
    if (sb === undefined) continue;
    const type = UFS.MAGICS[sb.u32(UFS.MAGIC_AT)];
    if (type !== "ufs1" && type !== "ufs2") continue;
    const blockSize = sb.u32(UFS.BLOCK_SIZE);
    const fragment = sb.u32(UFS.FRAGMENT_SIZE);
    const [least, most] = UFS.BLOCK_SIZES;
    if (!isPowerOfTwo(blockSize) || blockSize < least || blockSize > most || !isPowerOfTwo(fragment))
      continue;
    if (fragment * sb.u32(UFS.FRAGMENTS) !== blockSize) continue;
    const id = [0, 4]
      .map((at) =>
        sb
          .u32(UFS.ID + at)
          .toString(16)
          .padStart(8, "0"),
      )
      .join("");
    const fragments =
      type === "ufs1" ? sb.u32(UFS.OLD_SIZE) : sb.u32(UFS.BLOCKS + 4) * TWO_32 + sb.u32(UFS.BLOCKS);
    return named(sb, {
      type,
      meaning: TITLES[type],
      label: utf8Text(sb, UFS.VOLUME, UFS.VOLUME_SIZE),
      uuid: /^0*$/.test(id) ? "" : id,
      mountedOn: utf8Text(sb, UFS.MOUNTED_ON, UFS.MOUNTED_ON_SIZE),
      size: fragments * fragment,
      offset: UFS.MAGIC_AT,
    });
  }
  return undefined;
}
