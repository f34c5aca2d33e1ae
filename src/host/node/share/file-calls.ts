/**
 * The system calls of a shared folder on Linux, made through koffi. A descriptor that only names a file (O_PATH) is opened, changed
 * and asked for attributes through /proc/self/fd, where it stands for the file itself and no path is looked at again.
 * Answers lie in buffers that are made once.
 *
 * Sources: statx(2), statfs(2), getdents64(2), proc_pid_fd(5), <linux/stat.h>; layouts are those of 64-bit Linux.
 */
import { constants, fdatasyncSync, fsyncSync, readSync } from "node:fs";
import type { FileTime, FolderEntry } from "../../../share/file-backend.js";
import type { Koffi } from "../native-calls.js";
import { encodeDevice } from "./device-number.js";
import { isDots } from "./file-name.js";
import type { ChangingCalls, FolderReader, HostCalls, HostFileSystem, HostStat } from "./host-calls.js";
import { hostCall } from "./host-error.js";
import { Libc, type LibcCall } from "./libc.js";
import { AT, O_CLOEXEC, O_PATH, PATH_MAX, XATTR_MAX } from "./linux-numbers.js";
import { NativeChanges } from "./native-changes.js";

/** struct statx, which is the same everywhere. */
const STATX = {
  size: 256,
  blockSize: 0x04,
  links: 0x10,
  uid: 0x14,
  gid: 0x18,
  mode: 0x1c,
  ino: 0x20,
  length: 0x28,
  blocks: 0x30,
  accessed: 0x40,
  born: 0x50,
  changed: 0x60,
  modified: 0x70,
  rdevMajor: 0x80,
  rdevMinor: 0x84,
  devMajor: 0x88,
  devMinor: 0x8c,
  mount: 0x90,
} as const;
/** STATX_BASIC_STATS, STATX_BTIME and STATX_MNT_ID. */
const STATX_MASK = 0x1fff;
/** In a struct statx_timestamp: the nanoseconds stand behind the seconds. */
const NANOSECONDS = 8;

/** struct statfs. */
const STATFS = {
  size: 256,
  type: 0,
  blockSize: 8,
  blocks: 16,
  free: 24,
  available: 32,
  files: 40,
  filesFree: 48,
  longestName: 64,
  fragmentSize: 72,
} as const;

/** struct linux_dirent64. */
const DIRENT = { ino: 0, next: 8, length: 16, type: 18, name: 19 } as const;
/** A block of a folder's entries: some 2,000 of usual names. */
const FOLDER_BLOCK = 1 << 16;
const DOT = 0x2e;

/** lseek(2): from the beginning. */
const SEEK_SET = 0;
const MINOR_BITS = 20;

/** The calls that change nothing, and the others (native-changes.ts). Making it throws where the host's C library lacks one. */
export class FileCalls implements HostCalls {
  readonly changing: ChangingCalls;
  readonly #libc: Libc;
  readonly #openat: LibcCall;
  readonly #close: LibcCall;
  readonly #statx: LibcCall;
  readonly #fstatfs: LibcCall;
  readonly #readlinkat: LibcCall;
  readonly #lseek: LibcCall;
  readonly #getdents: LibcCall;
  readonly #getxattr: LibcCall;
  readonly #listxattr: LibcCall;
  readonly #facts = new Uint8Array(STATX.size);
  readonly #factsView = new DataView(this.#facts.buffer);
  readonly #system = new Uint8Array(STATFS.size);
  readonly #link = new Uint8Array(PATH_MAX);
  readonly #block = new Uint8Array(FOLDER_BLOCK);
  /** Made when the first attribute is asked for. */
  #attribute: Uint8Array | undefined;

