/**
 * What a shared folder asks of its host, a system call each: by descriptors that only name a file (O_PATH) and one name below,
 * never by a path. Two have it: koffi (file-calls.ts), and Node's own calls (node-calls.ts), which cannot change anything so.
 *
 * What the host refuses is a FileError with Linux's number. Names and targets are the caller's to check.
 */
import type { FileTime, FolderEntry } from "../../../share/file-backend.js";

/** As statx(2) has it. */
export interface HostStat {
  /** major << 20 | minor. */
  readonly dev: number;
  /** Which mount it was reached through; 0 where the host does not say. */
  readonly mount: number;
  readonly ino: bigint;
  /** When it was made; seconds and nanoseconds, 0 where the file system does not know. */
  readonly bornSeconds: number;
  readonly bornNanoseconds: number;
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** As FileAttributes has it. */
  readonly rdev: number;
  readonly size: number;
  readonly blocks: number;
  readonly blockSize: number;
  readonly accessed: FileTime;
  readonly modified: FileTime;
  readonly changed: FileTime;
}

/** As statfs(2) has it. */
export interface HostFileSystem {
  readonly type: number;
  readonly blocks: bigint;
  readonly free: bigint;
  readonly available: bigint;
  readonly files: bigint;
  readonly filesFree: bigint;
  readonly blockSize: number;
  readonly longestName: number;
}

/** Some entries of a folder, and the place behind them. */
export interface FolderBlock {
  readonly entries: readonly FolderEntry[];
  readonly next: bigint;
}

/** A folder's entries from a place on that an earlier block gave, 0 being the first; undefined at the end. */
export type FolderReader = (from: bigint) => FolderBlock | undefined;

export interface HostCalls {
  /** A descriptor of a folder by its path, links followed: the share's root. */
  openRoot(path: string): number;
  /** A descriptor that names what the folder has by that name; of a link the link itself. It opens nothing. */
  openName(folder: number, name: Uint8Array): number;
  close(descriptor: number): void;
  stat(descriptor: number): HostStat;
  /** Of what the folder has by that name; of a link the link itself. */
  statName(folder: number, name: Uint8Array): HostStat;
  fileSystem(descriptor: number): HostFileSystem;
  /** The target of a link; `folder` and `name` say where it was found. */
  readLink(descriptor: number, folder: number, name: Uint8Array): Uint8Array;

  /** Opens what the descriptor names, which the caller knows to be a regular file. `flags`: the host's. */
  openFile(descriptor: number, flags: number): number;
  /** As pread(2): it may be less than was asked for. */
  read(descriptor: number, offset: number, into: Uint8Array): number;
  sync(descriptor: number, dataOnly: boolean): void;
  seek(descriptor: number, offset: number, whence: number): number;
  openFolder(descriptor: number): number;
  /** Entries but "." and "..", with the host's own inode numbers. */
  folderReader(descriptor: number): FolderReader;

  getXattr(descriptor: number, name: Uint8Array): Uint8Array;
  listXattr(descriptor: number): Uint8Array;

  /** What changes something; absent: nothing can be changed by these calls. */
  readonly changing?: ChangingCalls;
}

export interface ChangingCalls {
  /** As pwrite(2). */
  write(descriptor: number, offset: number, from: Uint8Array): number;
  /** Makes a file that must not be there yet, and opens it. `flags`: the host's. */
  createFile(folder: number, name: Uint8Array, flags: number, mode: number): number;
  /** A descriptor that names a file which is open. */
  nameOf(descriptor: number): number;
  makeFolder(folder: number, name: Uint8Array, mode: number): void;
  makeNode(folder: number, name: Uint8Array, mode: number): void;
  symlink(target: Uint8Array, folder: number, name: Uint8Array): void;
  link(descriptor: number, folder: number, name: Uint8Array): void;
  remove(folder: number, name: Uint8Array, isFolder: boolean): void;
  rename(folder: number, name: Uint8Array, newFolder: number, newName: Uint8Array, flags: number): void;

  changeOwner(descriptor: number, uid: number | undefined, gid: number | undefined): void;
  /** Of anything but a link. */
  changeMode(descriptor: number, mode: number): void;
  /** Of a regular file that the descriptor names; `isOpen`: it is open for writing by it. */
  truncate(descriptor: number, size: number, isOpen: boolean): void;
  changeTimes(
    descriptor: number,
    accessed: FileTime | "now" | undefined,
    modified: FileTime | "now" | undefined,
  ): void;
  allocate(descriptor: number, mode: number, offset: number, length: number): void;
  setXattr(descriptor: number, name: Uint8Array, value: Uint8Array, flags: number): void;
  removeXattr(descriptor: number, name: Uint8Array): void;
  /** Files that are made while `make` runs belong to these; only root may ask for others than itself. */
  actingAs<T>(uid: number, gid: number, make: () => T): T;
}
