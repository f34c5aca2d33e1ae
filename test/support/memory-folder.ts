/**
 * A shared folder in memory that behaves as a Linux file system does, for tests of the protocols above it. Errors are those of the system
 * calls of the same names; time stands still until `tick`.
 */
import {
  FileError,
  type FileAttributes,
  type FileBackend,
  type FileChanges,
  type FileHandle,
  type FileNode,
  type FileSystemFacts,
  type FileTime,
  type FolderEntry,
  type FoundNode,
  type NewFile,
} from "../../src/share/file-backend.js";
import { LINUX_MODE, LINUX_OPEN, LONGEST_NAME } from "../../src/spec/fuse.js";
import { LINUX_ERRNO as E } from "../../src/spec/linux-errno.js";

const BLOCK = 512;
const PAGE = 4096;
const NOREPLACE = 1;
const EXCHANGE = 2;
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;
const KEEP_SIZE = 1;
/** Files are arrays: larger ones are refused; and so many of them. */
const LIMITS = { bytes: 2 ** 24, files: 2 ** 16 };
const LINK = 0o120000;
const PERMITTED_NODES = [0, LINUX_MODE.REGULAR, 0o010000, 0o140000];

interface Inode {
  readonly ino: number;
  mode: number;
  uid: number;
  gid: number;
  links: number;
  data: Uint8Array;
  size: number;
  readonly children: Map<string, Inode>;
  parent: Inode | undefined;
  readonly xattrs: Map<string, Uint8Array>;
  accessed: FileTime;
  modified: FileTime;
  changed: FileTime;
  lookups: number;
}

interface Open {
  readonly inode: Inode;
  readonly flags: number;
  entries: readonly FolderEntry[] | undefined;
}

function text(name: Uint8Array): string {
  return Buffer.from(name).toString("latin1");
}

function bytes(name: string): Uint8Array {
  return Uint8Array.from(Buffer.from(name, "latin1"));
}

function fail(errno: number, what: string): never {
  throw new FileError(errno, what);
}

export class MemoryFolder implements FileBackend {
  readonly root = 0;
  /** Nodes that are looked up, and what is open. */
  readonly #nodes = new Map<FileNode, Inode>();
  readonly #open = new Map<FileHandle, Open>();
  readonly #top: Inode;
  #nextIno = 1;
  #nextHandle = 1;
  #now: FileTime = { seconds: 1_700_000_000, nanoseconds: 0 };
  /** Calls by the names of the methods. */
  readonly calls = new Map<string, number>();

  constructor(
    readonly readOnly = false,
    private readonly most = LIMITS,
  ) {
    this.#top = this.#newInode(LINUX_MODE.FOLDER | 0o755, 0, 0);
  }

  get looked(): number {
    return this.#nodes.size;
  }

  get opened(): number {
    return this.#open.size;
  }

