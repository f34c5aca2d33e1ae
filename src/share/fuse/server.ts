/**
 * A FUSE server over a shared folder: takes a request, carries it out, and writes its reply. What a guest gets wrong, and what the host
 * refuses, is the request's error; whatever it says, no more is held for it than `GuestNodes` allows. It knows neither how requests
 * come here nor where the files are.
 *
 * Specification: Linux, include/uapi/linux/fuse.h; what each operation means is open(2), rename(2) and so on.
 */
import {
  FUSE_ATTR_OUT,
  FUSE_BATCH_FORGET_IN,
  FUSE_CREATE_IN,
  FUSE_ENTRY_OUT,
  FUSE_FALLOCATE_IN,
  FUSE_FORGET_IN,
  FUSE_FORGET_ONE,
  FUSE_FSYNC_IN,
  FUSE_GETATTR_IN,
  FUSE_GETXATTR_IN,
  FUSE_GETXATTR_OUT,
  FUSE_IN_HEADER,
  FUSE_INIT_IN,
  FUSE_INIT_OUT,
  FUSE_LINK_IN,
  FUSE_LSEEK_IN,
  FUSE_LSEEK_OUT,
  FUSE_MKDIR_IN,
  FUSE_MKNOD_IN,
  FUSE_OP,
  FUSE_OPEN_IN,
  FUSE_OPEN_OUT,
  FUSE_OPENED,
  FUSE_OUT_HEADER,
  FUSE_READ_IN,
  FUSE_RELEASE_IN,
  FUSE_RENAME2_IN,
  FUSE_RENAME_IN,
  FUSE_ROOT_ID,
  FUSE_SETATTR_IN,
  FUSE_SETS,
  FUSE_SETXATTR_IN,
  FUSE_STATFS_OUT,
  FUSE_WRITE_IN,
  FUSE_WRITE_OUT,
  LINUX_MODE,
  LINUX_OPEN,
  LINUX_RENAME_FLAGS,
  LINUX_SEEK,
  LONGEST_NAME,
  LONGEST_PATH,
  LONGEST_XATTR,
} from "../../spec/fuse.js";
import { LINUX_ERRNO } from "../../spec/linux-errno.js";
import {
  FileError,
  type FileBackend,
  type FileChanges,
  type FileHandle,
  type FileNode,
  type FoundNode,
  type NewFile,
} from "../file-backend.js";
import { DataMover } from "../data-mover.js";
import { GuestNodes, type GuestLimits } from "../guest-nodes.js";
import type { ShareMessage } from "../message.js";
import { readSize, readU64, write64 } from "../numbers.js";
import { withoutPrivileges } from "../privileges.js";
import { REMEMBERED_SECONDS, type ShareCache } from "../share-options.js";
import { readTime, writeAttributesReply, writeEntry, writeFacts, writeNoEntry } from "./fields.js";
import { FolderReply } from "./folder-reply.js";
import { MOST_MOVED, negotiate, type Agreed } from "./negotiate.js";

const BODY = FUSE_IN_HEADER.SIZE;
const REPLY = FUSE_OUT_HEADER.SIZE;
/** The longest request but for what WRITE carries: that of SETXATTR. */
const LONGEST_REQUEST = BODY + FUSE_SETXATTR_IN.SIZE + LONGEST_NAME + 1 + LONGEST_XATTR;
/** The longest reply but for what READ gives: a folder's entries, or the value of an xattr. */
const LONGEST_REPLY = REPLY + LONGEST_XATTR;
/** What is looked at of a request first: all of a READ's, and of a WRITE's but its data. */
const FIRST_BYTES = BODY + FUSE_WRITE_IN.SIZE;
/** What Linux has before the data: the header of a READ's reply; that of a WRITE, and its fields. */
const READ_HEAD_PIECES = 1;
const WRITE_HEAD_PIECES = 2;
/** Nodes are known to the guest by their number and this, so that none is 0 or the root's. */
const FIRST_ID = FUSE_ROOT_ID + 1;
/** Flags of open(2) that a back end is given; a guest's O_DIRECT is between it and its own kernel. */
const OPEN_FLAGS =
  LINUX_OPEN.ACCESS_MODE | LINUX_OPEN.TRUNCATE | LINUX_OPEN.APPEND | LINUX_OPEN.SYNC | LINUX_OPEN.DATA_SYNC;
