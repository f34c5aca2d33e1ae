/** Fields of 9P2000.L's messages, and what it writes of files: qids, attributes, facts of the file system. */
import { LINUX_MODE } from "../../spec/fuse.js";
import { NINEP_MAGIC, NINEP_QID, NINEP_QID_TYPE, NINEP_STATS_BASIC } from "../../spec/ninep.js";
import { LINUX_ERRNO } from "../../spec/linux-errno.js";
import { FileError, type FileAttributes, type FileSystemFacts, type FileTime } from "../file-backend.js";
import { readS64, readSize, readU64, write64 } from "../numbers.js";
import type { ShareCache } from "../share-options.js";

const LINK = 0o120000;
const SIZE_SHIFT = 8;
/** Bytes of the replies to GETATTR and STATFS. */
export const ATTRIBUTES_BYTES = 153;
export const FACTS_BYTES = 60;

/** Reads fields one behind the other. All throw FileError where the message ends before the field does. */
export class FieldReader {
  #at = 0;
  #end = 0;
  readonly #view: DataView;

  constructor(private readonly memory: Uint8Array) {
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.length);
  }

  /** Goes on at `at`; there is nothing behind `end`. */
  from(at: number, end: number): void {
    this.#at = at;
    this.#end = end;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** What is above 2^53 is rounded, and stays above it. */
  u64(): number {
    return readU64(this.#view, this.#take(8));
  }

  /** Signed; what is far from 0 is rounded. */
  s64(): number {
    return readS64(this.#view, this.#take(8));
  }

  /** As it is. */
  big(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** A place in a file or a number of bytes. Throws FileError for one that no file has, too. */
  size(): number {
    return readSize(this.#view, this.#take(8));
  }

  /** A text of at most `longest` bytes, of its own. Throws FileError for a longer one, and one with NUL in it. */
  text(longest: number): Uint8Array {
    const length = this.u16();
    const at = this.#take(length);
    if (length > longest) throw new FileError(LINUX_ERRNO.ENAMETOOLONG, `a text of ${length} bytes`);
    const text = this.memory.slice(at, at + length);
    if (text.includes(0)) throw new FileError(LINUX_ERRNO.EINVAL, "a text with NUL");
    return text;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#end) throw new FileError(LINUX_ERRNO.EINVAL, "a message without its fields");
    this.#at += bytes;
    return at;
  }
}

/** Writes fields one behind the other. */
export class FieldWriter {
  constructor(
    private readonly view: DataView,
    /** Where the next one goes. */
    public at: number,
  ) {}

  u8(value: number): this {
    this.view.setUint8(this.at, value);
    this.at += 1;
    return this;
  }

  u16(value: number): this {
    this.view.setUint16(this.at, value, true);
    this.at += 2;
    return this;
  }

  u32(value: number): this {
    this.view.setUint32(this.at, value, true);
    this.at += 4;
    return this;
  }

  /** Signed values too; whole. */
  u64(value: number): this {
    write64(this.view, this.at, value);
    this.at += 8;
    return this;
  }

  big(value: bigint): this {
    this.view.setBigUint64(this.at, value, true);
    this.at += 8;
    return this;
  }

  bytes(bytes: Uint8Array): this {
    new Uint8Array(this.view.buffer, this.view.byteOffset + this.at, bytes.length).set(bytes);
    this.at += bytes.length;
    return this;
  }

  text(bytes: Uint8Array): this {
    return this.u16(bytes.length).bytes(bytes);
  }

  qid(type: number, version: number, path: bigint): this {
    this.view.setUint8(this.at + NINEP_QID.TYPE, type);
    this.view.setUint32(this.at + NINEP_QID.VERSION, version, true);
    this.view.setBigUint64(this.at + NINEP_QID.PATH, path, true);
    this.at += NINEP_QID.SIZE;
    return this;
  }
}

/** Of a file's type, as the type bits of its mode say. */
export function qidType(mode: number): number {
  const type = mode & LINUX_MODE.TYPE;
  if (type === LINUX_MODE.FOLDER) return NINEP_QID_TYPE.FOLDER;
  return type === LINK ? NINEP_QID_TYPE.LINK : NINEP_QID_TYPE.FILE;
}

/** Another one where the file is another; of a share whose files are not to be remembered 0, by which Linux remembers nothing. */
function qidVersion({ modified, size }: FileAttributes, cache: ShareCache): number {
  if (cache === "none") return 0;
  return (modified.seconds ^ modified.nanoseconds ^ (size << SIZE_SHIFT)) >>> 0 || 1;
}

/** What the file is to the guest, and whether it is still as it was. */
export function writeQid(to: FieldWriter, of: FileAttributes, cache: ShareCache): void {
  to.qid(qidType(of.mode), qidVersion(of, cache), of.ino);
}

function writeTime(to: FieldWriter, { seconds, nanoseconds }: FileTime): void {
  to.u64(seconds).u64(nanoseconds);
}

/** A reply to GETATTR. */
export function writeAttributes(to: FieldWriter, of: FileAttributes, cache: ShareCache): void {
  to.u64(NINEP_STATS_BASIC);
  writeQid(to, of, cache);
  to.u32(of.mode).u32(of.uid).u32(of.gid).u64(of.links).u64(of.rdev);
  to.u64(of.size).u64(of.blockSize).u64(of.blocks);
  writeTime(to, of.accessed);
  writeTime(to, of.modified);
  writeTime(to, of.changed);
  // When it was made, its generation, its data's version: nobody knows.
  to.u64(0).u64(0).u64(0).u64(0);
}

/** A reply to STATFS. */
export function writeFacts(to: FieldWriter, of: FileSystemFacts): void {
  to.u32(NINEP_MAGIC).u32(of.blockSize).big(of.blocks).big(of.free).big(of.available);
  to.big(of.files).big(of.filesFree).u64(0).u32(of.longestName);
}
