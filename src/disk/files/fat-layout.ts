/** Where the parts of a FAT file system lie, by its boot sector; checked as far as its readers rely on it. */
import { isPowerOfTwo } from "../../bytes/align.js";
import type { ByteView } from "../../bytes/byte-view.js";
import type { BlockSource } from "../../block/backend.js";
import { FAT, FAT_CLUSTERS, FAT_ENTRY, FAT_LABEL_SIZE, FAT_NAMES, FAT_NO_NAME } from "../../spec/fat.js";
import { viewAt } from "../source.js";
import { hexDigits } from "../text.js";

export interface FatLayout {
  readonly bits: 12 | 16 | 32;
  readonly sectorSize: number;
  readonly sectors: number;
  readonly clusterSize: number;
  /** Clusters are numbered from 2 on. */
  readonly clusters: number;
  /** Bytes from the start of the file system. */
  readonly fat: number;
  readonly data: number;
  /** Folder of FAT12 and FAT16, which is no cluster. */
  readonly root: { readonly at: number; readonly size: number };
  /** Cluster of FAT32's. */
  readonly rootCluster: number;
  /** "ABCD-1234". */
  readonly serial: string;
  readonly label: string | undefined;
}

const FIRST_MEDIA = 0xf0;
const USUAL_MEDIA = 0xf8;
const MOST_FATS = 4;

/** The layout; undefined where the sector is no FAT's. */
export function readFatLayout(source: BlockSource): FatLayout | undefined {
  const boot = viewAt(source, 0, FAT.SIZE);
  if (boot === undefined || boot.u16(FAT.MARK_AT) !== FAT.MARK) return undefined;
  const sectorSize = boot.u16(FAT.BYTES_PER_SECTOR);
  const perCluster = boot.u8(FAT.SECTORS_PER_CLUSTER);
  const reserved = boot.u16(FAT.RESERVED);
  const fats = boot.u8(FAT.FATS);
  const media = boot.u8(FAT.MEDIA);
  const sane =
    (FAT.SECTOR_SIZES as readonly number[]).includes(sectorSize) &&
    isPowerOfTwo(perCluster) &&
    reserved > 0 &&
    fats > 0 &&
    fats <= MOST_FATS &&
    (media === FIRST_MEDIA || media >= USUAL_MEDIA);
  if (!sane) return undefined;
  const old = boot.u16(FAT.FAT_SIZE16) !== 0;
  const fatSectors = old ? boot.u16(FAT.FAT_SIZE16) : boot.u32(FAT.FAT_SIZE32);
  const rootEntries = boot.u16(FAT.ROOT_ENTRIES);
  const sectors = boot.u16(FAT.SECTORS16) || boot.u32(FAT.SECTORS32);
  const rootSectors = Math.ceil((rootEntries * FAT_ENTRY.SIZE) / sectorSize);
  const dataSector = reserved + fats * fatSectors + rootSectors;
  const clusters = Math.floor((sectors - dataSector) / perCluster);
  if (fatSectors === 0 || clusters < 1 || old !== rootEntries > 0) return undefined;
  const bits = old ? (clusters < FAT_CLUSTERS.FAT12 ? 12 : 16) : 32;
  return {
    bits,
    sectorSize,
    sectors,
    clusterSize: perCluster * sectorSize,
    clusters,
    fat: reserved * sectorSize,
    data: dataSector * sectorSize,
    root: { at: (dataSector - rootSectors) * sectorSize, size: rootEntries * FAT_ENTRY.SIZE },
    rootCluster: bits === 32 ? boot.u32(FAT.ROOT_CLUSTER) : 0,
    ...fatNames(boot, old),
  };
}

function fatNames(boot: ByteView, old: boolean): Pick<FatLayout, "serial" | "label"> {
  const at = FAT_NAMES[old ? "old" : 32];
  const serial = hexDigits(boot.slice(at.serial, 4).slice().reverse()).toUpperCase();
  const label = boot.latin1(at.label, FAT_LABEL_SIZE);
  const none = label === FAT_NO_NAME || /^[\s\0]*$/.test(label);
  return { serial: serial.replace(/^(....)(....)$/, "$1-$2"), label: none ? undefined : label.trimEnd() };
}