  constructor(koffi: Koffi) {
    const libc = new Libc(koffi);
    this.#libc = libc;
    this.#openat = libc.bind("int openat(int, const void *, int, ...)");
    this.#close = libc.bind("int close(int)");
    this.#statx = libc.bind("int statx(int, const void *, int, uint32_t, void *)");
    this.#fstatfs = libc.bind("int fstatfs(int, void *)");
    this.#readlinkat = libc.bind("int64_t readlinkat(int, const void *, void *, size_t)");
    this.#lseek = libc.bind("int64_t lseek(int, int64_t, int)");
    // musl has it by another name.
    this.#getdents = libc.bindFirst(
      "int64_t getdents64(int, void *, size_t)",
      "int getdents(int, void *, size_t)",
    );
    this.#getxattr = libc.bind("int64_t getxattr(const void *, const void *, void *, size_t)");
    this.#listxattr = libc.bind("int64_t listxattr(const void *, void *, size_t)");
    this.changing = new NativeChanges(libc);
  }

  openRoot(path: string): number {
    const bytes = Buffer.from(`${path}\0`);
    return this.#open(AT.workingFolder, bytes, O_PATH | constants.O_DIRECTORY);
  }

  openName(folder: number, named: Uint8Array): number {
    return this.#open(folder, this.#libc.name.of(named), O_PATH | constants.O_NOFOLLOW);
  }

  close(descriptor: number): void {
    this.#close(descriptor);
  }

  stat(descriptor: number): HostStat {
    return this.#stat(descriptor, this.#libc.nothing, AT.emptyPath | AT.noAutomount);
  }

  statName(folder: number, named: Uint8Array): HostStat {
    return this.#stat(folder, this.#libc.name.of(named), AT.symlinkNofollow | AT.noAutomount);
  }

  fileSystem(descriptor: number): HostFileSystem {
    this.#libc.call("fstatfs", () => this.#fstatfs(descriptor, this.#system));
    return fileSystemOf(new DataView(this.#system.buffer));
  }

  readLink(descriptor: number): Uint8Array {
    const { nothing } = this.#libc;
    const link = this.#link;
    const length = this.#libc.call("readlinkat", () =>
      this.#readlinkat(descriptor, nothing, link, link.length),
    );
    return link.slice(0, length);
  }

  openFile(descriptor: number, flags: number): number {
    return this.#open(AT.workingFolder, this.#libc.self.of(descriptor), flags);
  }

  read(descriptor: number, offset: number, into: Uint8Array): number {
    return hostCall("pread", () => readSync(descriptor, into, 0, into.length, offset));
  }

  sync(descriptor: number, dataOnly: boolean): void {
    hostCall("fsync", () => (dataOnly ? fdatasyncSync(descriptor) : fsyncSync(descriptor)));
  }

  seek(descriptor: number, offset: number, whence: number): number {
    return this.#libc.call("lseek", () => this.#lseek(descriptor, offset, whence));
  }

  openFolder(descriptor: number): number {
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    return this.#open(descriptor, this.#libc.name.of(Uint8Array.of(DOT)), flags);
  }

  folderReader(descriptor: number): FolderReader {
    const block = this.#block;
    /** The host's own place in it; undefined: it is not known. */
    let at: bigint | undefined = 0n;
    return (from) => {
      if (at !== from) this.#libc.call("lseek", () => this.#lseek(descriptor, from, SEEK_SET));
      at = undefined;
      for (;;) {
        const length = this.#libc.call("getdents64", () => this.#getdents(descriptor, block, block.length));
        if (length === 0) return undefined;
        const read = entriesOf(block, length);
        at = read.next;
        if (read.entries.length > 0) return read;
      }
    };
  }

  getXattr(descriptor: number, named: Uint8Array): Uint8Array {
    const into = (this.#attribute ??= new Uint8Array(XATTR_MAX));
    const name = this.#libc.name.of(named);
    const path = this.#libc.self.of(descriptor);
    return into.slice(
      0,
      this.#libc.call("getxattr", () => this.#getxattr(path, name, into, into.length)),
    );
  }

  listXattr(descriptor: number): Uint8Array {
    const into = (this.#attribute ??= new Uint8Array(XATTR_MAX));
    const path = this.#libc.self.of(descriptor);
    return into.slice(
      0,
      this.#libc.call("listxattr", () => this.#listxattr(path, into, into.length)),
    );
  }

  #open(folder: number, path: Uint8Array, flags: number): number {
    return this.#libc.call("openat", () => this.#openat(folder, path, flags | O_CLOEXEC, "int", 0));
  }

  #stat(folder: number, path: Uint8Array, flags: number): HostStat {
    this.#libc.call("statx", () => this.#statx(folder, path, flags, STATX_MASK, this.#facts));
    return statOf(this.#factsView);
  }
}

const HIGH_WORD = 2 ** 32;

/** 64 bits without a sign, as a number. */
function numberAt(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * HIGH_WORD;
}

function timeAt(view: DataView, at: number): FileTime {
  return {
    seconds: view.getUint32(at, true) + view.getInt32(at + 4, true) * HIGH_WORD,
    nanoseconds: view.getUint32(at + NANOSECONDS, true),
  };
}

function statOf(view: DataView): HostStat {
  const born = timeAt(view, STATX.born);
  return {
    dev: view.getUint32(STATX.devMajor, true) * 2 ** MINOR_BITS + view.getUint32(STATX.devMinor, true),
    mount: view.getUint32(STATX.mount, true),
    ino: view.getBigUint64(STATX.ino, true),
    bornSeconds: born.seconds,
    bornNanoseconds: born.nanoseconds,
    mode: view.getUint16(STATX.mode, true),
    links: view.getUint32(STATX.links, true),
    uid: view.getUint32(STATX.uid, true),
    gid: view.getUint32(STATX.gid, true),
    rdev: encodeDevice(view.getUint32(STATX.rdevMajor, true), view.getUint32(STATX.rdevMinor, true)),
    size: numberAt(view, STATX.length),
    blocks: numberAt(view, STATX.blocks),
    blockSize: view.getUint32(STATX.blockSize, true),
    accessed: timeAt(view, STATX.accessed),
    modified: timeAt(view, STATX.modified),
    changed: timeAt(view, STATX.changed),
  };
}

function fileSystemOf(view: DataView): HostFileSystem {
  return {
    type: view.getUint32(STATFS.type, true),
    blocks: view.getBigUint64(STATFS.blocks, true),
    free: view.getBigUint64(STATFS.free, true),
    available: view.getBigUint64(STATFS.available, true),
    files: view.getBigUint64(STATFS.files, true),
    filesFree: view.getBigUint64(STATFS.filesFree, true),
    blockSize: numberAt(view, STATFS.fragmentSize) || numberAt(view, STATFS.blockSize),
    longestName: numberAt(view, STATFS.longestName),
  };
}

function entriesOf(block: Uint8Array, length: number): { entries: FolderEntry[]; next: bigint } {
  const view = new DataView(block.buffer);
  const entries: FolderEntry[] = [];
  let next = 0n;
  for (let at = 0; at < length; at += view.getUint16(at + DIRENT.length, true)) {
    next = view.getBigInt64(at + DIRENT.next, true);
    const start = at + DIRENT.name;
    const name = block.slice(start, block.indexOf(0, start));
    if (isDots(name)) continue;
    entries.push({
      name,
      ino: view.getBigUint64(at + DIRENT.ino, true),
      type: view.getUint8(at + DIRENT.type),
    });
  }
  return { entries, next };
}
