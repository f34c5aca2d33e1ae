/** INIT: what a guest's kernel and we can both do. */
import {
  FUSE_CAN,
  FUSE_CAN_TOO,
  FUSE_INIT_IN,
  FUSE_INIT_OUT,
  FUSE_MAJOR,
  FUSE_MINOR,
  FUSE_OLDEST_MINOR,
} from "../../spec/fuse.js";
import { LINUX_ERRNO } from "../../spec/linux-errno.js";
import { FileError } from "../file-backend.js";
import type { ShareCache } from "../share-options.js";

/** Pages that one READ or WRITE moves at most, and their bytes. */
const MOST_PAGES = 256;
const PAGE = 4096;
export const MOST_MOVED = MOST_PAGES * PAGE;
/** Requests that the kernel has under way by itself, such as reading ahead; more of them and it waits. */
const MOST_BACKGROUND = 64;
const CONGESTED = 48;
/** Times are exact. */
const NANOSECOND = 1;

/** What is taken whatever is remembered. */
const ALWAYS =
  FUSE_CAN.ASYNC_READ |
  FUSE_CAN.ATOMIC_O_TRUNC |
  FUSE_CAN.BIG_WRITES |
  FUSE_CAN.ASYNC_DIO |
  FUSE_CAN.PARALLEL_DIROPS |
  FUSE_CAN.MAX_PAGES |
  FUSE_CAN.HANDLE_KILLPRIV_V2 |
  FUSE_CAN.INIT_EXT;
const LISTED = FUSE_CAN.DO_READDIRPLUS | FUSE_CAN.READDIRPLUS_AUTO;

/**
 * What is looked up with a list has to be remembered, or it was for nothing. Links are remembered until their attributes change. What the
 * kernel may write when it likes must be nobody else's.
 */
const BY_CACHE: Readonly<Record<ShareCache, number>> = {
  none: ALWAYS,
  auto: ALWAYS | LISTED | FUSE_CAN.AUTO_INVAL_DATA,
  always: ALWAYS | LISTED | FUSE_CAN.CACHE_SYMLINKS | FUSE_CAN.WRITEBACK_CACHE,
};

/** What was agreed on. */
export interface Agreed {
  readonly writesBack: boolean;
}

export interface InitReply {
  /** Absent: the kernel is to ask again, with our version. */
  readonly agreed: Agreed | undefined;
}

/** Reads INIT at `at` of `request`, writes the reply. Throws FileError for a kernel that is too old. */
export function negotiate(
  request: DataView,
  at: number,
  length: number,
  { reply, at: into, cache, readOnly }: { reply: DataView; at: number; cache: ShareCache; readOnly: boolean },
): InitReply {
  const out = FUSE_INIT_OUT;
  new Uint8Array(reply.buffer, reply.byteOffset + into, out.SIZE).fill(0);
  const u32 = (offset: number, value: number): void => reply.setUint32(into + offset, value, true);
  const u16 = (offset: number, value: number): void => reply.setUint16(into + offset, value, true);
  const major = request.getUint32(at + FUSE_INIT_IN.MAJOR, true);
  const minor = request.getUint32(at + FUSE_INIT_IN.MINOR, true);
  u32(out.MAJOR, FUSE_MAJOR);
  u32(out.MINOR, FUSE_MINOR);
  if (major > FUSE_MAJOR) return { agreed: undefined };
  if (major < FUSE_MAJOR || minor < FUSE_OLDEST_MINOR)
    throw new FileError(LINUX_ERRNO.EPROTO, `FUSE ${major}.${minor}`);
  const offered = request.getUint32(at + FUSE_INIT_IN.FLAGS, true);
  const flags = offered & BY_CACHE[cache] & (readOnly ? ~FUSE_CAN.WRITEBACK_CACHE : -1);
  const more = (flags & FUSE_CAN.INIT_EXT) !== 0 && length >= FUSE_INIT_IN.FLAGS2 + 4;
  const offeredToo = more ? request.getUint32(at + FUSE_INIT_IN.FLAGS2, true) : 0;
  u32(out.MAX_READAHEAD, request.getUint32(at + FUSE_INIT_IN.MAX_READAHEAD, true));
  u32(out.FLAGS, flags);
  u16(out.MAX_BACKGROUND, MOST_BACKGROUND);
  u16(out.CONGESTION_THRESHOLD, CONGESTED);
  u32(out.MAX_WRITE, MOST_MOVED);
  u32(out.TIME_GRANULARITY, NANOSECOND);
  u16(out.MAX_PAGES, MOST_PAGES);
  u32(out.FLAGS2, offeredToo & FUSE_CAN_TOO.DIRECT_IO_ALLOW_MMAP);
  return { agreed: { writesBack: (flags & FUSE_CAN.WRITEBACK_CACHE) !== 0 } };
}
