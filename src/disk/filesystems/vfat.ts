/** FAT by its boot sector; the label is a directory's entry where there is one. */
import type { BlockSource } from "../../block/backend.js";
import { readFatLayout } from "../files/fat-layout.js";
import { fatVolumeLabel } from "../files/fat.js";
import type { FileSystem } from "./file-system.js";

/** FAT12, FAT16 or FAT32. */
export function vfat(source: BlockSource): FileSystem | undefined {
  const layout = readFatLayout(source);
  if (layout === undefined) return undefined;
  const label = fatVolumeLabel(source, layout) ?? layout.label;
  return {
    type: "vfat",
    meaning: `FAT${layout.bits}`,
    ...(label !== undefined && { label }),
    uuid: layout.serial,
    size: layout.sectors * layout.sectorSize,
    offset: 0,
  };
}