const SLASH = 0x2f;
const DOT = 0x2e;

/** How a kind of request is served. */
interface Operation {
  /** Bytes behind the header that there must be. */
  readonly takes: number;
  /** Room behind the reply's header that there must be. */
  readonly gives: number;
  /** Writes the reply's body; gives its length. Throws FileError. */
  serve(): number;
}

export interface FuseOptions {
  readonly cache: ShareCache;
  readonly limits?: GuestLimits;
}

export class FuseServer {
  readonly nodes: GuestNodes;
  readonly #in = new Uint8Array(LONGEST_REQUEST);
  readonly #request = new DataView(this.#in.buffer);
  readonly #out = new Uint8Array(LONGEST_REPLY);
  readonly #reply = new DataView(this.#out.buffer);
  readonly #operations: (Operation | undefined)[] = [];
  readonly #cache: ShareCache;
  readonly #seconds: number;
  readonly #data: DataMover;
  /** Bytes of the request, and the request itself, while it is served. */
  #length = 0;
  #message!: ShareMessage;
  /** The reply's body is in guest memory already. */
  #placed = false;
  #agreed: Agreed | undefined;

  constructor(
    private readonly backend: FileBackend,
    { cache, limits }: FuseOptions,
  ) {
    this.nodes = new GuestNodes(backend, limits);
    this.#data = new DataMover(backend);
    this.#cache = cache;
    this.#seconds = REMEMBERED_SECONDS[cache];
    this.#addNames();
    this.#addFiles();
    this.#addFolders();
    this.#addXattrs();
    this.reset();
  }

  /** All that the guest had is gone; it begins with INIT again. */
  reset(): void {
    this.#agreed = undefined;
    this.nodes.clear();
  }

  /**
   * Carries a request out. Gives the bytes of its reply, which stand in its room: 0 where none is wanted; -1 for a request that is
   * none, or has no room for a reply's header.
   */
  serve(message: ShareMessage): number {
    if (message.readable < BODY) return -1;
    const first = message.copyFrom(0, this.#in.subarray(0, FIRST_BYTES));
    const opcode = this.#request.getUint32(FUSE_IN_HEADER.OPCODE, true);
    this.#length = this.#request.getUint32(FUSE_IN_HEADER.LENGTH, true);
    this.#message = message;
    this.#placed = false;
    const whole = this.#length >= BODY && this.#length <= message.readable;
    if (opcode !== FUSE_OP.WRITE && whole && this.#length > first)
      message.copyFrom(first, this.#in.subarray(first, Math.min(this.#length, LONGEST_REQUEST)));
    if (opcode === FUSE_OP.FORGET || opcode === FUSE_OP.BATCH_FORGET) {
      if (whole) this.#forget(opcode);
      return 0;
    }
    if (message.writable < REPLY) return -1;
    return this.#answer(opcode, whole);
  }

  #answer(opcode: number, whole: boolean): number {
    let body = 0;
    let errno = 0;
    try {
      body = this.#carryOut(opcode, whole);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      ({ errno } = error);
      this.#placed = false;
    }
    const reply = this.#reply;
    reply.setUint32(FUSE_OUT_HEADER.LENGTH, REPLY + body, true);
    reply.setInt32(FUSE_OUT_HEADER.ERROR, -errno, true);
    const unique = FUSE_IN_HEADER.UNIQUE;
    this.#out.set(this.#in.subarray(unique, unique + 8), FUSE_OUT_HEADER.UNIQUE);
    this.#message.copyTo(0, this.#out.subarray(0, this.#placed ? REPLY : REPLY + body));
    return REPLY + body;
  }

  #carryOut(opcode: number, whole: boolean): number {
    if (!whole) throw new FileError(LINUX_ERRNO.EINVAL, `a request of ${this.#length} bytes`);
    if (opcode !== FUSE_OP.WRITE && this.#length > LONGEST_REQUEST)
      throw new FileError(LINUX_ERRNO.E2BIG, `a request of ${this.#length} bytes`);
    if (opcode === FUSE_OP.INIT) return this.#init();
    const operation = this.#operations[opcode];
    if (operation === undefined) throw new FileError(LINUX_ERRNO.ENOSYS, `operation ${opcode}`);
    if (this.#agreed === undefined) throw new FileError(LINUX_ERRNO.EIO, "an operation before INIT");
    if (this.#length < BODY + operation.takes || this.#message.writable < REPLY + operation.gives)
      throw new FileError(LINUX_ERRNO.EINVAL, `operation ${opcode} without its fields or room for its reply`);
    return operation.serve();
  }

  #add(opcode: number, takes: number, gives: number, serve: () => number): void {
    this.#operations[opcode] = { takes, gives, serve };
  }

  // --- Fields of a request

  #u32(at: number): number {
    return this.#request.getUint32(BODY + at, true);
  }

  #u64(at: number): number {
    return readU64(this.#request, BODY + at);
  }

  #size(at: number): number {
    return readSize(this.#request, BODY + at);
  }

  /** The node that the request is about. */
  get #node(): FileNode {
    return this.#nodeOf(readU64(this.#request, FUSE_IN_HEADER.NODE));
  }

  #nodeOf(id: number): FileNode {
    const node = id === FUSE_ROOT_ID ? this.backend.root : id - FIRST_ID;
    if (this.nodes.has(node)) return node;
    throw new FileError(LINUX_ERRNO.ESTALE, `node ${id}`);
  }

