/** What holds no files by itself: swap, physical volumes of LVM, encrypted volumes. */
import type { BlockSource } from "../../block/backend.js";
import { LUKS, LVM2, SWAP } from "../../spec/superblocks.js";
import { viewAt } from "../source.js";
import { isNil, utf8Text, uuidText } from "../text.js";
import { named, type FileSystem } from "./file-system.js";

/** Swap of Linux, whatever the size of its pages. */
export function swap(source: BlockSource): FileSystem | undefined {
  for (const pageSize of SWAP.PAGE_SIZES) {
    const at = pageSize - SWAP.MAGIC.length;
    const magic = viewAt(source, at, SWAP.MAGIC.length);
    if (magic === undefined) return undefined;
    if (magic.matches(0, SWAP.OLD_MAGIC)) return { type: "swap", meaning: "version 0", offset: at };
    const header = magic.matches(0, SWAP.MAGIC) ? viewAt(source, SWAP.HEADER, SWAP.SIZE) : undefined;
    if (header === undefined || header.u32(SWAP.VERSION) !== 1 || header.u32(SWAP.LAST_PAGE) === 0) continue;
    const uuid = uuidText(header, SWAP.UUID);
    return named(header, {
      type: "swap",
      label: utf8Text(header, SWAP.LABEL, SWAP.LABEL_SIZE),
      uuid: isNil(uuid) ? "" : uuid,
      size: (header.u32(SWAP.LAST_PAGE) + 1) * pageSize,
      offset: at - SWAP.HEADER,
    });
  }
  return undefined;
}

/** A physical volume of LVM2: its label is in one of the first four sectors. */
export function lvm2(source: BlockSource): FileSystem | undefined {
  for (let sector = 0; sector < LVM2.SECTORS; sector++) {
    const label = viewAt(source, sector * LVM2.SECTOR, LVM2.SECTOR);
    if (label === undefined) return undefined;
    const isLabel = label.matches(0, LVM2.MAGIC) && label.matches(LVM2.TYPE_AT, LVM2.TYPE);
    if (!isLabel || label.u64(LVM2.OWN_SECTOR) !== BigInt(sector)) continue;
    const content = label.u32(LVM2.CONTENT);
    if (!label.holds(content, LVM2.UUID_SIZE)) continue;
    const uuid = label
      .latin1(content, LVM2.UUID_SIZE)
      .replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, "$1-$2-$3-$4-$5-$6-$7");
    return named(label, { type: "LVM2", meaning: "physical volume of LVM", uuid, offset: 0 });
  }
  return undefined;
}

/** An encrypted volume, LUKS1 or LUKS2. */
export function luks(source: BlockSource): FileSystem | undefined {
  const header = viewAt(source, 0, LUKS.SIZE);
  if (header === undefined || LUKS.MAGIC.some((byte, at) => header.u8(at) !== byte)) return undefined;
  const version = header.u16be(LUKS.VERSION);
  if (version !== 1 && version !== 2) return undefined;
  return named(header, {
    type: version === 1 ? "LUKS1" : "LUKS2",
    meaning: "encrypted",
    label: version === 2 ? utf8Text(header, LUKS.LABEL, LUKS.LABEL_SIZE) : "",
    uuid: utf8Text(header, LUKS.UUID, LUKS.UUID_SIZE),
    offset: 0,
  });
}
