/**
 * Numbers and layouts of 9P2000.L, the protocol in which Linux speaks of files over virtio-9p: little-endian, fields without gaps, a
 * text as its length in 2 bytes and its bytes.
 *
 * Source: Linux, include/net/9p/9p.h and net/9p/client.c; the 9P2000.L description of diod (protocol.md).
 */

export const NINEP_VERSION = "9P2000.L";
/** The answer to a version that is not spoken. */
export const NINEP_NO_VERSION = "unknown";

/** Types of requests; that of a reply is one more. */
export const NINEP_T = {
  STATFS: 8,
  LOPEN: 12,
  LCREATE: 14,
  SYMLINK: 16,
  MKNOD: 18,
  RENAME: 20,
  READLINK: 22,
  GETATTR: 24,
  SETATTR: 26,
  XATTRWALK: 30,
  XATTRCREATE: 32,
  READDIR: 40,
  FSYNC: 50,
  LOCK: 52,
  GETLOCK: 54,
  LINK: 70,
  MKDIR: 72,
  RENAMEAT: 74,
  UNLINKAT: 76,
  VERSION: 100,
  AUTH: 102,
  ATTACH: 104,
  FLUSH: 108,
  WALK: 110,
  READ: 116,
  WRITE: 118,
  CLUNK: 120,
  REMOVE: 122,
} as const;
/** The reply that says that something was refused: its body is the error's number. */
export const NINEP_RLERROR = 7;

/** What every message begins with: its length with this, its type, and what the guest knows it by. */
export const NINEP_HEADER = { LENGTH: 0, TYPE: 4, TAG: 5, SIZE: 7 } as const;
export const NINEP_ERROR_BYTES = 4;
/** Neither a fid nor a user. */
export const NINEP_NONE = 0xffff_ffff;
/** Names that one walk may have. */
export const NINEP_MOST_NAMES = 16;

/** What a file is to its server, and whether it is still as it was. */
export const NINEP_QID = { TYPE: 0, VERSION: 1, PATH: 5, SIZE: 13 } as const;
export const NINEP_QID_TYPE = { FOLDER: 0x80, LINK: 0x02, FILE: 0 } as const;

/** What a reply to GETATTR has: all that stat(2) knows. */
export const NINEP_STATS_BASIC = 0x7ff;
/** What SETATTR sets; a time that is set is now unless it is given. CHANGED comes by itself. */
export const NINEP_SETS = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  BYTES: 1 << 3,
  ACCESSED: 1 << 4,
  MODIFIED: 1 << 5,
  CHANGED: 1 << 6,
  ACCESSED_GIVEN: 1 << 7,
  MODIFIED_GIVEN: 1 << 8,
} as const;

/** Of UNLINKAT: the name is a folder's. */
export const NINEP_REMOVE_FOLDER = 0x200;
/** Of LOCK's reply: it is granted. */
export const NINEP_LOCK_SUCCESS = 0;
/** Of GETLOCK's reply: nobody has locked it. */
export const NINEP_UNLOCKED = 2;
/** What statfs(2) says that the file system is. */
export const NINEP_MAGIC = 0x0102_1997;
/** Flag of XATTRCREATE; with a value of no bytes it means that the attribute goes. */
export const NINEP_XATTR_REPLACE = 2;
