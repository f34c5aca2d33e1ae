/**
 * Counts again what an image uses, where whoever wrote to it last let that wait ("lazy refcounts") and died. New counts are laid
 * behind all that is used, and named by the header only once they are on the disk: until then the old ones stand.
 */
import { alignUp } from "../../bytes/align.js";
import { hex } from "../../bytes/hex.js";
import { TWO_32 } from "../../bytes/words.js";
import { QCOW2_ENTRY, QCOW2_HEADER } from "../../spec/qcow2.js";
import { BlockError } from "../block-error.js";
import type { BlockFile } from "../block-file.js";
import { packedPlace } from "./compressed.js";
import type { Qcow2Header } from "./header.js";
import { setWide } from "./refcounts.js";
import type { Table } from "./tables.js";

const U16 = 0xffff;
/** Clusters of a file that are counted at most. */
const MOST_CLUSTERS = 2 ** 27;
/** Bits of a count in version 2, and what images have as a rule. */
const USUAL_ORDER = 4;

function refuse(at: number, found: string, expected: string): never {
  throw new BlockError(at, found, expected, "qemu-img check -r all may repair it.");
}

/** How often each cluster of the file is used by the header, the L1 table and what it names. */
function countUses(file: BlockFile, { clusterBits, l1, version }: Qcow2Header, l1Table: Table): Uint16Array {
  const cluster = 2 ** clusterBits;
  if (file.size / cluster > MOST_CLUSTERS)
    refuse(0, `a file of ${file.size} bytes to be counted again`, `${MOST_CLUSTERS} clusters at most`);
  const uses = new Uint16Array(Math.ceil(file.size / cluster));
  const use = (offset: number, length: number, at: number): void => {
    const last = Math.floor((offset + length - 1) / cluster);
    if (last >= uses.length)
      refuse(at, `a cluster at ${hex(offset)}`, `a place in a file of ${file.size} bytes`);
    for (let index = Math.floor(offset / cluster); index <= last; index++)
      uses[index] = Math.min(U16, uses[index] + 1);
  };
  use(0, 1, 0);
  use(l1.offset, Math.max(1, l1Table.bytes.length), 0);
  const bytes = new Uint8Array(cluster);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < l1Table.bytes.length; at += QCOW2_ENTRY.size) {
    const table = offsetIn(l1Table.view, at);
    if (table === 0) continue;
    if (table % cluster !== 0)
      refuse(l1.offset + at, `an L2 table at ${hex(table)}`, "one at a cluster's start");
    use(table, cluster, l1.offset + at);
    if (uses[table / cluster] > 1)
      refuse(l1.offset + at, `an L2 table at ${hex(table)} that is used twice`, "one use");
    file.read(table, bytes.subarray(0, Math.min(cluster, file.size - table)));
    for (let entry = 0; entry < cluster; entry += QCOW2_ENTRY.size) {
      const [high, low] = [view.getUint32(entry), view.getUint32(entry + 4)];
      if ((high & QCOW2_ENTRY.compressedHigh) !== 0) {
        const { offset, length } = packedPlace(high, low, clusterBits);
        use(offset, Math.max(1, Math.min(length, file.size - offset)), table + entry);
      } else if (offsetIn(view, entry) !== 0 && (version > 2 || low !== 0))
        use(offsetIn(view, entry), 1, table + entry);
    }
  }
  return uses;
}

function offsetIn(view: DataView, at: number): number {
  const high = view.getUint32(at) & QCOW2_ENTRY.offsetHigh;
  return high * TWO_32 + ((view.getUint32(at + 4) & QCOW2_ENTRY.offsetLow) >>> 0);
}

/** Lays new counts behind everything else; returns where their table is. Throws BlockError. */
export function rebuildRefcounts(
  file: BlockFile,
  header: Qcow2Header,
  l1: Table,
): Qcow2Header["refcountTable"] {
  const cluster = 2 ** header.clusterBits;
  if (header.refcountOrder !== USUAL_ORDER)
    refuse(
      QCOW2_HEADER.refcountOrder,
      `counts of ${1 << header.refcountOrder} bits to be made again`,
      "16 bits",
    );
  const uses = countUses(file, header, l1);
  const perBlock = cluster / 2;
  // They count themselves: more of them until there is room for all.
  let blocks = 1;
  let clusters = 1;
  for (;;) {
    const total = uses.length + blocks + clusters;
    const [moreBlocks, moreClusters] = [
      Math.ceil(total / perBlock),
      Math.ceil((Math.ceil(total / perBlock) * QCOW2_ENTRY.size) / cluster),
    ];
    if (moreBlocks <= blocks && moreClusters <= clusters) break;
    blocks = Math.max(blocks, moreBlocks);
    clusters = Math.max(clusters, moreClusters);
  }
  const start = alignUp(file.size, cluster);
  const made = new DataView(new ArrayBuffer((blocks + clusters) * cluster));
  const [table, counts] = [blocks * cluster, 0];
  for (let i = 0; i < uses.length; i++) made.setUint16(counts + 2 * i, uses[i]);
  for (let i = 0; i < blocks + clusters; i++) made.setUint16(counts + 2 * (uses.length + i), 1);
  for (let i = 0; i < blocks; i++) setWide(made, table + i * QCOW2_ENTRY.size, start + i * cluster);
  file.write(start, new Uint8Array(made.buffer));
  file.flush();
  const pointer = new DataView(new ArrayBuffer(QCOW2_ENTRY.size + 4));
  setWide(pointer, 0, start + table);
  pointer.setUint32(QCOW2_ENTRY.size, clusters);
  file.write(QCOW2_HEADER.refcountTableOffset, new Uint8Array(pointer.buffer));
  file.flush();
  return { offset: start + table, clusters };
}
