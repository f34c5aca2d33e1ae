/**
 * A folder of the host that a guest is given. Nodes are descriptors of the host's (node-table.ts), names are one step below one, and
 * only regular files and folders are ever opened, so that no request waits and none leads outside.
 */
import { constants } from "node:fs";
import {
  FileError,
  type FileAttributes,
  type FileBackend,
  type FileChanges,
  type FileHandle,
  type FileNode,
  type FileSystemFacts,
  type FolderEntry,
  type FoundNode,
  type NewFile,
  type OpenFlags,
} from "../../../share/file-backend.js";
import type { ShareOwner } from "../../../share/share-options.js";
import type { ChangingCalls, HostCalls, HostStat } from "./host-calls.js";
import { checkedName } from "./file-name.js";
import { InodeNumbers } from "./inode-numbers.js";
import {
  ERRNO,
  GUEST_OPEN,
  MODE,
  NAME_MAX,
  PATH_MAX,
  SEEK_DATA,
  SEEK_HOLE,
  XATTR_MAX,
} from "./linux-numbers.js";
import { NodeTable, type Node, type NodeLimits, type SeenNode } from "./node-table.js";
import { OpenFolder } from "./open-folder.js";

export interface HostFolderOptions {
  readonly readOnly: boolean;
  /** Who files belong to, as the guest sees it: as on the host, or one for all. */
  readonly owner: "host" | ShareOwner;
  readonly limits: NodeLimits & {
    /** Files and folders that are open at a time. */
    readonly handles: number;
  };
}

/** A regular file that is open. */
interface OpenFile {
  readonly node: Node;
  readonly descriptor: number;
  readonly isWritten: boolean;
}
interface OpenFolderOf {
  readonly node: Node;
  readonly folder: OpenFolder;
}

/** Extended attributes of this name space only are a guest's. */
const USER_NAMES = "user.";
/** rename(2): not over another, exchange, leave a whiteout. */
const RENAME_FLAGS = 0b111;
const RENAME_EXCHANGE = 0b10;
/** fallocate(2): keep the size, punch, collapse, zero, insert, unshare. */
const ALLOCATE_MODES = 0b1111011;
const XATTR_FLAGS = 0b11;
/** A file that comes and goes while it is made: so often it is looked at again. */
const MOST_TRIES = 8;
/** Users and groups have numbers below this, which says "leave it". */
const NO_USER = 0xffffffff;

export class HostFolder implements FileBackend {
  readonly readOnly: boolean;
  readonly root: FileNode;
  readonly #calls: HostCalls;
  readonly #owner: "host" | ShareOwner;
  readonly #mostHandles: number;
  readonly #table: NodeTable;
  readonly #inodes: InodeNumbers;
  readonly #files = new Map<FileHandle, OpenFile>();
  readonly #folders = new Map<FileHandle, OpenFolderOf>();
  readonly #isRoot = process.geteuid?.() === 0;
  #nextHandle: FileHandle = 1;

  /** `descriptor`: the folder's, which belongs to this from now on. Throws FileError. */
  constructor(calls: HostCalls, descriptor: number, { readOnly, owner, limits }: HostFolderOptions) {
    this.#calls = calls;
    this.#owner = owner;
    this.#mostHandles = limits.handles;
    this.readOnly = readOnly || calls.changing === undefined;
    this.#inodes = new InodeNumbers(calls.stat(descriptor).dev);
    this.#table = new NodeTable(calls, descriptor, limits);
    this.root = this.#table.root.id;
    if (this.#table.isKernels) throw new FileError(ERRNO.EINVAL, "files that are the kernel's own");
  }

  /** Nodes that the guest knows, the root and folders above them; for tests. */
  get nodes(): number {
    return this.#table.size;
  }

  lookup(parent: FileNode, name: Uint8Array): FoundNode {
    return this.#found(this.#table.lookup(this.#table.find(parent), checkedName(name)));
  }

  forget(node: FileNode, count: number): void {
    this.#table.forget(node, count);
  }

  attributes(node: FileNode, handle?: FileHandle): FileAttributes {
    const known = this.#table.find(node);
    const open = handle === undefined ? undefined : this.#files.get(handle);
    const descriptor = open?.node === known ? open.descriptor : this.#table.descriptor(known);
    return this.#attributesOf(this.#calls.stat(descriptor));
  }

  readLink(node: FileNode): Uint8Array {
    const link = this.#notKernels(this.#table.find(node));
    if (link.type !== MODE.link || link.parent === undefined) throw new FileError(ERRNO.EINVAL, "readlink");
    const { parent, name } = link;
    return this.#holding(parent, (folder) =>
      this.#calls.readLink(this.#table.descriptor(link), folder, name),
    );
  }

