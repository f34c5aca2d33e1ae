/**
 * Numbers and layouts of FUSE, the protocol that Linux speaks over virtio-fs: little-endian, all structures multiples of 8 bytes.
 * Names are the header's without their prefix; offsets are from the beginning of a structure, SIZE is its length.
 *
 * Source: Linux, include/uapi/linux/fuse.h, protocol 7.31 to 7.40.
 */

export const FUSE_MAJOR = 7;
/** What we speak. A kernel that speaks less gets what it knows; below OLDEST_MINOR none has virtio-fs. */
export const FUSE_MINOR = 38;
export const FUSE_OLDEST_MINOR = 31;
/** The root's node. */
export const FUSE_ROOT_ID = 1;

export const FUSE_OP = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SYNCFS: 50,
  TMPFILE: 51,
} as const;

/** What both sides say in INIT that they can do. */
export const FUSE_CAN = {
  ASYNC_READ: 1 << 0,
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  AUTO_INVAL_DATA: 1 << 12,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  WRITEBACK_CACHE: 1 << 16,
  PARALLEL_DIROPS: 1 << 18,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  HANDLE_KILLPRIV_V2: 1 << 28,
  INIT_EXT: 1 << 30,
} as const;
/** Of `flags2`. */
export const FUSE_CAN_TOO = { DIRECT_IO_ALLOW_MMAP: 1 << 4 } as const;

export const FUSE_IN_HEADER = {
  LENGTH: 0,
  OPCODE: 4,
  UNIQUE: 8,
  NODE: 16,
  UID: 24,
  GID: 28,
  SIZE: 40,
} as const;
export const FUSE_OUT_HEADER = { LENGTH: 0, ERROR: 4, UNIQUE: 8, SIZE: 16 } as const;

export const FUSE_INIT_IN = {
  MAJOR: 0,
  MINOR: 4,
  MAX_READAHEAD: 8,
  FLAGS: 12,
  FLAGS2: 16,
  SIZE: 16,
} as const;
export const FUSE_INIT_OUT = {
  MAJOR: 0,
  MINOR: 4,
  MAX_READAHEAD: 8,
  FLAGS: 12,
  MAX_BACKGROUND: 16,
  CONGESTION_THRESHOLD: 18,
  MAX_WRITE: 20,
  TIME_GRANULARITY: 24,
  MAX_PAGES: 28,
  FLAGS2: 32,
  SIZE: 64,
} as const;

export const FUSE_ATTR = {
  INO: 0,
  BYTES: 8,
  BLOCKS: 16,
  ACCESSED: 24,
  MODIFIED: 32,
  CHANGED: 40,
  ACCESSED_NS: 48,
  MODIFIED_NS: 52,
  CHANGED_NS: 56,
  MODE: 60,
  LINKS: 64,
  UID: 68,
  GID: 72,
  RDEV: 76,
  BLOCK_SIZE: 80,
  FLAGS: 84,
  SIZE: 88,
} as const;
export const FUSE_ENTRY_OUT = {
  NODE: 0,
  GENERATION: 8,
  ENTRY_VALID: 16,
  ATTR_VALID: 24,
  ENTRY_VALID_NS: 32,
  ATTR_VALID_NS: 36,
  ATTR: 40,
  SIZE: 128,
} as const;
export const FUSE_ATTR_OUT = { VALID: 0, VALID_NS: 8, ATTR: 16, SIZE: 104 } as const;

