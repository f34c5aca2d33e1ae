/** A new qcow2 image, version 3: nothing is in it, so that it reads as its backing disk, or as zeros. */
import { alignUp } from "../../bytes/align.js";
import {
  QCOW2_ENTRY,
  QCOW2_EXTENSION,
  QCOW2_HEADER,
  QCOW2_MAGIC,
  QCOW2_MAX_BACKING_NAME,
  QCOW2_MAX_L1_BYTES,
  QCOW2_V2_REFCOUNT_ORDER,
  QCOW2_V3_HEADER_LENGTH,
} from "../../spec/qcow2.js";
import { BlockError } from "../block-error.js";
import type { BlockFile } from "../block-file.js";
import { setWide } from "./refcounts.js";

const CLUSTER_BITS = 16;

export interface Qcow2ToMake {
  /** Of the disk, bytes. */
  size: number;
  /** As the image is to name it, and what it is. */
  backing?: { name: string; format: "raw" | "qcow2" };
  /** Absent: 16, which is 64 KiB. */
  clusterBits?: number;
}

/** Makes an empty file an image; the header comes last. Throws BlockError. */
export function createQcow2(
  file: BlockFile,
  { size, backing, clusterBits = CLUSTER_BITS }: Qcow2ToMake,
): void {
  const cluster = 2 ** clusterBits;
  const entries = Math.ceil(size / ((cluster * cluster) / QCOW2_ENTRY.size));
  const l1Bytes = entries * QCOW2_ENTRY.size;
  if (l1Bytes > QCOW2_MAX_L1_BYTES)
    throw new BlockError(
      0,
      `a disk of ${size} bytes`,
      "one that an L1 table can name",
      "Take larger clusters.",
    );
  const tables = { refcountTable: 1, refcountBlock: 2, l1: 3 };
  const clusters = tables.l1 + Math.ceil(l1Bytes / cluster);
  if (clusters > cluster / 2)
    throw new BlockError(
      0,
      `${clusters} clusters of tables`,
      `${cluster / 2} at most`,
      "Take larger clusters.",
    );
  file.resize(alignUp(tables.l1 * cluster + Math.max(1, l1Bytes), cluster));
  const pointer = new DataView(new ArrayBuffer(QCOW2_ENTRY.size));
  setWide(pointer, 0, tables.refcountBlock * cluster);
  file.write(tables.refcountTable * cluster, new Uint8Array(pointer.buffer));
  const counts = new DataView(new ArrayBuffer(2 * clusters));
  for (let i = 0; i < clusters; i++) counts.setUint16(2 * i, 1);
  file.write(tables.refcountBlock * cluster, new Uint8Array(counts.buffer));
  file.flush();
  const header = headerBytes({ size, clusterBits, entries, tables, backing });
  if (header.length > cluster)
    throw new BlockError(
      0,
      `a header of ${header.length} bytes`,
      `${cluster} at most`,
      "Take larger clusters.",
    );
  file.write(0, header);
  file.flush();
}

interface HeaderFacts extends Pick<Qcow2ToMake, "size"> {
  clusterBits: number;
  entries: number;
  /** Numbers of clusters. */
  tables: { refcountTable: number; l1: number };
  backing: Qcow2ToMake["backing"];
}

function headerBytes({ size, clusterBits, entries, tables, backing }: HeaderFacts): Uint8Array {
  const name = new TextEncoder().encode(backing?.name ?? "");
  if (name.length > QCOW2_MAX_BACKING_NAME)
    throw new BlockError(
      0,
      `a backing file's name of ${name.length} bytes`,
      `${QCOW2_MAX_BACKING_NAME} at most`,
      "Shorten it.",
    );
  const format = new TextEncoder().encode(backing?.format ?? "");
  const HEAD = 8;
  const extensions = backing === undefined ? HEAD : HEAD + alignUp(format.length, 8) + HEAD;
  const bytes = new Uint8Array(QCOW2_V3_HEADER_LENGTH + extensions + name.length);
  const view = new DataView(bytes.buffer);
  const cluster = 2 ** clusterBits;
  bytes.set(QCOW2_MAGIC);
  view.setUint32(QCOW2_HEADER.version, 3);
  view.setUint32(QCOW2_HEADER.clusterBits, clusterBits);
  setWide(view, QCOW2_HEADER.size, size);
  view.setUint32(QCOW2_HEADER.l1Size, entries);
  setWide(view, QCOW2_HEADER.l1TableOffset, tables.l1 * cluster);
  setWide(view, QCOW2_HEADER.refcountTableOffset, tables.refcountTable * cluster);
  view.setUint32(QCOW2_HEADER.refcountTableClusters, 1);
  view.setUint32(QCOW2_HEADER.refcountOrder, QCOW2_V2_REFCOUNT_ORDER);
  view.setUint32(QCOW2_HEADER.headerLength, QCOW2_V3_HEADER_LENGTH);
  if (backing !== undefined) {
    view.setUint32(QCOW2_V3_HEADER_LENGTH, QCOW2_EXTENSION.backingFormat);
    view.setUint32(QCOW2_V3_HEADER_LENGTH + 4, format.length);
    bytes.set(format, QCOW2_V3_HEADER_LENGTH + HEAD);
    setWide(view, QCOW2_HEADER.backingFileOffset, bytes.length - name.length);
    view.setUint32(QCOW2_HEADER.backingFileSize, name.length);
    bytes.set(name, bytes.length - name.length);
  }
  return bytes;
}
