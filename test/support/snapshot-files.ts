/** Files of snapshots as bytes, and such that somebody has changed: with checksums that are right. */
import assert from "node:assert/strict";
import { crc32 } from "../../src/codecs/crc32.js";
import type { Machine } from "../../src/machine/machine.js";
import {
  HEADER,
  PACKING,
  PAGE,
  SECTION,
  SECTION_TYPES,
  SUM_SIZE,
  type SectionType,
} from "../../src/snapshot/format.js";
import { BlockSums } from "../../src/snapshot/pages.js";
import { decodeValue, encodeValue } from "../../src/snapshot/values.js";
import { snapshotPieces, type SnapshotOptions } from "../../src/snapshot/write.js";

/** The file of a machine, in memory. */
export function snapshotBytes(machine: Machine, options: Partial<SnapshotOptions> = {}): Uint8Array {
  return new Uint8Array(
    Buffer.concat(snapshotPieces(machine, { locore: "test", savedAt: Date.now(), ...options })),
  );
}

/** Offset of a section's row in the table. */
export function rowOf(file: Uint8Array, type: SectionType): number {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let i = 0; i < view.getUint32(HEADER.sections, true); i++) {
    const at = HEADER.size + i * SECTION.size;
    if (String.fromCharCode(...file.subarray(at, at + 4)) === type) return at;
  }
  return assert.fail(`no section ${type}`);
}

/** Where a section's bytes lie. */
export function sectionOf(file: Uint8Array, type: SectionType): { offset: number; length: number } {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const row = rowOf(file, type);
  return {
    offset: Number(view.getBigUint64(row + SECTION.offset, true)),
    length: Number(view.getBigUint64(row + SECTION.stored, true)),
  };
}

/** Makes the checksums of header and table right, whatever these say. */
export function sealedTable(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const tableEnd = HEADER.size + view.getUint32(HEADER.sections, true) * SECTION.size;
  view.setUint32(HEADER.tableCrc, crc32(file.subarray(HEADER.size, tableEnd)), true);
  view.setUint32(HEADER.headerCrc, crc32(file.subarray(0, HEADER.headerCrc)), true);
  return file;
}

/** Makes the checksums of blocks of pages right, as far as there is room for them. */
function sumPages(file: Uint8Array, view: DataView): void {
  const sums = sectionOf(file, SECTION_TYPES.sums);
  const pages = sectionOf(file, SECTION_TYPES.pages);
  const packed = view.getUint32(rowOf(file, SECTION_TYPES.pages) + SECTION.packing, true) !== PACKING.none;
  if (packed || pages.length % PAGE !== 0) return;
  const told = new BlockSums(crc32, (block, sum) => {
    if ((block + 1) * SUM_SIZE <= sums.length) view.setUint32(sums.offset + block * SUM_SIZE, sum, true);
  });
  told.take(file.subarray(pages.offset, pages.offset + pages.length));
  told.end();
}

/** Makes every checksum right. */
export function sealed(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  sumPages(file, view);
  for (const type of Object.values(SECTION_TYPES)) {
    if (type === SECTION_TYPES.pages) continue;
    const { offset, length } = sectionOf(file, type);
    view.setUint32(rowOf(file, type) + SECTION.crc, crc32(file.subarray(offset, offset + length)), true);
  }
  return sealedTable(file);
}

/** A copy in which a section's value is another, with offsets, lengths and checksums to match. */
export function withValue(
  file: Uint8Array,
  type: SectionType,
  change: (value: Record<string, unknown>) => unknown,
): Uint8Array {
  const { offset, length } = sectionOf(file, type);
  const before = decodeValue(file.subarray(offset, offset + length), offset) as Record<string, unknown>;
  return withContents(file, type, encodeValue(change(before)));
}

/** A copy with other contents of a section; what lies behind moves. */
export function withContents(file: Uint8Array, type: SectionType, contents: Uint8Array): Uint8Array {
  const { offset, length } = sectionOf(file, type);
  const moved = contents.length - length;
  const changed = new Uint8Array(file.length + moved);
  changed.set(file.subarray(0, offset));
  changed.set(contents, offset);
  changed.set(file.subarray(offset + length), offset + contents.length);
  const view = new DataView(changed.buffer);
  for (const other of Object.values(SECTION_TYPES)) {
    const row = rowOf(changed, other);
    const at = view.getBigUint64(row + SECTION.offset, true);
    if (at > BigInt(offset)) view.setBigUint64(row + SECTION.offset, at + BigInt(moved), true);
  }
  const row = rowOf(changed, type);
  view.setBigUint64(row + SECTION.stored, BigInt(contents.length), true);
  view.setBigUint64(row + SECTION.length, BigInt(contents.length), true);
  view.setBigUint64(HEADER.length, BigInt(changed.length), true);
  return sealed(changed);
}