  /** Bytes of all files. */
  get total(): number {
    const sum = (inode: Inode): number =>
      [...inode.children.values()].reduce((all, one) => all + sum(one), inode.data.length);
    return sum(this.#top);
  }

  tick(nanoseconds: number): void {
    const all = this.#now.nanoseconds + nanoseconds;
    this.#now = { seconds: this.#now.seconds + Math.floor(all / 1e9), nanoseconds: all % 1e9 };
  }

  /** As the host would: writes a file by its path, making folders. */
  put(path: string, content: string | Uint8Array, mode = 0o644): void {
    const names = path.split("/");
    let folder = this.#top;
    for (const name of names.slice(0, -1)) {
      const next = folder.children.get(name) ?? this.#newInode(LINUX_MODE.FOLDER | 0o755, 0, 0);
      this.#enter(folder, name, next);
      folder = next;
    }
    const last = names.at(-1)!;
    const inode = folder.children.get(last) ?? this.#newInode(LINUX_MODE.REGULAR | mode, 0, 0);
    this.#enter(folder, last, inode);
    inode.data = Uint8Array.from(typeof content === "string" ? Buffer.from(content) : content);
    inode.size = inode.data.length;
    inode.modified = inode.changed = this.#now;
  }

  /** As the host would see it; undefined where there is no such file. */
  get(path: string): Uint8Array | undefined {
    let inode: Inode | undefined = this.#top;
    for (const name of path.split("/")) inode = inode?.children.get(name);
    return inode?.data.subarray(0, inode.size);
  }

  startAgain(): void {
    for (const inode of this.#nodes.values()) inode.lookups = 0;
    this.#nodes.clear();
    this.#open.clear();
  }

  lookup(parent: FileNode, name: Uint8Array): FoundNode {
    this.#count("lookup");
    const inode = this.#folder(parent).children.get(this.#name(name));
    return this.#found(inode ?? fail(E.ENOENT, text(name)));
  }

  forget(node: FileNode, count: number): void {
    const inode = this.#nodes.get(node);
    if (inode === undefined) return;
    inode.lookups -= count;
    if (inode.lookups < 0) throw new RangeError("forgotten more often than looked up");
    if (inode.lookups === 0) this.#nodes.delete(node);
  }

  attributes(node: FileNode, handle?: FileHandle): FileAttributes {
    this.#count("attributes");
    return this.#attributes(handle === undefined ? this.#inode(node) : this.#opened(handle).inode);
  }

  setAttributes(node: FileNode, changes: FileChanges): FileAttributes {
    this.#writes();
    const inode = this.#inode(node);
    if (changes.size !== undefined) {
      if ((inode.mode & LINUX_MODE.TYPE) !== LINUX_MODE.REGULAR) fail(E.EINVAL, "truncate");
      this.#resize(inode, changes.size);
      inode.modified = this.#now;
    }
    if (changes.mode !== undefined) inode.mode = (inode.mode & LINUX_MODE.TYPE) | changes.mode;
    inode.uid = changes.uid ?? inode.uid;
    inode.gid = changes.gid ?? inode.gid;
    const time = (one: FileTime | "now"): FileTime => (one === "now" ? this.#now : one);
    if (changes.accessed !== undefined) inode.accessed = time(changes.accessed);
    if (changes.modified !== undefined) inode.modified = time(changes.modified);
    inode.changed = this.#now;
    return this.#attributes(inode);
  }

  readLink(node: FileNode): Uint8Array {
    const inode = this.#inode(node);
    if ((inode.mode & LINUX_MODE.TYPE) !== LINK) fail(E.EINVAL, "readlink");
    return inode.data;
  }

  symlink(parent: FileNode, name: Uint8Array, target: Uint8Array, made: NewFile): FoundNode {
    const inode = this.#make(parent, name, LINK | 0o777, made);
    inode.data = target.slice();
    inode.size = target.length;
    return this.#found(inode);
  }

  makeNode(parent: FileNode, name: Uint8Array, made: NewFile): FoundNode {
    const type = made.mode & LINUX_MODE.TYPE;
    if (!PERMITTED_NODES.includes(type)) fail(E.EPERM, "mknod");
    const mode = (type === 0 ? LINUX_MODE.REGULAR : type) | (made.mode & LINUX_MODE.PERMISSIONS);
    return this.#found(this.#make(parent, name, mode, made));
  }

  makeFolder(parent: FileNode, name: Uint8Array, made: NewFile): FoundNode {
    return this.#found(this.#make(parent, name, LINUX_MODE.FOLDER | made.mode, made));
  }

  removeFile(parent: FileNode, name: Uint8Array): void {
    this.#writes();
    const folder = this.#folder(parent);
    const inode = folder.children.get(this.#name(name)) ?? fail(E.ENOENT, text(name));
    if (this.#isFolder(inode)) fail(E.EISDIR, text(name));
    this.#leave(folder, text(name));
  }

  removeFolder(parent: FileNode, name: Uint8Array): void {
    this.#writes();
    const folder = this.#folder(parent);
    const inode = folder.children.get(this.#name(name)) ?? fail(E.ENOENT, text(name));
    if (!this.#isFolder(inode)) fail(E.ENOTDIR, text(name));
    if (inode.children.size > 0) fail(E.ENOTEMPTY, text(name));
    this.#leave(folder, text(name));
  }

  rename(parent: FileNode, name: Uint8Array, newParent: FileNode, newName: Uint8Array, flags: number): void {
    this.#writes();
    const [from, to] = [this.#folder(parent), this.#folder(newParent)];
    const inode = from.children.get(this.#name(name)) ?? fail(E.ENOENT, text(name));
    const there = to.children.get(this.#name(newName));
    if (flags === NOREPLACE && there !== undefined) fail(E.EEXIST, text(newName));
    if (flags > EXCHANGE) fail(E.EINVAL, "rename");
    if (this.#isFolder(inode) && this.#isBelow(to, inode)) fail(E.EINVAL, "a folder into itself");
    if (flags === EXCHANGE) {
      if (there === undefined) return fail(E.ENOENT, text(newName));
      if (this.#isFolder(there) && this.#isBelow(from, there)) fail(E.EINVAL, "a folder into itself");
      this.#enter(from, text(name), there);
      this.#enter(to, text(newName), inode);
      return;
    }
    if (there === inode) return;
    if (there !== undefined) {
      if (this.#isFolder(there) && !this.#isFolder(inode)) fail(E.EISDIR, text(newName));
      if (!this.#isFolder(there) && this.#isFolder(inode)) fail(E.ENOTDIR, text(newName));
      if (there.children.size > 0) fail(E.ENOTEMPTY, text(newName));
      this.#leave(to, text(newName));
    }
    from.children.delete(text(name));
    this.#enter(to, text(newName), inode);
    from.modified = to.modified = inode.changed = this.#now;
  }

  link(node: FileNode, newParent: FileNode, newName: Uint8Array): FoundNode {
    this.#writes();
    const inode = this.#inode(node);
    const folder = this.#folder(newParent);
    if (this.#isFolder(inode)) fail(E.EPERM, "link");
    if (inode.links === 0) fail(E.ENOENT, "link");
    if (folder.children.has(this.#name(newName))) fail(E.EEXIST, text(newName));
    this.#enter(folder, text(newName), inode);
    inode.links++;
    inode.changed = folder.modified = this.#now;
    return this.#found(inode);
  }

  open(node: FileNode, flags: number): FileHandle {
    this.#count("open");
    const inode = this.#inode(node);
    if ((inode.mode & LINUX_MODE.TYPE) !== LINUX_MODE.REGULAR) fail(E.EACCES, "open");
    if ((flags & (LINUX_OPEN.ACCESS_MODE | LINUX_OPEN.TRUNCATE)) !== 0) this.#writes();
    if ((flags & LINUX_OPEN.TRUNCATE) !== 0) {
      this.#resize(inode, 0);
      inode.modified = this.#now;
    }
    return this.#handle(inode, flags);
  }

  create(
    parent: FileNode,
    name: Uint8Array,
    made: NewFile,
    flags: number,
  ): FoundNode & { readonly handle: FileHandle } {
    const there = this.#folder(parent).children.get(this.#name(name));
    if (there !== undefined && (flags & LINUX_OPEN.EXCLUSIVE) !== 0) fail(E.EEXIST, text(name));
    if (there !== undefined && (there.mode & LINUX_MODE.TYPE) !== LINUX_MODE.REGULAR)
      fail(E.EACCES, text(name));
    const inode = there ?? this.#make(parent, name, LINUX_MODE.REGULAR | made.mode, made);
    if ((flags & LINUX_OPEN.TRUNCATE) !== 0) this.#resize(inode, 0);
    return { ...this.#found(inode), handle: this.#handle(inode, flags) };
  }

  read(handle: FileHandle, offset: number, into: Uint8Array): number {
    this.#count("read");
    const { inode, flags } = this.#opened(handle);
    if ((flags & LINUX_OPEN.ACCESS_MODE) === LINUX_OPEN.WRITE_ONLY) fail(E.EBADF, "read");
    const found = inode.data.subarray(0, inode.size).subarray(offset, offset + into.length);
    into.set(found);
    return found.length;
  }

  write(handle: FileHandle, offset: number, from: Uint8Array): number {
    this.#count("write");
    const { inode, flags } = this.#opened(handle);
    if ((flags & LINUX_OPEN.ACCESS_MODE) === LINUX_OPEN.READ_ONLY) fail(E.EBADF, "write");
    const start = (flags & LINUX_OPEN.APPEND) !== 0 ? inode.size : offset;
    if (start + from.length > inode.size) this.#resize(inode, start + from.length);
    inode.data.set(from, start);
    inode.modified = inode.changed = this.#now;
    return from.length;
  }

  sync(handle: FileHandle): void {
    this.#count("sync");
    this.#opened(handle);
  }

  allocate(handle: FileHandle, mode: number, offset: number, length: number): void {
    this.#writes();
    const { inode } = this.#opened(handle);
    if (length === 0) fail(E.EINVAL, "fallocate");
    if (mode > KEEP_SIZE) fail(E.EOPNOTSUPP, "fallocate");
    if (mode === 0 && offset + length > inode.size) this.#resize(inode, offset + length);
  }

  seek(handle: FileHandle, offset: number, whence: number): number {
    const { inode } = this.#opened(handle);
    if (offset >= inode.size) fail(6, "no data behind the end");
    return whence === 3 ? offset : inode.size;
  }

  release(handle: FileHandle): void {
    if (this.#open.get(handle)?.entries !== undefined || !this.#open.delete(handle))
      throw new RangeError("released what is not open");
  }

  openFolder(node: FileNode): FileHandle {
    this.#folder(node);
    const handle = this.#handle(this.#inode(node), 0);
    this.#open.get(handle)!.entries = [];
    return handle;
  }

  readFolder(handle: FileHandle, from: number, most: number): readonly FolderEntry[] {
    this.#count("readFolder");
    const open = this.#opened(handle);
    if (from === 0 || open.entries!.length === 0)
      open.entries = [...open.inode.children].map(([name, { ino, mode }]) => ({
        name: bytes(name),
        ino: BigInt(ino),
        type: mode >> LINUX_MODE.TYPE_SHIFT,
      }));
    return open.entries!.slice(from, from + most);
  }

  releaseFolder(handle: FileHandle): void {
    if (this.#open.get(handle)?.entries === undefined || !this.#open.delete(handle))
      throw new RangeError("released what is not open");
  }

  syncFolder(handle: FileHandle): void {
    this.#opened(handle);
  }

  facts(): FileSystemFacts {
    return {
      blocks: 1000n,
      free: 600n,
      available: 500n,
      files: 400n,
      filesFree: 300n,
      blockSize: PAGE,
      longestName: LONGEST_NAME,
    };
  }

  getXattr(node: FileNode, name: Uint8Array): Uint8Array {
    return this.#inode(node).xattrs.get(text(name)) ?? fail(E.ENODATA, text(name));
  }

  listXattr(node: FileNode): Uint8Array {
    return bytes([...this.#inode(node).xattrs.keys()].map((name) => `${name}\0`).join(""));
  }

  setXattr(node: FileNode, name: Uint8Array, value: Uint8Array, flags: number): void {
    this.#writes();
    const { xattrs } = this.#inode(node);
    if (flags === XATTR_CREATE && xattrs.has(text(name))) fail(E.EEXIST, text(name));
    if (flags === XATTR_REPLACE && !xattrs.has(text(name))) fail(E.ENODATA, text(name));
    const held = [...xattrs.values()].reduce((all, one) => all + one.length, value.length);
    if (held > this.most.bytes) fail(E.ENOSPC, text(name));
    xattrs.set(text(name), value.slice());
  }

  removeXattr(node: FileNode, name: Uint8Array): void {
    this.#writes();
    if (!this.#inode(node).xattrs.delete(text(name))) fail(E.ENODATA, text(name));
  }

  #count(call: string): void {
    this.calls.set(call, (this.calls.get(call) ?? 0) + 1);
  }

  #newInode(mode: number, uid: number, gid: number): Inode {
    const now = this.#now;
    return {
      ino: this.#nextIno++,
      mode,
      uid,
      gid,
      links: (mode & LINUX_MODE.TYPE) === LINUX_MODE.FOLDER ? 2 : 1,
      data: new Uint8Array(0),
      size: 0,
      children: new Map(),
      parent: undefined,
      xattrs: new Map(),
      accessed: now,
      modified: now,
      changed: now,
      lookups: 0,
    };
  }

  #name(name: Uint8Array): string {
    const found = text(name);
    if (found === "" || found === "." || found === ".." || /[/\0]/.test(found)) fail(E.EINVAL, found);
    return found;
  }

  #inode(node: FileNode): Inode {
    if (node === this.root) return this.#top;
    return this.#nodes.get(node) ?? fail(E.ESTALE, `node ${node}`);
  }

  #folder(node: FileNode): Inode {
    const inode = this.#inode(node);
    return this.#isFolder(inode) ? inode : fail(E.ENOTDIR, `node ${node}`);
  }

  #isFolder({ mode }: Inode): boolean {
    return (mode & LINUX_MODE.TYPE) === LINUX_MODE.FOLDER;
  }

  #isBelow(folder: Inode, above: Inode): boolean {
    for (let one: Inode | undefined = folder; one !== undefined; one = one.parent)
      if (one === above) return true;
    return false;
  }

  #opened(handle: FileHandle): Open {
    return this.#open.get(handle) ?? fail(E.EBADF, `handle ${handle}`);
  }

  #handle(inode: Inode, flags: number): FileHandle {
    const handle = this.#nextHandle++;
    this.#open.set(handle, { inode, flags, entries: undefined });
    return handle;
  }

  #found(inode: Inode): FoundNode {
    inode.lookups++;
    this.#nodes.set(inode.ino, inode);
    return { node: inode.ino, attributes: this.#attributes(inode) };
  }

  #attributes(inode: Inode): FileAttributes {
    const { ino, mode, links, uid, gid, size, accessed, modified, changed } = inode;
    return {
      ino: BigInt(ino),
      mode,
      links,
      uid,
      gid,
      rdev: 0,
      size,
      blocks: Math.ceil(size / BLOCK),
      blockSize: PAGE,
      accessed,
      modified,
      changed,
    };
  }

  #make(parent: FileNode, name: Uint8Array, mode: number, { uid, gid }: NewFile): Inode {
    this.#writes();
    const folder = this.#folder(parent);
    if (folder.children.has(this.#name(name))) fail(E.EEXIST, text(name));
    if (folder.links === 0) fail(E.ENOENT, text(name));
    if (this.#nextIno > this.most.files) fail(E.ENOSPC, text(name));
    const inode = this.#newInode(mode, uid, gid);
    this.#enter(folder, text(name), inode);
    folder.modified = folder.changed = this.#now;
    return inode;
  }

  #enter(folder: Inode, name: string, inode: Inode): void {
    folder.children.set(name, inode);
    if (this.#isFolder(inode)) inode.parent = folder;
  }

  #leave(folder: Inode, name: string): void {
    const inode = folder.children.get(name)!;
    folder.children.delete(name);
    inode.links -= this.#isFolder(inode) ? 2 : 1;
    folder.modified = folder.changed = inode.changed = this.#now;
  }

  #resize(inode: Inode, size: number): void {
    if (size > this.most.bytes) fail(E.EFBIG, `${size} bytes`);
    if (size > inode.data.length) {
      const grown = new Uint8Array(Math.max(size, Math.min(2 * inode.data.length, this.most.bytes)));
      grown.set(inode.data.subarray(0, inode.size));
      inode.data = grown;
    } else inode.data.fill(0, size, inode.size);
    inode.size = size;
  }

  #writes(): void {
    if (this.readOnly) fail(E.EROFS, "a change");
  }
}
