/**
 * The system calls of a shared folder that change something, on Linux, made through koffi.
 *
 * Sources: utimensat(2), fallocate(2), renameat2(2), setfsuid(2), <linux/stat.h>; layouts are those of 64-bit Linux.
 */
import { constants, ftruncateSync, writeSync } from "node:fs";
import { FileError, type FileTime } from "../../../share/file-backend.js";
import type { ChangingCalls } from "./host-calls.js";
import { hostCall } from "./host-error.js";
import type { Libc, LibcCall } from "./libc.js";
import { AT, ERRNO, O_CLOEXEC, O_PATH } from "./linux-numbers.js";

/** Two struct timespec. */
const TIMES = { size: 32, modified: 16, nanoseconds: 8 } as const;
const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;
/** chown(2): leave it. */
const SAME_OWNER = 0xffffffff;

export class NativeChanges implements ChangingCalls {
  readonly #libc: Libc;
  readonly #openat: LibcCall;
  readonly #mkdirat: LibcCall;
  readonly #mknodat: LibcCall;
  readonly #symlinkat: LibcCall;
  readonly #linkat: LibcCall;
  readonly #unlinkat: LibcCall;
  readonly #renameat2: LibcCall;
  readonly #fchownat: LibcCall;
  readonly #fchmodat: LibcCall;
  readonly #truncate: LibcCall;
  readonly #utimensat: LibcCall;
  readonly #fallocate: LibcCall;
  readonly #setxattr: LibcCall;
  readonly #removexattr: LibcCall;
  readonly #setfsuid: LibcCall;
  readonly #setfsgid: LibcCall;
  readonly #times = new Uint8Array(TIMES.size);
  readonly #timesView = new DataView(this.#times.buffer);

