/** What Node's own calls say of files, in the shape of a share's calls. Both kinds of these (node-calls.ts, path-calls.ts) only read. */
import { fstatSync, statfsSync, type BigIntStats } from "node:fs";
import { FileError, type FileTime, type FolderEntry } from "../../../share/file-backend.js";
import { encodeDevice } from "./device-number.js";
import type { FolderReader, HostFileSystem, HostStat } from "./host-calls.js";
import { hostCall } from "./host-error.js";
import { ERRNO, MODE, NAME_MAX, SEEK_DATA, TYPE_SHIFT } from "./linux-numbers.js";

const NANOSECONDS = 10n ** 9n;
/** Of struct stat's st_blocks. */
const BLOCK = 512n;

function timeOf(nanoseconds: bigint): FileTime {
  const rest = ((nanoseconds % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  return { seconds: Number((nanoseconds - rest) / NANOSECONDS), nanoseconds: Number(rest) };
}

/** A device's number as Node gives it on Linux (`gnu_dev_makedev`) in its halves. */
function deviceHalves(dev: bigint): { major: number; minor: number } {
  const part = (shift: bigint, mask: bigint): number => Number((dev >> shift) & mask);
  return {
    major: part(8n, 0xfffn) + part(32n, 0xfffff000n),
    minor: part(0n, 0xffn) + part(12n, 0xffffff00n),
  };
}

const MINOR_BITS = 20;

/** What Node says of a file. Elsewhere than on Linux a file system's number is any number, and a device is no guest's. */
export function statOf(stats: BigIntStats): HostStat {
  const born = timeOf(stats.birthtimeNs);
  const isLinux = process.platform === "linux";
  const dev = deviceHalves(stats.dev);
  const rdev = deviceHalves(stats.rdev);
  return {
    dev: isLinux ? dev.major * 2 ** MINOR_BITS + dev.minor : Number(BigInt.asUintN(32, stats.dev)),
    mount: 0,
    ino: stats.ino,
    bornSeconds: born.seconds,
    bornNanoseconds: born.nanoseconds,
    mode: Number(stats.mode),
    links: Number(stats.nlink),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    rdev: isLinux ? encodeDevice(rdev.major, rdev.minor) : 0,
    size: Number(stats.size),
    blocks: Number(stats.blocks ?? (stats.size + BLOCK - 1n) / BLOCK),
    blockSize: Number(stats.blksize),
    accessed: timeOf(stats.atimeNs),
    modified: timeOf(stats.mtimeNs),
    changed: timeOf(stats.ctimeNs),
  };
}

/** Facts of the file system that a path is in. */
export function fileSystemOf(path: string): HostFileSystem {
  const found = hostCall("statfs", () => statfsSync(path, { bigint: true }));
  return {
    type: Number(BigInt.asUintN(32, found.type)),
    blocks: found.blocks,
    free: found.bfree,
    available: found.bavail,
    files: found.files,
    filesFree: found.ffree,
    blockSize: Number(found.bsize),
    longestName: NAME_MAX,
  };
}

/** So many names are looked at for a block. */
const BLOCK_ENTRIES = 1024;

/** Reads a folder whose names come at once; `stat` says what each is. A name that is away by then is left out. */
export function readerOf(names: () => Uint8Array[], stat: (name: Uint8Array) => HostStat): FolderReader {
  let all: Uint8Array[] = [];
  const entryOf = (name: Uint8Array): FolderEntry[] => {
    try {
      const { ino, mode } = stat(name);
      return [{ name: new Uint8Array(name), ino, type: (mode & MODE.type) >> TYPE_SHIFT }];
    } catch (error) {
      if (error instanceof FileError) return [];
      throw error;
    }
  };
  return (from) => {
    if (from === 0n) all = names();
    for (let at = Number(from); at < all.length; at += BLOCK_ENTRIES) {
      const entries = all.slice(at, at + BLOCK_ENTRIES).flatMap(entryOf);
      if (entries.length > 0) return { entries, next: BigInt(at + BLOCK_ENTRIES) };
    }
    return undefined;
  };
}

/** As lseek(2) where a file system has no holes: all is data up to the end. */
export function seekWithoutHoles(descriptor: number, offset: number, whence: number): number {
  const { size } = hostCall("fstat", () => fstatSync(descriptor));
  if (offset >= size) throw new FileError(ERRNO.ENXIO, "lseek");
  return whence === SEEK_DATA ? offset : size;
}