  open(node: FileNode, flags: OpenFlags): FileHandle {
    const file = this.#notKernels(this.#table.find(node));
    if (file.type !== MODE.file) throw new FileError(ERRNO.EACCES, "open");
    const host = hostFlags(flags);
    if (isWriting(host) || (host & constants.O_TRUNC) !== 0) this.#changing();
    const descriptor = this.#opening(file, (named) => {
      if (isWriting(host) || (host & constants.O_TRUNC) !== 0) this.#disarm(named);
      return this.#calls.openFile(named, host);
    });
    return this.#opened(file, descriptor, isWriting(host));
  }

  read(handle: FileHandle, offset: number, into: Uint8Array): number {
    const { descriptor } = this.#file(handle);
    checkNumber(offset);
    let done = 0;
    while (done < into.length && Number.isSafeInteger(offset + into.length)) {
      const rest = done === 0 ? into : into.subarray(done);
      const count = this.#calls.read(descriptor, offset + done, rest);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  sync(handle: FileHandle, dataOnly: boolean): void {
    this.#calls.sync(this.#file(handle).descriptor, dataOnly);
  }

  seek(handle: FileHandle, offset: number, whence: number): number {
    const { descriptor } = this.#file(handle);
    checkNumber(offset);
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) throw new FileError(ERRNO.EINVAL, "lseek");
    return this.#calls.seek(descriptor, offset, whence);
  }

  release(handle: FileHandle): void {
    const open = this.#files.get(handle);
    if (open === undefined) return;
    this.#files.delete(handle);
    this.#calls.close(open.descriptor);
    this.#table.letGo(open.node);
  }

  /** As FileBackend has it. A file is made with neither S_ISUID nor S_ISGID. */
  create(
    parent: FileNode,
    name: Uint8Array,
    made: NewFile,
    flags: OpenFlags,
  ): FoundNode & { readonly handle: FileHandle } {
    const changing = this.#changing();
    const folder = this.#table.find(parent);
    const own = checkedName(name);
    const host = hostFlags(flags);
    for (let tries = 1; ; tries++) {
      try {
        return this.#createNew(changing, folder, own, made, host);
      } catch (error) {
        const isThere = error instanceof FileError && error.errno === ERRNO.EEXIST;
        if (!isThere || (flags & GUEST_OPEN.exclusive) !== 0) throw error;
      }
      try {
        return this.#openFound(this.#table.lookup(folder, own), flags);
      } catch (error) {
        const isAway = error instanceof FileError && error.errno === ERRNO.ENOENT;
        if (!isAway || tries === MOST_TRIES) throw error;
      }
    }
  }

  write(handle: FileHandle, offset: number, from: Uint8Array): number {
    const changing = this.#changing();
    const { descriptor } = this.#written(handle);
    checkNumber(offset);
    if (!Number.isSafeInteger(offset + from.length)) throw new FileError(ERRNO.EFBIG, "write");
    let done = 0;
    while (done < from.length) {
      try {
        const rest = done === 0 ? from : from.subarray(done);
        const count = changing.write(descriptor, offset + done, rest);
        if (count === 0) break;
        done += count;
      } catch (error) {
        // What was written stays written; the next call is told why no more.
        if (done === 0) throw error;
        break;
      }
    }
    return done;
  }

  allocate(handle: FileHandle, mode: number, offset: number, length: number): void {
    const changing = this.#changing();
    const { descriptor } = this.#written(handle);
    checkNumber(offset);
    checkNumber(length);
    if ((mode & ~ALLOCATE_MODES) !== 0) throw new FileError(ERRNO.EOPNOTSUPP, "fallocate");
    changing.allocate(descriptor, mode, offset, length);
  }

  /** As FileBackend has it. S_ISUID is left out, and S_ISGID of all but folders. */
  setAttributes(node: FileNode, changes: FileChanges): FileAttributes {
    const changing = this.#changing();
    const known = this.#notKernels(this.#table.find(node));
    const descriptor = this.#table.descriptor(known);
    const { uid, gid, mode, size, accessed, modified, handle } = changes;
    if (uid !== undefined || gid !== undefined) this.#changeOwner(changing, descriptor, uid, gid);
    if (mode !== undefined) {
      if (known.type === MODE.link) throw new FileError(ERRNO.EOPNOTSUPP, "chmod");
      changing.changeMode(descriptor, harmless(mode, known.type));
    }
    if (size !== undefined) {
      if (known.type !== MODE.file)
        throw new FileError(known.type === MODE.folder ? ERRNO.EISDIR : ERRNO.EINVAL, "truncate");
      checkNumber(size);
      const open = handle === undefined ? undefined : this.#files.get(handle);
      this.#disarm(descriptor);
      if (open?.isWritten === true && open.node === known) changing.truncate(open.descriptor, size, true);
      else changing.truncate(descriptor, size, false);
    }
    if (accessed !== undefined || modified !== undefined) {
      checkTime(accessed);
      checkTime(modified);
      changing.changeTimes(descriptor, accessed, modified);
    }
    return this.#attributesOf(this.#calls.stat(descriptor));
  }

  symlink(parent: FileNode, name: Uint8Array, target: Uint8Array, made: NewFile): FoundNode {
    if (target.length === 0) throw new FileError(ERRNO.ENOENT, "symlink");
    if (target.length >= PATH_MAX) throw new FileError(ERRNO.ENAMETOOLONG, "symlink");
    // Copied before it is looked at, as names are.
    const own = new Uint8Array(target);
    if (own.includes(0)) throw new FileError(ERRNO.EINVAL, "symlink");
    return this.#make(parent, name, { ...made, mode: MODE.link }, (changing, folder, named) =>
      changing.symlink(own, folder, named),
    );
  }

  makeNode(parent: FileNode, name: Uint8Array, made: NewFile, _rdev: number): FoundNode {
    const type = made.mode & MODE.type || MODE.file;
    const { readOnly } = this;
    if (!readOnly && type !== MODE.file && type !== MODE.fifo && type !== MODE.socket)
      throw new FileError(ERRNO.EPERM, "mknod");
    const mode = type | harmless(made.mode, type);
    return this.#make(parent, name, { ...made, mode }, (changing, folder, named) =>
      changing.makeNode(folder, named, mode),
    );
  }

  makeFolder(parent: FileNode, name: Uint8Array, made: NewFile): FoundNode {
    // What a folder inherits of its parent's is the host's to say.
    const mode = harmless(made.mode, MODE.file);
    return this.#make(parent, name, { ...made, mode: MODE.folder | mode }, (changing, folder, named) =>
      changing.makeFolder(folder, named, mode),
    );
  }

  removeFile(parent: FileNode, name: Uint8Array): void {
    this.#remove(parent, name, false);
  }

  removeFolder(parent: FileNode, name: Uint8Array): void {
    this.#remove(parent, name, true);
  }

  rename(parent: FileNode, name: Uint8Array, newParent: FileNode, newName: Uint8Array, flags: number): void {
    const changing = this.#changing();
    const from = this.#table.find(parent);
    const to = this.#table.find(newParent);
    const own = checkedName(name);
    const newOwn = checkedName(newName);
    if ((flags & ~RENAME_FLAGS) !== 0) throw new FileError(ERRNO.EINVAL, "renameat2");
    this.#holding(from, (folder) =>
      this.#holding(to, (newFolder) => changing.rename(folder, own, newFolder, newOwn, flags)),
    );
    this.#table.moved(to, newOwn);
    if ((flags & RENAME_EXCHANGE) !== 0) this.#table.moved(from, own);
  }

  link(node: FileNode, newParent: FileNode, newName: Uint8Array): FoundNode {
    const changing = this.#changing();
    const known = this.#notKernels(this.#table.find(node));
    const folder = this.#table.find(newParent);
    const own = checkedName(newName);
    this.#holding(folder, (descriptor) => changing.link(this.#table.descriptor(known), descriptor, own));
    return this.#found(this.#table.lookup(folder, own));
  }

  openFolder(node: FileNode): FileHandle {
    const folder = this.#table.find(node);
    if (folder.type !== MODE.folder) throw new FileError(ERRNO.ENOTDIR, "opendir");
    if (folder.mount.isKernels) throw new FileError(ERRNO.EACCES, "the kernel's own files");
    const descriptor = this.#opening(folder, (named) => this.#calls.openFolder(named));
    const handle = this.#nextHandle++;
    const open = new OpenFolder(descriptor, this.#calls.folderReader(descriptor));
    this.#folders.set(handle, { node: folder, folder: open });
    this.#table.hold(folder);
    return handle;
  }

  readFolder(handle: FileHandle, from: number, most: number): readonly FolderEntry[] {
    const { folder, node } = this.#folder(handle);
    const device = node.mount.device;
    return folder
      .entries(from, most)
      .map(({ name, ino, type }) => ({ name, type, ino: this.#inodes.of(device, ino) }));
  }

  releaseFolder(handle: FileHandle): void {
    const open = this.#folders.get(handle);
    if (open === undefined) return;
    this.#folders.delete(handle);
    this.#calls.close(open.folder.descriptor);
    this.#table.letGo(open.node);
  }

  syncFolder(handle: FileHandle): void {
    this.#calls.sync(this.#folder(handle).folder.descriptor, false);
  }

  facts(): FileSystemFacts {
    const system = this.#calls.fileSystem(this.#table.descriptor(this.#table.root));
    const { blocks, free, available, files, filesFree, blockSize, longestName } = system;
    return { blocks, free, available, files, filesFree, blockSize, longestName };
  }

  getXattr(node: FileNode, name: Uint8Array): Uint8Array {
    const own = attributeName(name);
    return this.#calls.getXattr(this.#withAttributes(node), own);
  }

  listXattr(node: FileNode): Uint8Array {
    const names = Buffer.from(this.#calls.listXattr(this.#withAttributes(node))).toString("latin1");
    const users = names.split("\0").filter((name) => name.startsWith(USER_NAMES));
    return new Uint8Array(Buffer.from(users.map((name) => `${name}\0`).join(""), "latin1"));
  }

  setXattr(node: FileNode, name: Uint8Array, value: Uint8Array, flags: number): void {
    const changing = this.#changing();
    const own = attributeName(name);
    if (value.length > XATTR_MAX) throw new FileError(ERRNO.ERANGE, "setxattr");
    if ((flags & ~XATTR_FLAGS) !== 0) throw new FileError(ERRNO.EINVAL, "setxattr");
    changing.setXattr(this.#withAttributes(node), own, value, flags);
  }

  removeXattr(node: FileNode, name: Uint8Array): void {
    const changing = this.#changing();
    changing.removeXattr(this.#withAttributes(node), attributeName(name));
  }

  startAgain(): void {
    for (const handle of [...this.#files.keys()]) this.release(handle);
    for (const handle of [...this.#folders.keys()]) this.releaseFolder(handle);
    this.#table.forgetAll();
  }

  /** Closes everything; nothing is to be called after it. */
  close(): void {
    this.startAgain();
    this.#table.close();
  }

  /** The calls that change something. Throws FileError where nothing may be changed. */
  #changing(): ChangingCalls {
    const { changing } = this.#calls;
    if (this.readOnly || changing === undefined) throw new FileError(ERRNO.EROFS, "read-only");
    return changing;
  }

  #file(handle: FileHandle): OpenFile {
    const open = this.#files.get(handle);
    if (open === undefined) throw new FileError(ERRNO.EBADF, "no such file is open");
    return open;
  }

  #written(handle: FileHandle): OpenFile {
    const open = this.#file(handle);
    if (!open.isWritten) throw new FileError(ERRNO.EBADF, "it is not open for writing");
    return open;
  }

  #folder(handle: FileHandle): OpenFolderOf {
    const open = this.#folders.get(handle);
    if (open === undefined) throw new FileError(ERRNO.EBADF, "no such folder is open");
    return open;
  }

  #notKernels(node: Node): Node {
    if (node.mount.isKernels) throw new FileError(ERRNO.EACCES, "the kernel's own files");
    return node;
  }

  /** A descriptor of a node that has extended attributes. */
  #withAttributes(id: FileNode): number {
    const node = this.#notKernels(this.#table.find(id));
    // As virtiofsd: "user." attributes are of files and folders.
    if (node.type === MODE.link) throw new FileError(ERRNO.EOPNOTSUPP, "attributes of a link");
    return this.#table.descriptor(node);
  }

  /** Does something with a folder's descriptor, which stays open meanwhile. */
  #holding<T>(folder: Node, use: (descriptor: number) => T): T {
    const descriptor = this.#table.folderDescriptor(folder);
    this.#table.hold(folder);
    try {
      return use(descriptor);
    } finally {
      this.#table.letGo(folder);
    }
  }

  /** Opens something by a node's descriptor; where the process has none left, after others were closed. */
  #opening(node: Node, open: (descriptor: number) => number): number {
    this.#checkHandles();
    const named = this.#table.descriptor(node);
    try {
      return open(named);
    } catch (error) {
      if (!(error instanceof FileError) || error.errno !== ERRNO.EMFILE) throw error;
      if (!this.#table.closeSome()) throw error;
      return open(named);
    }
  }

  #checkHandles(): void {
    if (this.#files.size + this.#folders.size >= this.#mostHandles)
      throw new FileError(ERRNO.EMFILE, "too many files are open");
  }

  #opened(node: Node, descriptor: number, isWritten: boolean): FileHandle {
    const handle = this.#nextHandle++;
    this.#files.set(handle, { node, descriptor, isWritten });
    this.#table.hold(node);
    return handle;
  }

  #found({ node, facts }: SeenNode): FoundNode {
    return { node: node.id, attributes: this.#attributesOf(facts) };
  }

  #attributesOf(facts: HostStat): FileAttributes {
    const { uid, gid } = this.#owner === "host" ? facts : this.#owner;
    // One literal: a spread takes longer than the system call.
    return {
      ino: this.#inodes.of(facts.dev, facts.ino),
      mode: facts.mode,
      links: facts.links,
      uid,
      gid,
      rdev: facts.rdev,
      size: facts.size,
      blocks: facts.blocks,
      blockSize: facts.blockSize,
      accessed: facts.accessed,
      modified: facts.modified,
      changed: facts.changed,
    };
  }

  /** Takes S_ISUID and S_ISGID of a file that is about to be written: where root writes, the host does not. */
  #disarm(descriptor: number): void {
    if (!this.#isRoot) return;
    const { mode } = this.#calls.stat(descriptor);
    const left = harmless(mode, MODE.file);
    if (left !== (mode & MODE.changeable)) this.#changing().changeMode(descriptor, left);
  }

  #changeOwner(
    changing: ChangingCalls,
    descriptor: number,
    uid: number | undefined,
    gid: number | undefined,
  ): void {
    checkUser(uid);
    checkUser(gid);
    const owner = this.#owner === "host" ? this.#calls.stat(descriptor) : this.#owner;
    const newUid = uid === owner.uid ? undefined : uid;
    const newGid = gid === owner.gid ? undefined : gid;
    if (newUid === undefined && newGid === undefined) return;
    if (this.#owner !== "host") throw new FileError(ERRNO.EPERM, "chown");
    changing.changeOwner(descriptor, newUid, newGid);
  }

  /** Makes something as who asks for it: where locore is root and owners are the host's. */
  #as<T>(changing: ChangingCalls, { uid, gid }: NewFile, make: () => T): T {
    if (!this.#isRoot || this.#owner !== "host") return make();
    checkUser(uid);
    checkUser(gid);
    return changing.actingAs(uid, gid, make);
  }

  #make(
    parent: FileNode,
    name: Uint8Array,
    made: NewFile,
    make: (changing: ChangingCalls, folder: number, name: Uint8Array) => void,
  ): FoundNode {
    const changing = this.#changing();
    const folder = this.#table.find(parent);
    const own = checkedName(name);
    const seen = this.#holding(folder, (descriptor) => {
      this.#as(changing, made, () => make(changing, descriptor, own));
      return this.#table.lookup(folder, own);
    });
    return this.#found(this.#withMode(changing, seen, made.mode));
  }

  /** Gives what was made the permissions that the process's umask took from it. */
  #withMode(changing: ChangingCalls, seen: SeenNode, mode: number): SeenNode {
    const { node, facts } = seen;
    const wanted = harmless(mode, MODE.file);
    const isIt = (facts.mode & MODE.type) === (mode & MODE.type);
    if (!isIt || node.type === MODE.link || (wanted & ~facts.mode) === 0) return seen;
    const descriptor = this.#table.descriptor(node);
    changing.changeMode(descriptor, (facts.mode & MODE.changeable) | wanted);
    return { node, facts: this.#calls.stat(descriptor) };
  }

  #createNew(
    changing: ChangingCalls,
    folder: Node,
    name: Uint8Array,
    made: NewFile,
    flags: number,
  ): FoundNode & { readonly handle: FileHandle } {
    const mode = harmless(made.mode, MODE.file);
    const descriptor = this.#opening(folder, () => {
      const parent = this.#table.folderDescriptor(folder);
      return this.#as(changing, made, () => changing.createFile(parent, name, flags, mode));
    });
    try {
      const seen = this.#table.adopt(folder, name, changing.nameOf(descriptor));
      const found = this.#found(this.#withMode(changing, seen, MODE.file | mode));
      return { ...found, handle: this.#opened(seen.node, descriptor, isWriting(flags)) };
    } catch (error) {
      this.#calls.close(descriptor);
      throw error;
    }
  }

  #openFound({ node }: SeenNode, flags: OpenFlags): FoundNode & { readonly handle: FileHandle } {
    try {
      const handle = this.open(node.id, flags);
      return { node: node.id, attributes: this.attributes(node.id, handle), handle };
    } catch (error) {
      this.#table.forget(node.id, 1);
      throw error;
    }
  }

  #remove(parent: FileNode, name: Uint8Array, isFolder: boolean): void {
    const changing = this.#changing();
    const folder = this.#table.find(parent);
    changing.remove(this.#table.folderDescriptor(folder), checkedName(name), isFolder);
  }
}