  #idOf(node: FileNode): number {
    return node === this.backend.root ? FUSE_ROOT_ID : node + FIRST_ID;
  }

  #handle(at: number, isFolder = false): FileHandle {
    const handle = this.#u64(at);
    this.nodes.nodeOf(handle, isFolder);
    return handle;
  }

  /** The bytes up to the next NUL, from byte `at` of the body on; `longest` of them. */
  #text(at: number, longest: number): Uint8Array {
    const from = BODY + at;
    const end = this.#in.subarray(0, this.#length).indexOf(0, from);
    if (end < 0) throw new FileError(LINUX_ERRNO.EINVAL, "a text without end");
    if (end - from > longest) throw new FileError(LINUX_ERRNO.ENAMETOOLONG, `a text of ${end - from} bytes`);
    return this.#in.slice(from, end);
  }

  #name(at: number): Uint8Array {
    const name = this.#text(at, LONGEST_NAME);
    const dots = name.length <= 2 && name.every((byte) => byte === DOT);
    if (dots || name.includes(SLASH)) throw new FileError(LINUX_ERRNO.EINVAL, "a name that is none");
    return name;
  }

  #made(mode: number): NewFile {
    return {
      mode,
      uid: this.#request.getUint32(FUSE_IN_HEADER.UID, true),
      gid: this.#request.getUint32(FUSE_IN_HEADER.GID, true),
    };
  }

  // --- Replies

  #found(found: FoundNode): number {
    this.nodes.found(found);
    const { node, attributes } = found;
    writeEntry(this.#reply, REPLY, { id: this.#idOf(node), attributes }, this.#seconds);
    return FUSE_ENTRY_OUT.SIZE;
  }

  #opened(at: number, handle: FileHandle, flags: number): number {
    write64(this.#reply, REPLY + at + FUSE_OPEN_OUT.HANDLE, handle);
    write64(this.#reply, REPLY + at + FUSE_OPEN_OUT.FLAGS, flags);
    return at + FUSE_OPEN_OUT.SIZE;
  }

  #bytes(bytes: Uint8Array): number {
    this.#out.set(bytes, REPLY);
    return bytes.length;
  }

  /** What the reply's body may have, of what the request asks for. */
  #room(asked: number): number {
    return Math.min(asked, this.#message.writable - REPLY, LONGEST_REPLY - REPLY);
  }

  // --- The share as a whole

  #init(): number {
    if (this.#length < BODY + FUSE_INIT_IN.SIZE || this.#message.writable < REPLY + FUSE_INIT_OUT.SIZE)
      throw new FileError(LINUX_ERRNO.EINVAL, "INIT without its fields");
    this.reset();
    const { agreed } = negotiate(this.#request, BODY, this.#length - BODY, {
      reply: this.#reply,
      at: REPLY,
      cache: this.#cache,
      readOnly: this.backend.readOnly,
    });
    this.#agreed = agreed;
    return FUSE_INIT_OUT.SIZE;
  }

  #forget(opcode: number): void {
    if (opcode === FUSE_OP.FORGET) {
      if (this.#length < BODY + FUSE_FORGET_IN.SIZE) return;
      this.nodes.forget(
        readU64(this.#request, FUSE_IN_HEADER.NODE) - FIRST_ID,
        this.#u64(FUSE_FORGET_IN.COUNT),
      );
      return;
    }
    const one = FUSE_FORGET_ONE;
    const end = Math.min(this.#length, LONGEST_REQUEST) - BODY;
    const last = FUSE_BATCH_FORGET_IN.SIZE + this.#u32(FUSE_BATCH_FORGET_IN.COUNT) * one.SIZE;
    if (end < FUSE_BATCH_FORGET_IN.SIZE) return;
    for (let at: number = FUSE_BATCH_FORGET_IN.SIZE; at + one.SIZE <= Math.min(end, last); at += one.SIZE)
      this.nodes.forget(this.#u64(at + one.NODE) - FIRST_ID, this.#u64(at + one.COUNT));
  }

  // --- Names

  #addNames(): void {
    const { backend } = this;
    const entry = FUSE_ENTRY_OUT.SIZE;
    this.#add(FUSE_OP.LOOKUP, 0, entry, () => this.#lookup());
    this.#add(FUSE_OP.GETATTR, FUSE_GETATTR_IN.SIZE, FUSE_ATTR_OUT.SIZE, () => this.#getAttributes());
    this.#add(FUSE_OP.SETATTR, FUSE_SETATTR_IN.SIZE, FUSE_ATTR_OUT.SIZE, () => this.#setAttributes());
    this.#add(FUSE_OP.READLINK, 0, 0, () => {
      const target = backend.readLink(this.#node);
      return this.#bytes(target.subarray(0, this.#room(LONGEST_PATH)));
    });
    this.#add(FUSE_OP.SYMLINK, 0, entry, () => {
      const parent = this.#node;
      const name = this.#name(0);
      const target = this.#text(name.length + 1, LONGEST_PATH - 1);
      if (target.length === 0) throw new FileError(LINUX_ERRNO.ENOENT, "a link to nothing");
      this.nodes.expectNode();
      return this.#found(backend.symlink(parent, name, target, this.#made(LINUX_MODE.PERMISSIONS & 0o777)));
    });
    this.#add(FUSE_OP.MKNOD, FUSE_MKNOD_IN.SIZE, entry, () => {
      const parent = this.#node;
      const name = this.#name(FUSE_MKNOD_IN.SIZE);
      this.nodes.expectNode();
      const made = this.#made(this.#u32(FUSE_MKNOD_IN.MODE));
      return this.#found(backend.makeNode(parent, name, made, this.#u32(FUSE_MKNOD_IN.RDEV)));
    });
    this.#add(FUSE_OP.MKDIR, FUSE_MKDIR_IN.SIZE, entry, () => {
      const parent = this.#node;
      const name = this.#name(FUSE_MKDIR_IN.SIZE);
      this.nodes.expectNode();
      const mode = this.#u32(FUSE_MKDIR_IN.MODE) & LINUX_MODE.PERMISSIONS;
      return this.#found(backend.makeFolder(parent, name, this.#made(mode)));
    });
    this.#add(FUSE_OP.UNLINK, 0, 0, () => {
      backend.removeFile(this.#node, this.#name(0));
      return 0;
    });
    this.#add(FUSE_OP.RMDIR, 0, 0, () => {
      backend.removeFolder(this.#node, this.#name(0));
      return 0;
    });
    this.#add(FUSE_OP.RENAME, FUSE_RENAME_IN.SIZE, 0, () => this.#rename(FUSE_RENAME_IN.SIZE, 0));
    this.#add(FUSE_OP.RENAME2, FUSE_RENAME2_IN.SIZE, 0, () =>
      this.#rename(FUSE_RENAME2_IN.SIZE, this.#u32(FUSE_RENAME2_IN.FLAGS)),
    );
    this.#add(FUSE_OP.LINK, FUSE_LINK_IN.SIZE, entry, () => {
      const node = this.#nodeOf(this.#u64(FUSE_LINK_IN.NODE));
      const name = this.#name(FUSE_LINK_IN.SIZE);
      this.nodes.expectNode();
      return this.#found(backend.link(node, this.#node, name));
    });
    this.#add(FUSE_OP.STATFS, 0, FUSE_STATFS_OUT.SIZE, () => {
      writeFacts(this.#reply, REPLY, backend.facts());
      return FUSE_STATFS_OUT.SIZE;
    });
    this.#add(FUSE_OP.DESTROY, 0, 0, () => {
      this.reset();
      return 0;
    });
  }

  /** That a name is not there may be remembered as that it is: compilers look for headers in many folders. */
  #lookup(): number {
    const parent = this.#node;
    const name = this.#name(0);
    this.nodes.expectNode();
    try {
      return this.#found(this.backend.lookup(parent, name));
    } catch (error) {
      if (!(error instanceof FileError) || error.errno !== LINUX_ERRNO.ENOENT || this.#seconds === 0)
        throw error;
      writeNoEntry(this.#reply, REPLY, this.#seconds);
      return FUSE_ENTRY_OUT.SIZE;
    }
  }

  #getAttributes(): number {
    const node = this.#node;
    const byHandle = (this.#u32(FUSE_GETATTR_IN.FLAGS) & FUSE_GETATTR_IN.BY_HANDLE) !== 0;
    const handle = byHandle ? this.#ownHandle(FUSE_GETATTR_IN.HANDLE, node) : undefined;
    writeAttributesReply(this.#reply, REPLY, this.backend.attributes(node, handle), this.#seconds);
    return FUSE_ATTR_OUT.SIZE;
  }

  /** A handle of the node, a file or a folder; of a folder nothing is done by it. */
  #ownHandle(at: number, node: FileNode): FileHandle | undefined {
    const handle = this.#u64(at);
    const isFolder = this.nodes.isFolder(handle);
    if (this.nodes.nodeOf(handle, isFolder) !== node)
      throw new FileError(LINUX_ERRNO.EBADF, `handle ${handle} of another node`);
    return isFolder ? undefined : handle;
  }

  #setAttributes(): number {
    const node = this.#node;
    const at = FUSE_SETATTR_IN;
    const sets = FUSE_SETS;
    const valid = this.#u32(at.VALID);
    const has = (bit: number): boolean => (valid & bit) !== 0;
    const time = (seconds: number, ns: number) => readTime(this.#request, BODY + seconds, BODY + ns);
    const handle = has(sets.BY_HANDLE) ? this.#ownHandle(at.HANDLE, node) : undefined;
    const changes: { -readonly [K in keyof FileChanges]: FileChanges[K] } = {};
    if (handle !== undefined) changes.handle = handle;
    if (has(sets.MODE)) changes.mode = this.#u32(at.MODE) & LINUX_MODE.PERMISSIONS;
    else if (has(sets.KILL_SUIDGID)) {
      const kept = this.#withoutPrivileges(node, handle);
      if (kept !== undefined) changes.mode = kept;
    }
    if (has(sets.UID)) changes.uid = this.#u32(at.UID);
    if (has(sets.GID)) changes.gid = this.#u32(at.GID);
    if (has(sets.BYTES)) changes.size = this.#size(at.BYTES);
    if (has(sets.ACCESSED))
      changes.accessed = has(sets.ACCESSED_NOW) ? "now" : time(at.ACCESSED, at.ACCESSED_NS);
    if (has(sets.MODIFIED))
      changes.modified = has(sets.MODIFIED_NOW) ? "now" : time(at.MODIFIED, at.MODIFIED_NS);
    writeAttributesReply(this.#reply, REPLY, this.backend.setAttributes(node, changes), this.#seconds);
    return FUSE_ATTR_OUT.SIZE;
  }

  #rename(at: number, flags: number): number {
    const parent = this.#node;
    const newParent = this.#nodeOf(this.#u64(FUSE_RENAME_IN.FOLDER));
    const name = this.#name(at);
    const newName = this.#name(at + name.length + 1);
    if ((flags & ~LINUX_RENAME_FLAGS) !== 0) throw new FileError(LINUX_ERRNO.EINVAL, `rename flags ${flags}`);
    this.backend.rename(parent, name, newParent, newName, flags);
    return 0;
  }

  /** The permissions of a node without what a change of it by somebody else takes away; undefined where nothing is taken. */
  #withoutPrivileges(node: FileNode, handle: FileHandle | undefined): number | undefined {
    return withoutPrivileges(this.backend.attributes(node, handle).mode);
  }

  #killPrivileges(node: FileNode, handle: FileHandle): void {
    const mode = this.#withoutPrivileges(node, handle);
    if (mode !== undefined) this.backend.setAttributes(node, { mode, handle });
  }

  // --- Files

  #addFiles(): void {
    const { backend } = this;
    this.#add(FUSE_OP.OPEN, FUSE_OPEN_IN.SIZE, FUSE_OPEN_OUT.SIZE, () => this.#open());
    this.#add(FUSE_OP.CREATE, FUSE_CREATE_IN.SIZE, FUSE_ENTRY_OUT.SIZE + FUSE_OPEN_OUT.SIZE, () =>
      this.#create(),
    );
    this.#add(FUSE_OP.READ, FUSE_READ_IN.SIZE, 0, () => this.#read());
    this.#add(FUSE_OP.WRITE, FUSE_WRITE_IN.SIZE, FUSE_WRITE_OUT.SIZE, () => this.#write());
    this.#add(FUSE_OP.RELEASE, FUSE_RELEASE_IN.SIZE, 0, () => {
      this.nodes.release(this.#u64(FUSE_RELEASE_IN.HANDLE), false);
      return 0;
    });
    this.#add(FUSE_OP.FSYNC, FUSE_FSYNC_IN.SIZE, 0, () => {
      const handle = this.#handle(FUSE_FSYNC_IN.HANDLE);
      backend.sync(handle, (this.#u32(FUSE_FSYNC_IN.FLAGS) & FUSE_FSYNC_IN.DATA_ONLY) !== 0);
      return 0;
    });
    this.#add(FUSE_OP.FALLOCATE, FUSE_FALLOCATE_IN.SIZE, 0, () => {
      const at = FUSE_FALLOCATE_IN;
      backend.allocate(
        this.#handle(at.HANDLE),
        this.#u32(at.MODE),
        this.#size(at.OFFSET),
        this.#size(at.BYTES),
      );
      return 0;
    });
    this.#add(FUSE_OP.LSEEK, FUSE_LSEEK_IN.SIZE, FUSE_LSEEK_OUT.SIZE, () => {
      const at = FUSE_LSEEK_IN;
      const whence = this.#u32(at.WHENCE);
      if (whence !== LINUX_SEEK.DATA && whence !== LINUX_SEEK.HOLE)
        throw new FileError(LINUX_ERRNO.EINVAL, `lseek whence ${whence}`);
      const found = backend.seek(this.#handle(at.HANDLE), this.#size(at.OFFSET), whence);
      write64(this.#reply, REPLY, found);
      return FUSE_LSEEK_OUT.SIZE;
    });
  }

  /** What a back end is asked for: a kernel that writes back reads what it writes into, and appends by itself. */
  #openFlags(asked: number): number {
    const flags = asked & OPEN_FLAGS;
    if (this.#agreed?.writesBack !== true) return flags;
    const { ACCESS_MODE, WRITE_ONLY, READ_WRITE, APPEND } = LINUX_OPEN;
    const reads = (flags & ACCESS_MODE) === WRITE_ONLY ? (flags & ~ACCESS_MODE) | READ_WRITE : flags;
    return reads & ~APPEND;
  }

  /** What the kernel may keep of the file. */
  #keeps(node: FileNode, handle: FileHandle): number {
    if (this.#cache === "none") return FUSE_OPENED.DIRECT_IO;
    if (this.#cache === "always") return FUSE_OPENED.KEEP_CACHE;
    return this.nodes.isAsBefore(node, this.backend.attributes(node, handle)) ? FUSE_OPENED.KEEP_CACHE : 0;
  }

  #open(): number {
    const node = this.#node;
    this.nodes.expectHandle();
    const handle = this.backend.open(node, this.#openFlags(this.#u32(FUSE_OPEN_IN.FLAGS)));
    this.nodes.opened(handle, node, false);
    return this.#openedAs(
      0,
      node,
      handle,
      (this.#u32(FUSE_OPEN_IN.OPEN_FLAGS) & FUSE_OPEN_IN.KILL_SUIDGID) !== 0,
    );
  }

  /** The rest of an open; the handle is closed again where it fails. */
  #openedAs(at: number, node: FileNode, handle: FileHandle, kills: boolean): number {
    try {
      if (kills) this.#killPrivileges(node, handle);
      return this.#opened(at, handle, this.#keeps(node, handle));
    } catch (error) {
      this.nodes.release(handle, false);
      throw error;
    }
  }

  #create(): number {
    const parent = this.#node;
    const name = this.#name(FUSE_CREATE_IN.SIZE);
    this.nodes.expectNode();
    this.nodes.expectHandle();
    const asked = this.#u32(FUSE_CREATE_IN.FLAGS);
    const flags = this.#openFlags(asked) | (asked & LINUX_OPEN.EXCLUSIVE);
    const mode = LINUX_MODE.REGULAR | (this.#u32(FUSE_CREATE_IN.MODE) & LINUX_MODE.PERMISSIONS);
    const made = this.backend.create(parent, name, this.#made(mode), flags);
    const { node, handle } = made;
    const entry = this.#found(made);
    this.nodes.opened(handle, node, false);
    try {
      return this.#openedAs(entry, node, handle, false);
    } catch (error) {
      this.nodes.forget(node, 1);
      throw error;
    }
  }

  #read(): number {
    const at = FUSE_READ_IN;
    const handle = this.#handle(at.HANDLE);
    const length = this.#u32(at.BYTES);
    const offset = this.#size(at.OFFSET);
    if (length > MOST_MOVED || length > this.#message.writable - REPLY)
      throw new FileError(LINUX_ERRNO.EINVAL, `a READ of ${length} bytes`);
    const done = this.#data.read(this.#message, REPLY, READ_HEAD_PIECES, handle, { offset, length });
    this.#placed = true;
    return done;
  }

  #write(): number {
    const at = FUSE_WRITE_IN;
    const handle = this.#handle(at.HANDLE);
    const length = this.#u32(at.BYTES);
    const offset = this.#size(at.OFFSET);
    if (length > MOST_MOVED || BODY + at.SIZE + length > this.#length)
      throw new FileError(LINUX_ERRNO.EINVAL, `a WRITE of ${length} bytes`);
    if ((this.#u32(at.FLAGS) & at.KILL_SUIDGID) !== 0)
      this.#killPrivileges(this.nodes.nodeOf(handle, false), handle);
    const data = BODY + at.SIZE;
    const done = this.#data.write(this.#message, data, WRITE_HEAD_PIECES, handle, { offset, length });
    this.#reply.setUint32(REPLY + FUSE_WRITE_OUT.BYTES, done, true);
    this.#reply.setUint32(REPLY + FUSE_WRITE_OUT.BYTES + 4, 0, true);
    return FUSE_WRITE_OUT.SIZE;
  }

  // --- Folders

  #addFolders(): void {
    const { backend } = this;
    this.#add(FUSE_OP.OPENDIR, FUSE_OPEN_IN.SIZE, FUSE_OPEN_OUT.SIZE, () => {
      const node = this.#node;
      this.nodes.expectHandle();
      const handle = backend.openFolder(node);
      this.nodes.opened(handle, node, true);
      const kept = this.#cache === "always" ? FUSE_OPENED.CACHE_DIR | FUSE_OPENED.KEEP_CACHE : 0;
      return this.#opened(0, handle, kept);
    });
    this.#add(FUSE_OP.READDIR, FUSE_READ_IN.SIZE, 0, () => this.#readFolder(false));
    this.#add(FUSE_OP.READDIRPLUS, FUSE_READ_IN.SIZE, 0, () => this.#readFolder(true));
    this.#add(FUSE_OP.RELEASEDIR, FUSE_RELEASE_IN.SIZE, 0, () => {
      this.nodes.release(this.#u64(FUSE_RELEASE_IN.HANDLE), true);
      return 0;
    });
    this.#add(FUSE_OP.FSYNCDIR, FUSE_FSYNC_IN.SIZE, 0, () => {
      backend.syncFolder(this.#handle(FUSE_FSYNC_IN.HANDLE, true));
      return 0;
    });
  }

  #readFolder(plus: boolean): number {
    const handle = this.#handle(FUSE_READ_IN.HANDLE, true);
    const room = this.#room(this.#u32(FUSE_READ_IN.BYTES));
    const reply = new FolderReply(this.backend, this.nodes, {
      view: this.#reply,
      at: REPLY,
      room,
      seconds: this.#seconds,
      plus,
      idOf: (node) => this.#idOf(node),
    });
    return reply.fill(handle, this.#size(FUSE_READ_IN.OFFSET));
  }

  // --- Extended attributes

  #addXattrs(): void {
    const { backend } = this;
    this.#add(FUSE_OP.GETXATTR, FUSE_GETXATTR_IN.SIZE, 0, () => {
      const node = this.#node;
      return this.#xattr(backend.getXattr(node, this.#xattrName(FUSE_GETXATTR_IN.SIZE)));
    });
    this.#add(FUSE_OP.LISTXATTR, FUSE_GETXATTR_IN.SIZE, 0, () => this.#xattr(backend.listXattr(this.#node)));
    this.#add(FUSE_OP.SETXATTR, FUSE_SETXATTR_IN.SIZE, 0, () => {
      const node = this.#node;
      const at = FUSE_SETXATTR_IN;
      const name = this.#xattrName(at.SIZE);
      const from = BODY + at.SIZE + name.length + 1;
      const length = this.#u32(at.BYTES);
      if (length > this.#length - from)
        throw new FileError(LINUX_ERRNO.EINVAL, `an xattr of ${length} bytes`);
      backend.setXattr(node, name, this.#in.slice(from, from + length), this.#u32(at.FLAGS));
      return 0;
    });
    this.#add(FUSE_OP.REMOVEXATTR, 0, 0, () => {
      backend.removeXattr(this.#node, this.#xattrName(0));
      return 0;
    });
  }

  #xattrName(at: number): Uint8Array {
    const name = this.#text(at, LONGEST_NAME);
    if (name.length === 0) throw new FileError(LINUX_ERRNO.ERANGE, "an xattr without a name");
    return name;
  }

  /** The value, or its length where the guest asks for none of it. */
  #xattr(value: Uint8Array): number {
    const asked = this.#u32(FUSE_GETXATTR_IN.BYTES);
    if (asked === 0) {
      if (this.#message.writable < REPLY + FUSE_GETXATTR_OUT.SIZE)
        throw new FileError(LINUX_ERRNO.EINVAL, "an xattr's length without room");
      write64(this.#reply, REPLY + FUSE_GETXATTR_OUT.BYTES, value.length);
      return FUSE_GETXATTR_OUT.SIZE;
    }
    if (value.length > this.#room(asked))
      throw new FileError(LINUX_ERRNO.ERANGE, `${value.length} bytes of xattr`);
    return this.#bytes(value);
  }
}
