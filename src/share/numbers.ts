/** 64-bit fields of the protocols' little-endian structures, as numbers. */
import { LINUX_ERRNO } from "../spec/linux-errno.js";
import { FileError, type FileTime } from "./file-backend.js";

const HALF = 2 ** 32;
const NS_PER_SECOND = 1e9;

/** What is above 2^53 is rounded, and stays above it. */
export function readU64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * HALF;
}

/** A place in a file or a number of bytes. Throws FileError for one that no file has. */
export function readSize(view: DataView, at: number): number {
  const value = readU64(view, at);
  if (value > Number.MAX_SAFE_INTEGER) throw new FileError(LINUX_ERRNO.EFBIG, `byte ${value} of a file`);
  return value;
}

/** Signed values too; whole. */
export function write64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % HALF, true);
  view.setInt32(at + 4, Math.floor(value / HALF), true);
}

/** Signed; what is far from 0 is rounded. */
export function readS64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getInt32(at + 4, true) * HALF;
}

/** A time of a guest's. Throws FileError for one that is none. */
export function timeOf(seconds: number, nanoseconds: number): FileTime {
  if (!Number.isSafeInteger(seconds) || nanoseconds >= NS_PER_SECOND)
    throw new FileError(LINUX_ERRNO.EINVAL, `a time of ${seconds} s and ${nanoseconds} ns`);
  return { seconds, nanoseconds };
}