/** A name of an attribute that a guest may have. Throws FileError. */
function attributeName(name: Uint8Array): Uint8Array {
  if (name.length > NAME_MAX) throw new FileError(ERRNO.ERANGE, "attribute");
  const own = new Uint8Array(name);
  if (own.includes(0)) throw new FileError(ERRNO.EINVAL, "attribute");
  if (!Buffer.from(own).toString("latin1").startsWith(USER_NAMES))
    throw new FileError(ERRNO.EOPNOTSUPP, "attribute");
  return own;
}

/** What a guest asks of an open file, in the host's flags; nothing waits. O_DIRECT is left out: memory has no right places for it. */
function hostFlags(flags: OpenFlags): number {
  const access = flags & GUEST_OPEN.accessMode;
  if (access === GUEST_OPEN.accessMode) throw new FileError(ERRNO.EINVAL, "open");
  const has = (flag: number): boolean => (flags & flag) === flag;
  return (
    access |
    constants.O_NONBLOCK |
    (has(GUEST_OPEN.truncate) ? constants.O_TRUNC : 0) |
    (has(GUEST_OPEN.append) ? constants.O_APPEND : 0) |
    (has(GUEST_OPEN.sync) ? constants.O_SYNC : 0) |
    (has(GUEST_OPEN.dataSync) ? constants.O_DSYNC : 0)
  );
}

function isWriting(flags: number): boolean {
  return (flags & GUEST_OPEN.accessMode) !== GUEST_OPEN.readOnly;
}

/** Permissions that give nobody on the host another's rights: no S_ISUID, and S_ISGID of folders only, where it is inherited. */
function harmless(mode: number, type: number): number {
  return mode & MODE.changeable & ~MODE.setUid & ~(type === MODE.folder ? 0 : MODE.setGid);
}

function checkNumber(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new FileError(ERRNO.EINVAL, "a number");
}

function checkUser(id: number | undefined): void {
  if (id !== undefined && (!Number.isInteger(id) || id < 0 || id >= NO_USER))
    throw new FileError(ERRNO.EINVAL, "an owner");
}

const NANOSECONDS = 10 ** 9;

function checkTime(time: FileChanges["accessed"]): void {
  if (typeof time !== "object") return;
  const { seconds, nanoseconds } = time;
  const isPart = Number.isInteger(nanoseconds) && nanoseconds >= 0 && nanoseconds < NANOSECONDS;
  if (!Number.isSafeInteger(seconds) || !isPart) throw new FileError(ERRNO.EINVAL, "a time");
}
