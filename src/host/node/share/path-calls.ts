/**
 * The calls of a shared folder where no descriptor names a file without opening it (macOS, Windows). A "descriptor" of a name is a
 * number of ours for a path below the root and for the file that was found there. Before a path is used, the folder that it is in
 * must lie inside the root with all links resolved, and what is found must be the file that was found before. Somebody who changes folders on
 * the host at the very moment may lead between the two; a file that was opened is therefore looked at once more.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
} from "node:fs";
import path from "node:path";
import { FileError } from "../../../share/file-backend.js";
import type { FolderReader, HostCalls, HostFileSystem, HostStat } from "./host-calls.js";
import { hostCall } from "./host-error.js";
import { ERRNO, MODE } from "./linux-numbers.js";
import { fileSystemOf, readerOf, seekWithoutHoles, statOf } from "./node-facts.js";

interface Named {
  readonly path: string;
  readonly dev: number;
  readonly ino: bigint;
}

/** Numbers of ours begin here; the host's own are below. */
const FIRST = 2 ** 31;
/** On Windows these part a path, a drive or a stream, or are no name's. */
const WINDOWS_PARTS = /[\\/:*?"<>|]|[. ]$/;

export class PathCalls implements HostCalls {
  #root = "";
  #next = FIRST;
  readonly #named = new Map<number, Named>();

  openRoot(folder: string): number {
    this.#root = hostCall("realpath", () => realpathSync.native(folder));
    const facts = this.#lstat(this.#root);
    if ((facts.mode & MODE.type) !== MODE.folder) throw new FileError(ERRNO.ENOTDIR, "open");
    return this.#add(this.#root, facts);
  }

  openName(folder: number, name: Uint8Array): number {
    const below = this.#below(folder, name);
    return this.#add(below, this.#lstat(below));
  }

  close(descriptor: number): void {
    if (!this.#named.delete(descriptor)) closeSync(descriptor);
  }

  stat(descriptor: number): HostStat {
    const named = this.#named.get(descriptor);
    if (named === undefined) return statOf(hostCall("fstat", () => fstatSync(descriptor, { bigint: true })));
    return this.#same(named, this.#lstat(named.path));
  }

  statName(folder: number, name: Uint8Array): HostStat {
    return this.#lstat(this.#below(folder, name));
  }

  fileSystem(descriptor: number): HostFileSystem {
    return fileSystemOf(this.#pathOf(descriptor));
  }

  readLink(descriptor: number): Uint8Array {
    const link = this.#pathOf(descriptor);
    return new Uint8Array(hostCall("readlink", () => readlinkSync(link, "buffer")));
  }

  openFile(descriptor: number, flags: number): number {
    const file = this.#pathOf(descriptor);
    const nofollow = (constants.O_NOFOLLOW as number | undefined) ?? 0;
    const open = hostCall("open", () => openSync(file, flags | nofollow));
    try {
      const facts = statOf(hostCall("fstat", () => fstatSync(open, { bigint: true })));
      const named = this.#named.get(descriptor);
      if (named !== undefined) this.#same(named, facts);
      if ((facts.mode & MODE.type) !== MODE.file) throw new FileError(ERRNO.EACCES, "open");
      return open;
    } catch (error) {
      closeSync(open);
      throw error;
    }
  }

  read(descriptor: number, offset: number, into: Uint8Array): number {
    return hostCall("pread", () => readSync(descriptor, into, 0, into.length, offset));
  }

  sync(_descriptor: number, _dataOnly: boolean): void {
    // Nothing was written.
  }

  seek(descriptor: number, offset: number, whence: number): number {
    return seekWithoutHoles(descriptor, offset, whence);
  }

  openFolder(descriptor: number): number {
    const folder = this.#pathOf(descriptor);
    return this.#add(folder, this.#lstat(folder));
  }

  folderReader(descriptor: number): FolderReader {
    return readerOf(
      () => {
        const folder = this.#pathOf(descriptor);
        return hostCall("readdir", () => readdirSync(folder, "buffer"));
      },
      (name) => this.statName(descriptor, name),
    );
  }

  getXattr(_descriptor: number, _name: Uint8Array): Uint8Array {
    throw new FileError(ERRNO.EOPNOTSUPP, "getxattr");
  }

  listXattr(_descriptor: number): Uint8Array {
    throw new FileError(ERRNO.EOPNOTSUPP, "listxattr");
  }

  #add(file: string, { dev, ino }: HostStat): number {
    this.#named.set(this.#next, { path: file, dev, ino });
    return this.#next++;
  }

  #pathOf(descriptor: number): string {
    const named = this.#named.get(descriptor);
    if (named === undefined) throw new FileError(ERRNO.EBADF, "no such name");
    this.#same(named, this.#lstat(named.path));
    return named.path;
  }

  #same(named: Named, facts: HostStat): HostStat {
    if (facts.dev === named.dev && facts.ino === named.ino) return facts;
    throw new FileError(ERRNO.ESTALE, "something else has its name");
  }

  #below(folder: number, name: Uint8Array): string {
    const text = new TextDecoder().decode(name);
    if (process.platform === "win32" && WINDOWS_PARTS.test(text))
      throw new FileError(ERRNO.ENOENT, "no name of the host's");
    return path.join(this.#pathOf(folder), text);
  }

  /** Facts of a path whose folder lies inside the root, links resolved. */
  #lstat(file: string): HostStat {
    if (file !== this.#root) {
      const folder = hostCall("realpath", () => realpathSync.native(path.dirname(file)));
      const relative = path.relative(this.#root, folder);
      if (relative === ".." || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative))
        throw new FileError(ERRNO.EACCES, "it leads outside");
    }
    return statOf(hostCall("lstat", () => lstatSync(file, { bigint: true })));
  }
}
