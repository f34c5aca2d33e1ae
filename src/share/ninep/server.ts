/**
 * A 9P2000.L server over a shared folder: takes a request, carries it out, and writes its reply before it looks at the next. What a guest
 * gets wrong, and what the host refuses, is the request's error; whatever it says, no more is held for it than `Fids` allows. It knows
 * neither how requests come here nor where the files are.
 *
 * Specification: the 9P2000.L description of diod, and what Linux's client (fs/9p, net/9p) makes of it.
 */
import { LINUX_MODE, LINUX_OPEN, LONGEST_NAME, LONGEST_PATH, LONGEST_XATTR } from "../../spec/fuse.js";
import { LINUX_ERRNO } from "../../spec/linux-errno.js";
import {
  NINEP_ERROR_BYTES,
  NINEP_HEADER,
  NINEP_LOCK_SUCCESS,
  NINEP_MOST_NAMES,
  NINEP_NONE,
  NINEP_NO_VERSION,
  NINEP_QID,
  NINEP_REMOVE_FOLDER,
  NINEP_RLERROR,
  NINEP_SETS,
  NINEP_T,
  NINEP_UNLOCKED,
  NINEP_VERSION,
  NINEP_XATTR_REPLACE,
} from "../../spec/ninep.js";
import { DataMover } from "../data-mover.js";
import {
  FileError,
  type FileAttributes,
  type FileBackend,
  type FileChanges,
  type FileHandle,
  type FoundNode,
  type NewFile,
} from "../file-backend.js";
import { GuestNodes, MOST_HANDLES, MOST_NODES, type GuestLimits } from "../guest-nodes.js";
import type { ShareMessage } from "../message.js";
import { timeOf } from "../numbers.js";
import { withoutPrivileges } from "../privileges.js";
import type { ShareCache } from "../share-options.js";
import {
  ATTRIBUTES_BYTES,
  FACTS_BYTES,
  FieldReader,
  FieldWriter,
  writeAttributes,
  writeFacts,
  writeQid,
} from "./fields.js";
import { Fids, type Fid, type Place, type XattrValue } from "./fids.js";
import { writeFolder } from "./folder-reply.js";

const BODY = NINEP_HEADER.SIZE;
/** A message of a guest's with its data; a kernel asks for as much as it has room for. */
export const MOST_MESSAGE = 512 * 1024;
/** What Linux asks for at least. */
const LEAST_MESSAGE = 4096;
/** The longest request but for what WRITE carries: a walk of the most names is below a quarter of it. */
const LONGEST_REQUEST = 16 * 1024;
/** The longest reply but for what READ gives: a folder's entries. */
const LONGEST_REPLY = 64 * 1024;
/** WRITE before its data: fid, offset, count. It is what is looked at of a request first. */
const WRITE_HEAD = BODY + 4 + 8 + 4;
/** The reply to READ and READDIR before their data: the count. */
const READ_HEAD = BODY + 4;
/** Linux has headers and data in pieces of their own. */
const HEAD_PIECES = 1;
const QID = NINEP_QID.SIZE;
/** A qid, and how much may be moved at once: 0, as much as a message has room for. */
const OPENED_BYTES = QID + 4;
const ANY_AMOUNT = 0;
/** Flags of open(2) that a back end is given; a guest's O_DIRECT is between it and its own kernel. */
const OPEN_FLAGS =
  LINUX_OPEN.ACCESS_MODE | LINUX_OPEN.TRUNCATE | LINUX_OPEN.APPEND | LINUX_OPEN.SYNC | LINUX_OPEN.DATA_SYNC;
/** GETLOCK's reply but for the client's name: type, start, length, process, the name's length. */
const LOCK_BYTES = 1 + 8 + 8 + 4 + 2;
const SLASH = 0x2f;
const DOT = 0x2e;
const ROOT_USER = 0;

/** How a kind of request is served. */
interface Operation {
  /** Room behind the reply's header that there must be. */
  readonly gives: number;
  /** Reads the request's fields and writes the reply's. Throws FileError. */
  serve(): void;
}

export interface NinePOptions {
  /** With "none" the guest is told to keep nothing of files; else it is for its own mount to say. */
  readonly cache: ShareCache;
  /** `nodes`: fids that it may have, and places that they stand at. */
  readonly limits?: GuestLimits;
}

