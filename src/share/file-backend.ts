/**
 * A folder that a guest is given, as the protocols see it that carry it there (FUSE, 9P): a tree of nodes that are reached by
 * name from the root, never by a path. Who has the files, and how it keeps every name inside the folder, is the back end's business.
 *
 * Names are bytes, as on Linux: not empty, not "." or "..", without "/" and NUL; a back end refuses others with EINVAL.
 * Calls come back when they are done. What the host refuses is a FileError and has changed nothing; what a guest gets wrong is one too.
 */

/** Refused, with the number that Linux has for it. */
export class FileError extends Error {
  override readonly name = "FileError";
  constructor(
    /** As in <errno.h> of Linux, positive. */
    readonly errno: number,
    what: string,
  ) {
    super(`${what}: error ${errno}`);
  }
}

/** A file, folder or anything else that was looked up, until it is forgotten as often as it was looked up. */
export type FileNode = number;
/** A file or folder that is open. */
export type FileHandle = number;

/** Seconds since 1970 and nanoseconds below 10^9. */
export interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What is known of a node. */
export interface FileAttributes {
  /** The same for the same file as long as it exists, and of no other file of the share. */
  readonly ino: bigint;
  /** Type and permissions, as in stat(2). */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a device: major << 8 | minor as Linux encodes it (`new_encode_dev`). */
  readonly rdev: number;
  readonly size: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  /** The best size of a read. */
  readonly blockSize: number;
  readonly accessed: FileTime;
  readonly modified: FileTime;
  readonly changed: FileTime;
}

/** What `setAttributes` changes; absent is left alone. "now": the host's clock at the call. */
export interface FileChanges {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly accessed?: FileTime | "now";
  readonly modified?: FileTime | "now";
  /** The open file by which it is changed, where the guest said so. */
  readonly handle?: FileHandle;
}

/** What a new file is made with: its permissions with the guest's umask applied, and who asks. */
export interface NewFile {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A node that was looked up, once. */
export interface FoundNode {
  readonly node: FileNode;
  readonly attributes: FileAttributes;
}

export interface FolderEntry {
  readonly name: Uint8Array;
  readonly ino: bigint;
  /** The type bits of its mode, shifted as readdir(3) has them (DT_REG = 8 …); 0 where the host did not say. */
  readonly type: number;
}

/** As statfs(2) has it. */
export interface FileSystemFacts {
  readonly blocks: bigint;
  readonly free: bigint;
  readonly available: bigint;
  readonly files: bigint;
  readonly filesFree: bigint;
  readonly blockSize: number;
  readonly longestName: number;
}

/** Flags of open(2), Linux's numbers on x86: the access mode, O_APPEND, O_TRUNC, O_EXCL, O_DIRECT, O_SYNC. Others are ignored. */
export type OpenFlags = number;

export interface FileBackend {
  /** Nothing can be changed: calls that would are EROFS. */
  readonly readOnly: boolean;
  /** The folder itself; it is never forgotten. */
  readonly root: FileNode;

  /** Nothing is looked up and nothing open any more, as at the beginning: a guest starts anew. Never throws. */
  startAgain(): void;

  /** Looks a name up; its count of lookups grows by one. Never follows a link. */
  lookup(parent: FileNode, name: Uint8Array): FoundNode;
  /** Takes back `count` lookups; the node is gone when none is left. Never throws. */
  forget(node: FileNode, count: number): void;
  attributes(node: FileNode, handle?: FileHandle): FileAttributes;
  setAttributes(node: FileNode, changes: FileChanges): FileAttributes;
  /** The target of a symbolic link; it is the guest's to follow. */
  readLink(node: FileNode): Uint8Array;

  symlink(parent: FileNode, name: Uint8Array, target: Uint8Array, made: NewFile): FoundNode;
  /** A file, FIFO or socket; devices are EPERM. `made.mode` has the type. */
  makeNode(parent: FileNode, name: Uint8Array, made: NewFile, rdev: number): FoundNode;
  makeFolder(parent: FileNode, name: Uint8Array, made: NewFile): FoundNode;
  removeFile(parent: FileNode, name: Uint8Array): void;
  removeFolder(parent: FileNode, name: Uint8Array): void;
  /** `flags`: as renameat2(2) has them; EINVAL for those that the host does not know. */
  rename(parent: FileNode, name: Uint8Array, newParent: FileNode, newName: Uint8Array, flags: number): void;
  link(node: FileNode, newParent: FileNode, newName: Uint8Array): FoundNode;

  /** Opens a regular file; nothing else is opened (a FIFO would wait): EACCES. */
  open(node: FileNode, flags: OpenFlags): FileHandle;
  /** Makes a regular file and opens it, or opens the one that is there unless O_EXCL is among `flags`. */
  create(
    parent: FileNode,
    name: Uint8Array,
    made: NewFile,
    flags: OpenFlags,
  ): FoundNode & { readonly handle: FileHandle };
  /** How many bytes there were, from `offset` on: fewer than `into` has only at the end of the file. */
  read(handle: FileHandle, offset: number, into: Uint8Array): number;
  /** How many bytes were written. */
  write(handle: FileHandle, offset: number, from: Uint8Array): number;
  /** What was written is on the disk when this comes back. `dataOnly`: as fdatasync(2). */
  sync(handle: FileHandle, dataOnly: boolean): void;
  allocate(handle: FileHandle, mode: number, offset: number, length: number): void;
  /** SEEK_DATA (3) and SEEK_HOLE (4) of lseek(2). */
  seek(handle: FileHandle, offset: number, whence: number): number;
  /** Closes it. Never throws. */
  release(handle: FileHandle): void;

  openFolder(node: FileNode): FileHandle;
  /**
   * Entries from the `from`th on, "." and ".." left out, as they stood when the folder was opened or last read from 0; at most `most`.
   * No node is looked up by it.
   */
  readFolder(handle: FileHandle, from: number, most: number): readonly FolderEntry[];
  releaseFolder(handle: FileHandle): void;
  /** Names and entries that were changed in a folder are on the disk. */
  syncFolder(handle: FileHandle): void;

  facts(): FileSystemFacts;

  /** Extended attributes; ENODATA where there is none of that name, EOPNOTSUPP where the host has none at all. */
  getXattr(node: FileNode, name: Uint8Array): Uint8Array;
  /** Names, each ended by NUL, as listxattr(2) gives them. */
  listXattr(node: FileNode): Uint8Array;
  /** `flags`: XATTR_CREATE 1, XATTR_REPLACE 2. */
  setXattr(node: FileNode, name: Uint8Array, value: Uint8Array, flags: number): void;
  removeXattr(node: FileNode, name: Uint8Array): void;
}