  /** Throws where the library lacks a call. */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#openat = libc.bind("int openat(int, const void *, int, ...)");
    this.#mkdirat = libc.bind("int mkdirat(int, const void *, uint32_t)");
    this.#mknodat = libc.bind("int mknodat(int, const void *, uint32_t, uint64_t)");
    this.#symlinkat = libc.bind("int symlinkat(const void *, int, const void *)");
    this.#linkat = libc.bind("int linkat(int, const void *, int, const void *, int)");
    this.#unlinkat = libc.bind("int unlinkat(int, const void *, int)");
    this.#fchownat = libc.bind("int fchownat(int, const void *, uint32_t, uint32_t, int)");
    this.#fchmodat = libc.bind("int fchmodat(int, const void *, uint32_t, int)");
    this.#truncate = libc.bind("int truncate(const void *, int64_t)");
    this.#utimensat = libc.bind("int utimensat(int, const void *, const void *, int)");
    this.#fallocate = libc.bind("int fallocate(int, int, int64_t, int64_t)");
    this.#setxattr = libc.bind("int setxattr(const void *, const void *, const void *, size_t, int)");
    this.#removexattr = libc.bind("int removexattr(const void *, const void *)");
    this.#setfsuid = libc.bind("uint32_t setfsuid(uint32_t)");
    this.#setfsgid = libc.bind("uint32_t setfsgid(uint32_t)");
    this.#renameat2 = bindRename(libc);
  }

  write(descriptor: number, offset: number, from: Uint8Array): number {
    return hostCall("pwrite", () => writeSync(descriptor, from, 0, from.length, offset));
  }

  createFile(folder: number, named: Uint8Array, flags: number, mode: number): number {
    const name = this.#libc.name.of(named);
    const all = flags | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | O_CLOEXEC;
    return this.#libc.call("openat", () => this.#openat(folder, name, all, "int", mode));
  }

  nameOf(descriptor: number): number {
    const path = this.#libc.self.of(descriptor);
    const flags = O_PATH | O_CLOEXEC;
    return this.#libc.call("openat", () => this.#openat(AT.workingFolder, path, flags, "int", 0));
  }

  makeFolder(folder: number, named: Uint8Array, mode: number): void {
    const name = this.#libc.name.of(named);
    this.#libc.call("mkdirat", () => this.#mkdirat(folder, name, mode));
  }

  makeNode(folder: number, named: Uint8Array, mode: number): void {
    const name = this.#libc.name.of(named);
    this.#libc.call("mknodat", () => this.#mknodat(folder, name, mode, 0));
  }

  symlink(target: Uint8Array, folder: number, named: Uint8Array): void {
    const name = this.#libc.name.of(named);
    const to = this.#libc.secondName.of(target);
    this.#libc.call("symlinkat", () => this.#symlinkat(to, folder, name));
  }

  link(descriptor: number, folder: number, named: Uint8Array): void {
    const name = this.#libc.name.of(named);
    const path = this.#libc.self.of(descriptor);
    this.#libc.call("linkat", () => this.#linkat(AT.workingFolder, path, folder, name, AT.symlinkFollow));
  }

  remove(folder: number, named: Uint8Array, isFolder: boolean): void {
    const name = this.#libc.name.of(named);
    this.#libc.call("unlinkat", () => this.#unlinkat(folder, name, isFolder ? AT.removeFolder : 0));
  }

  rename(folder: number, named: Uint8Array, newFolder: number, newNamed: Uint8Array, flags: number): void {
    const name = this.#libc.name.of(named);
    const newName = this.#libc.secondName.of(newNamed);
    this.#libc.call("renameat2", () => this.#renameat2(folder, name, newFolder, newName, flags));
  }

  changeOwner(descriptor: number, uid = SAME_OWNER, gid = SAME_OWNER): void {
    const { nothing } = this.#libc;
    this.#libc.call("fchownat", () => this.#fchownat(descriptor, nothing, uid, gid, AT.emptyPath));
  }

  changeMode(descriptor: number, mode: number): void {
    const path = this.#libc.self.of(descriptor);
    this.#libc.call("fchmodat", () => this.#fchmodat(AT.workingFolder, path, mode, 0));
  }

  truncate(descriptor: number, size: number, isOpen: boolean): void {
    if (isOpen) return hostCall("ftruncate", () => ftruncateSync(descriptor, size));
    const path = this.#libc.self.of(descriptor);
    this.#libc.call("truncate", () => this.#truncate(path, size));
  }

  changeTimes(
    descriptor: number,
    accessed: FileTime | "now" | undefined,
    modified: FileTime | "now" | undefined,
  ): void {
    setTime(this.#timesView, 0, accessed);
    setTime(this.#timesView, TIMES.modified, modified);
    const path = this.#libc.self.of(descriptor);
    this.#libc.call("utimensat", () => this.#utimensat(AT.workingFolder, path, this.#times, 0));
  }

  allocate(descriptor: number, mode: number, offset: number, length: number): void {
    this.#libc.call("fallocate", () => this.#fallocate(descriptor, mode, offset, length));
  }

  setXattr(descriptor: number, named: Uint8Array, value: Uint8Array, flags: number): void {
    // Not a view of what the guest may change meanwhile, and never empty: an address is needed.
    const own = new Uint8Array(value.length + 1);
    own.set(value);
    const name = this.#libc.name.of(named);
    const path = this.#libc.self.of(descriptor);
    this.#libc.call("setxattr", () => this.#setxattr(path, name, own, value.length, flags));
  }

  removeXattr(descriptor: number, named: Uint8Array): void {
    const name = this.#libc.name.of(named);
    const path = this.#libc.self.of(descriptor);
    this.#libc.call("removexattr", () => this.#removexattr(path, name));
  }

  actingAs<T>(uid: number, gid: number, make: () => T): T {
    // Of this thread alone. They give the number before, and never an error.
    const uidBefore = this.#setfsuid(SAME_OWNER);
    const gidBefore = this.#setfsgid(SAME_OWNER);
    if (uidBefore === uid && gidBefore === gid) return make();
    this.#setfsgid(gid);
    this.#setfsuid(uid);
    try {
      return make();
    } finally {
      this.#setfsuid(uidBefore);
      this.#setfsgid(gidBefore);
    }
  }
}

/** A C library may lack it; then no flags are known. */
function bindRename(libc: Libc): LibcCall {
  try {
    return libc.bind("int renameat2(int, const void *, int, const void *, uint32_t)");
  } catch {
    const renameat = libc.bind("int renameat(int, const void *, int, const void *)");
    return (folder, name, newFolder, newName, flags) => {
      if (flags !== 0) throw new FileError(ERRNO.EINVAL, "renameat2");
      return renameat(folder, name, newFolder, newName);
    };
  }
}

function setTime(view: DataView, at: number, time: FileTime | "now" | undefined): void {
  const isTime = typeof time === "object";
  view.setBigInt64(at, isTime ? BigInt(time.seconds) : 0n, true);
  const nanoseconds = isTime ? time.nanoseconds : time === "now" ? UTIME_NOW : UTIME_OMIT;
  view.setBigInt64(at + TIMES.nanoseconds, BigInt(nanoseconds), true);
}