export const FUSE_FORGET_IN = { COUNT: 0, SIZE: 8 } as const;
export const FUSE_BATCH_FORGET_IN = { COUNT: 0, SIZE: 8 } as const;
export const FUSE_FORGET_ONE = { NODE: 0, COUNT: 8, SIZE: 16 } as const;
export const FUSE_GETATTR_IN = { FLAGS: 0, HANDLE: 8, SIZE: 16, BY_HANDLE: 1 } as const;
export const FUSE_SETATTR_IN = {
  VALID: 0,
  HANDLE: 8,
  BYTES: 16,
  ACCESSED: 32,
  MODIFIED: 40,
  ACCESSED_NS: 56,
  MODIFIED_NS: 60,
  MODE: 68,
  UID: 76,
  GID: 80,
  SIZE: 88,
} as const;
/** What SETATTR changes. */
export const FUSE_SETS = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  BYTES: 1 << 3,
  ACCESSED: 1 << 4,
  MODIFIED: 1 << 5,
  BY_HANDLE: 1 << 6,
  ACCESSED_NOW: 1 << 7,
  MODIFIED_NOW: 1 << 8,
  KILL_SUIDGID: 1 << 11,
} as const;
export const FUSE_MKNOD_IN = { MODE: 0, RDEV: 4, SIZE: 16 } as const;
export const FUSE_MKDIR_IN = { MODE: 0, SIZE: 8 } as const;
export const FUSE_RENAME_IN = { FOLDER: 0, SIZE: 8 } as const;
export const FUSE_RENAME2_IN = { FOLDER: 0, FLAGS: 8, SIZE: 16 } as const;
export const FUSE_LINK_IN = { NODE: 0, SIZE: 8 } as const;
export const FUSE_OPEN_IN = { FLAGS: 0, OPEN_FLAGS: 4, SIZE: 8, KILL_SUIDGID: 1 } as const;
export const FUSE_CREATE_IN = { FLAGS: 0, MODE: 4, OPEN_FLAGS: 12, SIZE: 16 } as const;
export const FUSE_OPEN_OUT = { HANDLE: 0, FLAGS: 8, SIZE: 16 } as const;
/** What an open file is to the kernel. */
export const FUSE_OPENED = { DIRECT_IO: 1 << 0, KEEP_CACHE: 1 << 1, CACHE_DIR: 1 << 3 } as const;
export const FUSE_RELEASE_IN = { HANDLE: 0, SIZE: 24 } as const;
/** Of READ, READDIR and READDIRPLUS. */
export const FUSE_READ_IN = { HANDLE: 0, OFFSET: 8, BYTES: 16, SIZE: 40 } as const;
export const FUSE_WRITE_IN = {
  HANDLE: 0,
  OFFSET: 8,
  BYTES: 16,
  FLAGS: 20,
  SIZE: 40,
  KILL_SUIDGID: 1 << 2,
} as const;
export const FUSE_WRITE_OUT = { BYTES: 0, SIZE: 8 } as const;
export const FUSE_STATFS_OUT = {
  BLOCKS: 0,
  FREE: 8,
  AVAILABLE: 16,
  FILES: 24,
  FILES_FREE: 32,
  BLOCK_SIZE: 40,
  LONGEST_NAME: 44,
  FRAGMENT_SIZE: 48,
  SIZE: 80,
} as const;
export const FUSE_FSYNC_IN = { HANDLE: 0, FLAGS: 8, SIZE: 16, DATA_ONLY: 1 } as const;
/** Without what SETXATTR_EXT adds, which is not taken. */
export const FUSE_SETXATTR_IN = { BYTES: 0, FLAGS: 4, SIZE: 8 } as const;
/** Of GETXATTR and LISTXATTR. */
export const FUSE_GETXATTR_IN = { BYTES: 0, SIZE: 8 } as const;
export const FUSE_GETXATTR_OUT = { BYTES: 0, SIZE: 8 } as const;
export const FUSE_FALLOCATE_IN = { HANDLE: 0, OFFSET: 8, BYTES: 16, MODE: 24, SIZE: 32 } as const;
export const FUSE_LSEEK_IN = { HANDLE: 0, OFFSET: 8, WHENCE: 16, SIZE: 24 } as const;
export const FUSE_LSEEK_OUT = { OFFSET: 0, SIZE: 8 } as const;
/** An entry of a folder; its name follows, and zeros up to a multiple of 8. That of READDIRPLUS has an ENTRY_OUT before it. */
export const FUSE_DIRENT = { INO: 0, NEXT: 8, NAME_LENGTH: 16, TYPE: 20, NAME: 24, ALIGN: 8 } as const;

/** Of an xattr's value, and of a list of their names (XATTR_SIZE_MAX, XATTR_LIST_MAX). */
export const LONGEST_XATTR = 65536;
/** NAME_MAX, XATTR_NAME_MAX and PATH_MAX, without their NUL but for the last. */
export const LONGEST_NAME = 255;
export const LONGEST_PATH = 4096;

/** Flags of open(2) on x86, and bits of a mode. */
export const LINUX_OPEN = {
  ACCESS_MODE: 0o3,
  READ_ONLY: 0o0,
  WRITE_ONLY: 0o1,
  READ_WRITE: 0o2,
  EXCLUSIVE: 0o200,
  TRUNCATE: 0o1000,
  APPEND: 0o2000,
  DATA_SYNC: 0o10000,
  SYNC: 0o4010000,
} as const;
export const LINUX_MODE = {
  TYPE: 0o170000,
  FOLDER: 0o040000,
  REGULAR: 0o100000,
  PERMISSIONS: 0o7777,
  SET_UID: 0o4000,
  SET_GID: 0o2000,
  GROUP_EXECUTES: 0o010,
  TYPE_SHIFT: 12,
} as const;
/** Of renameat2(2): NOREPLACE and EXCHANGE. */
export const LINUX_RENAME_FLAGS = 0b11;
/** Of lseek(2). */
export const LINUX_SEEK = { DATA: 3, HOLE: 4 } as const;
