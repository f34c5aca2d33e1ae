/** Times as FUSE has them, and what is written of a node. */
import { FUSE_ATTR, FUSE_ATTR_OUT, FUSE_ENTRY_OUT, FUSE_STATFS_OUT } from "../../spec/fuse.js";
import type { FileAttributes, FileSystemFacts, FileTime } from "../file-backend.js";
import { readS64, timeOf, write64 } from "../numbers.js";

/** Seconds at `at`, nanoseconds at `atNs`. Throws FileError. */
export function readTime(view: DataView, at: number, atNs: number): FileTime {
  return timeOf(readS64(view, at), view.getUint32(atNs, true));
}

/** Every byte of the structure at `at` is written. */
export function writeAttributes(view: DataView, at: number, of: FileAttributes): void {
  const u32 = (offset: number, value: number): void => view.setUint32(at + offset, value, true);
  view.setBigUint64(at + FUSE_ATTR.INO, of.ino, true);
  write64(view, at + FUSE_ATTR.BYTES, of.size);
  write64(view, at + FUSE_ATTR.BLOCKS, of.blocks);
  write64(view, at + FUSE_ATTR.ACCESSED, of.accessed.seconds);
  write64(view, at + FUSE_ATTR.MODIFIED, of.modified.seconds);
  write64(view, at + FUSE_ATTR.CHANGED, of.changed.seconds);
  u32(FUSE_ATTR.ACCESSED_NS, of.accessed.nanoseconds);
  u32(FUSE_ATTR.MODIFIED_NS, of.modified.nanoseconds);
  u32(FUSE_ATTR.CHANGED_NS, of.changed.nanoseconds);
  u32(FUSE_ATTR.MODE, of.mode);
  u32(FUSE_ATTR.LINKS, of.links);
  u32(FUSE_ATTR.UID, of.uid);
  u32(FUSE_ATTR.GID, of.gid);
  u32(FUSE_ATTR.RDEV, of.rdev);
  u32(FUSE_ATTR.BLOCK_SIZE, of.blockSize);
  u32(FUSE_ATTR.FLAGS, 0);
}

/** `id`: by which the guest knows the node. `seconds`: how long it may remember. */
export function writeEntry(
  view: DataView,
  at: number,
  entry: { id: number; attributes: FileAttributes },
  seconds: number,
): void {
  writeNoEntry(view, at, seconds);
  write64(view, at + FUSE_ENTRY_OUT.NODE, entry.id);
  write64(view, at + FUSE_ENTRY_OUT.ATTR_VALID, seconds);
  writeAttributes(view, at + FUSE_ENTRY_OUT.ATTR, entry.attributes);
}

/** No node: that the name is not there may be remembered for so many seconds. */
export function writeNoEntry(view: DataView, at: number, seconds: number): void {
  new Uint8Array(view.buffer, view.byteOffset + at, FUSE_ENTRY_OUT.SIZE).fill(0);
  write64(view, at + FUSE_ENTRY_OUT.ENTRY_VALID, seconds);
}

/** A reply to GETATTR and SETATTR. */
export function writeAttributesReply(
  view: DataView,
  at: number,
  attributes: FileAttributes,
  seconds: number,
): void {
  write64(view, at + FUSE_ATTR_OUT.VALID, seconds);
  write64(view, at + FUSE_ATTR_OUT.VALID_NS, 0);
  writeAttributes(view, at + FUSE_ATTR_OUT.ATTR, attributes);
}

/** A reply to STATFS. */
export function writeFacts(view: DataView, at: number, facts: FileSystemFacts): void {
  const out = FUSE_STATFS_OUT;
  new Uint8Array(view.buffer, view.byteOffset + at, out.SIZE).fill(0);
  view.setBigUint64(at + out.BLOCKS, facts.blocks, true);
  view.setBigUint64(at + out.FREE, facts.free, true);
  view.setBigUint64(at + out.AVAILABLE, facts.available, true);
  view.setBigUint64(at + out.FILES, facts.files, true);
  view.setBigUint64(at + out.FILES_FREE, facts.filesFree, true);
  view.setUint32(at + out.BLOCK_SIZE, facts.blockSize, true);
  view.setUint32(at + out.LONGEST_NAME, facts.longestName, true);
  view.setUint32(at + out.FRAGMENT_SIZE, facts.blockSize, true);
}