function isUp(name: Uint8Array): boolean {
  return name.length === 2 && name[0] === DOT && name[1] === DOT;
}

/** Throws FileError for what is no name. */
function expectName(name: Uint8Array): Uint8Array {
  const dots = name.length <= 2 && name.every((byte) => byte === DOT);
  if (dots || name.includes(SLASH)) throw new FileError(LINUX_ERRNO.EINVAL, "a name that is none");
  return name;
}

/** A device's number as Linux encodes it. */
function deviceOf(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

export class NinePServer {
  readonly nodes: GuestNodes;
  readonly fids: Fids;
  readonly #data: DataMover;
  readonly #in = new Uint8Array(LONGEST_REQUEST);
  readonly #request = new DataView(this.#in.buffer);
  readonly #fields = new FieldReader(this.#in);
  readonly #out = new Uint8Array(LONGEST_REPLY);
  readonly #reply = new DataView(this.#out.buffer);
  readonly #to = new FieldWriter(this.#reply, BODY);
  readonly #operations: (Operation | undefined)[] = [];
  readonly #cache: ShareCache;
  /** Bytes of the request, and the request itself, while it is served. */
  #length = 0;
  #message!: ShareMessage;
  /** So many bytes of the reply are in guest memory already, behind what `#to` has written. */
  #placed = 0;
  /** What was agreed on: bytes of a message. 0: nothing yet. */
  #most = 0;

  constructor(
    private readonly backend: FileBackend,
    { cache, limits = { nodes: MOST_NODES, handles: MOST_HANDLES } }: NinePOptions,
  ) {
    // Places are counted before nodes are looked up; one that is walked to twice has two.
    this.nodes = new GuestNodes(backend, limits);
    this.fids = new Fids(backend, this.nodes, limits);
    this.#data = new DataMover(backend);
    this.#cache = cache;
    this.#addFids();
    this.#addNew();
    this.#addNames();
    this.#addFiles();
    this.#addXattrs();
    this.reset();
  }

  /** All that the guest had is gone; it begins with VERSION again. */
  reset(): void {
    this.#most = 0;
    this.fids.clear();
  }

  /**
   * Carries a request out. Gives the bytes of its reply, which stand in its room; -1 for a request that is none, or has no room for
   * an error.
   */
  serve(message: ShareMessage): number {
    if (message.readable < BODY || message.writable < BODY + NINEP_ERROR_BYTES) return -1;
    const first = message.copyFrom(0, this.#in.subarray(0, WRITE_HEAD));
    const type = this.#request.getUint8(NINEP_HEADER.TYPE);
    this.#length = this.#request.getUint32(NINEP_HEADER.LENGTH, true);
    this.#message = message;
    this.#placed = 0;
    this.#to.at = BODY;
    if (type !== NINEP_T.WRITE && this.#length > first)
      message.copyFrom(first, this.#in.subarray(first, Math.min(this.#length, LONGEST_REQUEST)));
    return this.#answer(type);
  }

  #answer(type: number): number {
    let answer = type + 1;
    try {
      this.#carryOut(type);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      answer = NINEP_RLERROR;
      this.#placed = 0;
      this.#to.at = BODY;
      this.#to.u32(error.errno);
    }
    const written = this.#to.at;
    const length = written + this.#placed;
    this.#reply.setUint32(NINEP_HEADER.LENGTH, length, true);
    this.#reply.setUint8(NINEP_HEADER.TYPE, answer);
    this.#reply.setUint16(NINEP_HEADER.TAG, this.#request.getUint16(NINEP_HEADER.TAG, true), true);
    this.#message.copyTo(0, this.#out.subarray(0, written));
    return length;
  }

  #carryOut(type: number): void {
    const length = this.#length;
    if (length < BODY || length > this.#message.readable)
      throw new FileError(LINUX_ERRNO.EINVAL, `a request of ${length} bytes`);
    const operation = this.#operations[type];
    if (operation === undefined) throw new FileError(LINUX_ERRNO.EOPNOTSUPP, `request ${type}`);
    const begins = type === NINEP_T.VERSION;
    if (!begins && this.#most === 0) throw new FileError(LINUX_ERRNO.EIO, "a request before VERSION");
    const most = type === NINEP_T.WRITE ? this.#most : LONGEST_REQUEST;
    if (length > most) throw new FileError(LINUX_ERRNO.E2BIG, `a request of ${length} bytes`);
    if (operation.gives > this.#room) throw new FileError(LINUX_ERRNO.EINVAL, "no room for the reply");
    this.#fields.from(BODY, type === NINEP_T.WRITE ? Math.min(length, WRITE_HEAD) : length);
    operation.serve();
  }

  /** What the reply's body may have. */
  get #room(): number {
    return Math.min(this.#message.writable, this.#most === 0 ? MOST_MESSAGE : this.#most) - BODY;
  }

  #add(type: number, gives: number, serve: () => void): void {
    this.#operations[type] = { gives, serve };
  }

  // --- Fields of requests and replies

  #fid(): Fid {
    return this.fids.get(this.#fields.u32());
  }

  #name(): Uint8Array {
    return expectName(this.#fields.text(LONGEST_NAME));
  }

  #qid(attributes: FileAttributes): void {
    writeQid(this.#to, attributes, this.#cache);
  }

  /** Something new, of which the guest keeps no lookup. */
  #made({ node, attributes }: FoundNode): void {
    this.backend.forget(node, 1);
    this.#qid(attributes);
  }

  // --- Fids

  #addFids(): void {
    const { backend, fids } = this;
    const text = (of: string): Uint8Array => new TextEncoder().encode(of);
    const [spoken, unknown] = [text(NINEP_VERSION), text(NINEP_NO_VERSION)];
    this.#add(NINEP_T.VERSION, 4 + 2 + spoken.length, () => {
      const asked = this.#fields.u32();
      const version = this.#fields.text(LONGEST_NAME);
      const known = version.length === spoken.length && version.every((byte, at) => byte === spoken[at]);
      if (asked < LEAST_MESSAGE) throw new FileError(LINUX_ERRNO.EINVAL, `messages of ${asked} bytes`);
      this.reset();
      const most = Math.min(asked, MOST_MESSAGE);
      if (known) this.#most = most;
      this.#to.u32(most).text(known ? spoken : unknown);
    });
    this.#add(NINEP_T.ATTACH, QID, () => {
      const fields = this.#fields;
      const number = fields.u32();
      const authority = fields.u32();
      fields.text(LONGEST_NAME);
      const tree = fields.text(LONGEST_PATH);
      const uid = fields.left > 0 ? fields.u32() : NINEP_NONE;
      fids.expectFree(number);
      if (authority !== NINEP_NONE) throw new FileError(LINUX_ERRNO.EBADF, `fid ${authority}`);
      if (tree.some((byte) => byte !== SLASH)) throw new FileError(LINUX_ERRNO.ENOENT, "another tree");
      this.#qid(backend.attributes(backend.root));
      fids.add(number, fids.stay(fids.root), uid === NINEP_NONE ? ROOT_USER : uid);
    });
    // Every request is answered when the next is looked at.
    this.#add(NINEP_T.FLUSH, 0, () => void this.#fields.u16());
    this.#add(NINEP_T.WALK, 2, () => this.#walk());
    this.#add(NINEP_T.CLUNK, 0, () => this.#clunk());
    this.#add(NINEP_T.REMOVE, 0, () => {
      const number = this.#fields.u32();
      const { place } = fids.get(number);
      try {
        this.#remove(place);
      } finally {
        fids.remove(number);
      }
    });
  }

  #walk(): void {
    const { fids } = this;
    const fields = this.#fields;
    const number = fields.u32();
    const fid = fids.get(number);
    const newNumber = fields.u32();
    const count = fields.u16();
    if (count > NINEP_MOST_NAMES || 2 + count * QID > this.#room)
      throw new FileError(LINUX_ERRNO.EINVAL, `a walk of ${count} names`);
    const names = Array.from({ length: count }, () => fields.text(LONGEST_NAME));
    for (const name of names) if (!isUp(name)) expectName(name);
    if (newNumber !== number) fids.expectFree(newNumber);
    else if (fid.use !== undefined) throw new FileError(LINUX_ERRNO.EBADF, `fid ${number} is open`);
    this.#to.u16(count);
    const { place, walked } = this.#walkTo(fid.place, names);
    if (walked < count) {
      this.#reply.setUint16(BODY, walked, true);
      fids.leave(place);
    } else if (newNumber === number) fids.move(fid, place);
    else fids.add(newNumber, place, fid.uid);
  }

  /** The place that the names lead to, with a user more, and the names that were found; writes their qids. Throws where it is none. */
  #walkTo(from: Place, names: readonly Uint8Array[]): { place: Place; walked: number } {
    let place = this.fids.stay(from);
    for (const [walked, name] of names.entries()) {
      try {
        const next = this.#step(place, name);
        this.fids.leave(place);
        place = next;
      } catch (error) {
        if (error instanceof FileError && walked > 0) return { place, walked };
        this.fids.leave(place);
        throw error;
      }
    }
    return { place, walked: names.length };
  }

  /** One name further, with a user more; nothing is above the root. */
  #step(place: Place, name: Uint8Array): Place {
    if (isUp(name)) {
      const above = place.above?.place ?? place;
      this.#qid(this.backend.attributes(above.node));
      return this.fids.stay(above);
    }
    this.fids.expectPlace();
    const found = this.backend.lookup(place.node, name);
    this.#qid(found.attributes);
    return this.fids.below(place, name, found);
  }

  /** The fid is gone whatever is answered. An xattr that was written is set now. */
  #clunk(): void {
    const number = this.#fields.u32();
    const { place, use } = this.fids.get(number);
    try {
      if (use?.kind === "xattr-write") this.#setXattr(place, use);
    } finally {
      this.fids.remove(number);
    }
  }

  #remove(place: Place): void {
    const { folder, name } = this.#whereIs(place);
    const { mode } = this.backend.attributes(place.node);
    if ((mode & LINUX_MODE.TYPE) === LINUX_MODE.FOLDER) this.backend.removeFolder(folder.node, name);
    else this.backend.removeFile(folder.node, name);
  }

  /** The folder and the name by which the place was found. Throws FileError where something else is there by now. */
  #whereIs({ node, above }: Place): { folder: Place; name: Uint8Array } {
    if (above === undefined) throw new FileError(LINUX_ERRNO.EINVAL, "the root");
    const { place: folder, name } = above;
    const there = this.backend.lookup(folder.node, name);
    this.backend.forget(there.node, 1);
    if (there.node !== node) throw new FileError(LINUX_ERRNO.ENOENT, "it is elsewhere");
    return { folder, name };
  }

  // --- Names

  #addNew(): void {
    const { backend } = this;
    const fields = this.#fields;
    const made = (fid: Fid, mode: number): NewFile => ({ mode, uid: fid.uid, gid: fields.u32() });
    this.#add(NINEP_T.SYMLINK, QID, () => {
      const fid = this.#fid();
      const name = this.#name();
      const target = fields.text(LONGEST_PATH - 1);
      if (target.length === 0) throw new FileError(LINUX_ERRNO.ENOENT, "a link to nothing");
      this.#made(backend.symlink(fid.place.node, name, target, made(fid, 0o777)));
    });
    this.#add(NINEP_T.MKNOD, QID, () => {
      const fid = this.#fid();
      const name = this.#name();
      const mode = fields.u32();
      const device = deviceOf(fields.u32(), fields.u32());
      this.#made(backend.makeNode(fid.place.node, name, made(fid, mode), device));
    });
    this.#add(NINEP_T.MKDIR, QID, () => {
      const fid = this.#fid();
      const name = this.#name();
      const mode = fields.u32() & LINUX_MODE.PERMISSIONS;
      this.#made(backend.makeFolder(fid.place.node, name, made(fid, mode)));
    });
  }

  #addNames(): void {
    const { backend, fids } = this;
    const fields = this.#fields;
    this.#add(NINEP_T.LINK, 0, () => {
      const folder = this.#fid();
      const of = this.#fid();
      const { node } = backend.link(of.place.node, folder.place.node, this.#name());
      backend.forget(node, 1);
    });
    this.#add(NINEP_T.RENAME, 0, () => {
      const fid = this.#fid();
      const newFolder = this.#fid().place;
      const newName = this.#name();
      const { folder, name } = this.#whereIs(fid.place);
      fids.expectPlace();
      backend.rename(folder.node, name, newFolder.node, newName, 0);
      this.#followRename(fid, newFolder, newName);
    });
    this.#add(NINEP_T.RENAMEAT, 0, () => {
      const folder = this.#fid().place.node;
      const name = this.#name();
      const newFolder = this.#fid().place.node;
      backend.rename(folder, name, newFolder, this.#name(), 0);
    });
    this.#add(NINEP_T.UNLINKAT, 0, () => {
      const { node } = this.#fid().place;
      const name = this.#name();
      const flags = fields.u32();
      if ((flags & ~NINEP_REMOVE_FOLDER) !== 0)
        throw new FileError(LINUX_ERRNO.EINVAL, `unlinkat flags ${flags}`);
      if (flags === 0) backend.removeFile(node, name);
      else backend.removeFolder(node, name);
    });
    this.#add(NINEP_T.READLINK, 2, () => {
      const target = backend.readLink(this.#fid().place.node);
      this.#to.text(target.subarray(0, Math.min(this.#room - 2, LONGEST_PATH)));
    });
    this.#add(NINEP_T.GETATTR, ATTRIBUTES_BYTES, () => {
      const fid = this.#fid();
      // What is asked for: all that is known is given.
      fields.u64();
      writeAttributes(this.#to, this.#attributes(fid), this.#cache);
    });
    this.#add(NINEP_T.SETATTR, 0, () => this.#setAttributes());
    this.#add(NINEP_T.STATFS, FACTS_BYTES, () => {
      this.#fid();
      writeFacts(this.#to, backend.facts());
    });
  }

  /** A fid whose file was renamed by it stands where that is now, unless it is elsewhere again. */
  #followRename(fid: Fid, folder: Place, name: Uint8Array): void {
    try {
      const found = this.backend.lookup(folder.node, name);
      if (found.node === fid.place.node) this.fids.move(fid, this.fids.below(folder, name, found));
      else this.backend.forget(found.node, 1);
    } catch (error) {
      // The rename itself is done.
      if (!(error instanceof FileError)) throw error;
    }
  }

  #attributes({ place, use }: Fid): FileAttributes {
    return this.backend.attributes(place.node, use?.kind === "file" ? use.handle : undefined);
  }

  #setAttributes(): void {
    const fid = this.#fid();
    const fields = this.#fields;
    const valid = fields.u32();
    const [mode, uid, gid] = [fields.u32(), fields.u32(), fields.u32()];
    const has = (bit: number): boolean => (valid & bit) !== 0;
    const sets = NINEP_SETS;
    const changes: { -readonly [K in keyof FileChanges]: FileChanges[K] } = {};
    if (fid.use?.kind === "file") changes.handle = fid.use.handle;
    if (has(sets.MODE)) changes.mode = mode & LINUX_MODE.PERMISSIONS;
    if (has(sets.UID)) changes.uid = uid;
    if (has(sets.GID)) changes.gid = gid;
    const size = fields.u64();
    if (size > Number.MAX_SAFE_INTEGER && has(sets.BYTES))
      throw new FileError(LINUX_ERRNO.EFBIG, `a file of ${size} bytes`);
    if (has(sets.BYTES)) {
      changes.size = size;
      const kept = fid.uid === ROOT_USER ? undefined : withoutPrivileges(this.#attributes(fid).mode);
      if (kept !== undefined) changes.mode ??= kept;
    }
    const [accessed, accessedNs] = [fields.s64(), fields.u64()];
    const [modified, modifiedNs] = [fields.s64(), fields.u64()];
    if (has(sets.ACCESSED))
      changes.accessed = has(sets.ACCESSED_GIVEN) ? timeOf(accessed, accessedNs) : "now";
    if (has(sets.MODIFIED))
      changes.modified = has(sets.MODIFIED_GIVEN) ? timeOf(modified, modifiedNs) : "now";
    this.backend.setAttributes(fid.place.node, changes);
  }

  // --- Files and folders

  #addFiles(): void {
    const { backend } = this;
    const fields = this.#fields;
    this.#add(NINEP_T.LOPEN, OPENED_BYTES, () => this.#open());
    this.#add(NINEP_T.LCREATE, OPENED_BYTES, () => this.#create());
    this.#add(NINEP_T.READ, 4, () => this.#read());
    this.#add(NINEP_T.WRITE, 4, () => this.#write());
    this.#add(NINEP_T.READDIR, 4, () => {
      const { place, use } = this.#fid();
      if (use?.kind !== "folder") throw new FileError(LINUX_ERRNO.EBADF, "no open folder");
      const from = fields.size();
      const room = Math.min(fields.u32(), this.#room - 4, LONGEST_REPLY - READ_HEAD);
      this.#to.u32(0);
      const { handle } = use;
      writeFolder(backend, { place, handle }, { from, room, to: this.#to });
      this.#reply.setUint32(BODY, this.#to.at - READ_HEAD, true);
    });
    this.#add(NINEP_T.FSYNC, 0, () => {
      const { use } = this.#fid();
      // Kernels of before 3.0 do not say.
      const dataOnly = fields.left > 0 && fields.u32() !== 0;
      if (use?.kind === "folder") backend.syncFolder(use.handle);
      else backend.sync(this.#handle(use), dataOnly);
    });
    // Locks hold inside the guest, whose kernel has asked itself first.
    this.#add(NINEP_T.LOCK, 1, () => {
      this.#handle(this.#fid().use);
      this.#to.u8(NINEP_LOCK_SUCCESS);
    });
    this.#add(NINEP_T.GETLOCK, 0, () => this.#getLock());
  }

  /** The open file of a fid. Throws FileError where there is none. */
  #handle(use: Fid["use"]): FileHandle {
    if (use?.kind === "file") return use.handle;
    throw new FileError(
      use?.kind === "folder" ? LINUX_ERRNO.EISDIR : LINUX_ERRNO.EBADF,
      "a fid without an open file",
    );
  }

  #expectUnused({ use }: Fid): void {
    if (use !== undefined) throw new FileError(LINUX_ERRNO.EBADF, "a fid that is open");
  }

  #open(): void {
    const { backend, nodes } = this;
    const fid = this.#fid();
    const flags = this.#fields.u32();
    this.#expectUnused(fid);
    nodes.expectHandle();
    const { node } = fid.place;
    const attributes = backend.attributes(node);
    const isFolder = (attributes.mode & LINUX_MODE.TYPE) === LINUX_MODE.FOLDER;
    if (isFolder && (flags & LINUX_OPEN.ACCESS_MODE) !== LINUX_OPEN.READ_ONLY)
      throw new FileError(LINUX_ERRNO.EISDIR, "a folder to be written");
    const handle = isFolder ? backend.openFolder(node) : backend.open(node, flags & OPEN_FLAGS);
    nodes.opened(handle, node, isFolder);
    const truncates = (flags & LINUX_OPEN.TRUNCATE) !== 0;
    fid.use = { kind: isFolder ? "folder" : "file", handle };
    try {
      if (truncates && fid.uid !== ROOT_USER) this.#killPrivileges(fid);
      this.#qid(truncates ? this.#attributes(fid) : attributes);
    } catch (error) {
      fid.use = undefined;
      nodes.release(handle, isFolder);
      throw error;
    }
    this.#to.u32(ANY_AMOUNT);
  }

  /** The fid is the new file's then. */
  #create(): void {
    const { backend, fids, nodes } = this;
    const fields = this.#fields;
    const fid = this.#fid();
    const name = this.#name();
    const [asked, mode, gid] = [fields.u32(), fields.u32(), fields.u32()];
    this.#expectUnused(fid);
    fids.expectPlace();
    nodes.expectHandle();
    const flags = asked & (OPEN_FLAGS | LINUX_OPEN.EXCLUSIVE);
    const made = { mode: LINUX_MODE.REGULAR | (mode & LINUX_MODE.PERMISSIONS), uid: fid.uid, gid };
    const found = backend.create(fid.place.node, name, made, flags);
    fids.move(fid, fids.below(fid.place, name, found));
    nodes.opened(found.handle, found.node, false);
    fid.use = { kind: "file", handle: found.handle };
    this.#qid(found.attributes);
    this.#to.u32(ANY_AMOUNT);
  }

  #read(): void {
    const { use } = this.#fid();
    const offset = this.#fields.size();
    const length = Math.min(this.#fields.u32(), this.#room - 4);
    const done =
      use?.kind === "xattr-read"
        ? this.#readXattr(use, offset, length)
        : this.#data.read(this.#message, READ_HEAD, HEAD_PIECES, this.#handle(use), { offset, length });
    this.#to.u32(done);
    this.#placed = done;
  }

  #write(): void {
    const fid = this.#fid();
    const offset = this.#fields.size();
    const length = this.#fields.u32();
    if (WRITE_HEAD + length > this.#length)
      throw new FileError(LINUX_ERRNO.EINVAL, `a WRITE of ${length} bytes`);
    if (fid.use?.kind === "xattr-write") {
      this.#to.u32(this.#writeXattr(fid.use, offset, length));
      return;
    }
    const handle = this.#handle(fid.use);
    if (fid.uid !== ROOT_USER) this.#killPrivileges(fid);
    this.#to.u32(this.#data.write(this.#message, WRITE_HEAD, HEAD_PIECES, handle, { offset, length }));
  }

  #killPrivileges(fid: Fid): void {
    const mode = withoutPrivileges(this.#attributes(fid).mode);
    if (mode === undefined) return;
    const handle = fid.use?.kind === "file" ? { handle: fid.use.handle } : {};
    this.backend.setAttributes(fid.place.node, { mode, ...handle });
  }

  /** The question again, with the answer that nobody has it. */
  #getLock(): void {
    const fields = this.#fields;
    this.#handle(this.#fid().use);
    fields.u8();
    const [start, length] = [fields.big(), fields.big()];
    const process = fields.u32();
    const client = fields.text(LONGEST_NAME);
    if (LOCK_BYTES + client.length > this.#room)
      throw new FileError(LINUX_ERRNO.EINVAL, "no room for a lock");
    this.#to.u8(NINEP_UNLOCKED).big(start).big(length).u32(process).text(client);
  }

  // --- Extended attributes

  #addXattrs(): void {
    const { backend, fids } = this;
    const fields = this.#fields;
    this.#add(NINEP_T.XATTRWALK, 8, () => {
      const { place, uid } = this.#fid();
      const number = fields.u32();
      const name = fields.text(LONGEST_NAME);
      fids.expectFree(number);
      const value = name.length === 0 ? backend.listXattr(place.node) : backend.getXattr(place.node, name);
      const of: Omit<XattrValue, "filled"> = { kind: "xattr-read", name, value: value.slice(), flags: 0 };
      fids.expectXattr(value.length);
      fids.holdXattr(fids.add(number, fids.stay(place), uid), of);
      this.#to.u64(value.length);
    });
    this.#add(NINEP_T.XATTRCREATE, 0, () => {
      const fid = this.#fid();
      const name = fields.text(LONGEST_NAME);
      const length = fields.u64();
      const flags = fields.u32();
      this.#expectUnused(fid);
      if (name.length === 0) throw new FileError(LINUX_ERRNO.ERANGE, "an xattr without a name");
      if (length > LONGEST_XATTR) throw new FileError(LINUX_ERRNO.E2BIG, `an xattr of ${length} bytes`);
      if (backend.readOnly) throw new FileError(LINUX_ERRNO.EROFS, "an xattr");
      fids.expectXattr(length);
      fids.holdXattr(fid, { kind: "xattr-write", name, value: new Uint8Array(length), flags });
    });
  }

  #readXattr({ value }: XattrValue, offset: number, length: number): number {
    const bytes = value.subarray(offset, offset + length);
    this.#message.copyTo(READ_HEAD, bytes);
    return bytes.length;
  }

  #writeXattr(use: XattrValue, offset: number, length: number): number {
    if (offset !== use.filled || offset + length > use.value.length)
      throw new FileError(LINUX_ERRNO.EINVAL, `${length} bytes of an xattr at ${offset}`);
    this.#message.copyFrom(WRITE_HEAD, use.value.subarray(offset, offset + length));
    use.filled += length;
    return length;
  }

  #setXattr({ node }: Place, { name, value, flags, filled }: XattrValue): void {
    if (filled < value.length) throw new FileError(LINUX_ERRNO.EINVAL, "half an xattr");
    if (value.length === 0 && flags === NINEP_XATTR_REPLACE) this.backend.removeXattr(node, name);
    else this.backend.setXattr(node, name, value, flags);
  }
}
