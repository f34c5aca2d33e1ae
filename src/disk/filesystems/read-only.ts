/** File systems that are written once: iso9660, squashfs, erofs. */
import type { ByteView } from "../../bytes/byte-view.js";
import { isPowerOfTwo } from "../../bytes/align.js";
import type { BlockSource } from "../../block/backend.js";
import { EROFS, ISO9660, SQUASHFS } from "../../spec/superblocks.js";
import { viewAt } from "../source.js";
import { isNil, utf8Text, uuidText } from "../text.js";
import { named, type FileSystem } from "./file-system.js";

/** ISO 9660: its first volume descriptor. */
export function iso9660(source: BlockSource): FileSystem | undefined {
  const volume = viewAt(source, ISO9660.AT, ISO9660.SIZE);
  if (volume === undefined || !volume.matches(ISO9660.MAGIC_AT, ISO9660.MAGIC)) return undefined;
  return named(volume, {
    type: "iso9660",
    label: utf8Text(volume, ISO9660.VOLUME, ISO9660.VOLUME_SIZE).trimEnd(),
    uuid: isoDate(volume, ISO9660.MODIFIED) ?? isoDate(volume, ISO9660.CREATED),
    size: volume.u32(ISO9660.BLOCKS) * volume.u16(ISO9660.BLOCK_SIZE),
    offset: ISO9660.MAGIC_AT,
  });
}

/** Its date stands for the UUID that it has not: `2024-02-29-12-00-00-00`. */
function isoDate(volume: ByteView, at: number): string | undefined {
  const digits = volume.latin1(at, ISO9660.DATE_DIGITS);
  if (!/^\d+$/.test(digits) || /^0*$/.test(digits)) return undefined;
  return digits.replace(/^(....)(..)(..)(..)(..)(..)(..)$/, "$1-$2-$3-$4-$5-$6-$7");
}

/** Squashfs, which has neither label nor UUID. */
export function squashfs(source: BlockSource): FileSystem | undefined {
  const sb = viewAt(source, 0, SQUASHFS.SIZE);
  if (sb === undefined || !sb.matches(0, SQUASHFS.MAGIC)) return undefined;
  const major = sb.u16(SQUASHFS.MAJOR);
  if (!isPowerOfTwo(sb.u32(SQUASHFS.BLOCK_SIZE)) || major === 0) return undefined;
  return named(sb, {
    type: "squashfs",
    meaning: `version ${major}`,
    size: Number(sb.u64(SQUASHFS.BYTES)),
    offset: 0,
  });
}

/** EROFS. */
export function erofs(source: BlockSource): FileSystem | undefined {
  const sb = viewAt(source, EROFS.AT, EROFS.SIZE);
  if (sb === undefined || sb.u32(0) !== EROFS.MAGIC) return undefined;
  const uuid = uuidText(sb, EROFS.UUID);
  return named(sb, {
    type: "erofs",
    label: utf8Text(sb, EROFS.LABEL, EROFS.LABEL_SIZE),
    uuid: isNil(uuid) ? "" : uuid,
    size: sb.u32(EROFS.BLOCKS) * 2 ** sb.u8(EROFS.BLOCK_BITS),
    offset: 0,
  });
}
