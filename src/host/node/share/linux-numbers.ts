/**
 * Numbers of Linux that a shared folder's calls have: errors, flags of open(2), bits of a mode. Errors and the guest's flags are
 * those of x86, which is what a guest is; flags for the host's own calls are taken from Node where architectures differ.
 *
 * Sources: <asm-generic/errno-base.h>, <asm-generic/errno.h>, <asm-generic/fcntl.h>, <linux/fcntl.h>, <linux/stat.h>, <linux/magic.h>.
 */

/** Errors by the names that Node gives them too. */
export const ERRNO: Readonly<Record<string, number>> & {
  readonly [
    name in
      | "EPERM"
      | "ENOENT"
      | "EINTR"
      | "EIO"
      | "EBADF"
      | "EACCES"
      | "EEXIST"
      | "ENOTDIR"
      | "EISDIR"
      | "EINVAL"
      | "ENFILE"
      | "EMFILE"
      | "EFBIG"
      | "EROFS"
      | "ENXIO"
      | "ERANGE"
      | "ENAMETOOLONG"
      | "ENOSYS"
      | "ENODATA"
      | "EOPNOTSUPP"
      | "ESTALE"
  ]: number;
} = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EOVERFLOW: 75,
  EOPNOTSUPP: 95,
  ENOTSUP: 95,
  ETIMEDOUT: 110,
  ESTALE: 116,
  EDQUOT: 122,
};

/** open(2) as a guest of x86 says it. */
export const GUEST_OPEN = {
  accessMode: 0o3,
  readOnly: 0o0,
  writeOnly: 0o1,
  readWrite: 0o2,
  exclusive: 0o200,
  truncate: 0o1000,
  append: 0o2000,
  dataSync: 0o10000,
  sync: 0o4010000,
} as const;

/** Of open(2), the same on every architecture that the calls are bound for; Node has no names for them. */
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;

/** Of calls that end in "at". */
export const AT = {
  workingFolder: -100,
  symlinkNofollow: 0x100,
  removeFolder: 0x200,
  symlinkFollow: 0x400,
  noAutomount: 0x800,
  emptyPath: 0x1000,
} as const;

/** Bits of a mode. */
export const MODE = {
  type: 0o170000,
  socket: 0o140000,
  link: 0o120000,
  file: 0o100000,
  blockDevice: 0o060000,
  folder: 0o040000,
  characterDevice: 0o020000,
  fifo: 0o010000,
  setUid: 0o4000,
  setGid: 0o2000,
  groupMayRun: 0o010,
  /** All that chmod(2) changes. */
  changeable: 0o7777,
} as const;
/** The type in a mode is this many bits above the type in a folder's entry. */
export const TYPE_SHIFT = 12;

export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

/** The longest target of a symbolic link, and the longest path, with its end. */
export const PATH_MAX = 4096;
/** The longest name that any file system of Linux has. */
export const NAME_MAX = 255;
/** The longest value of an extended attribute, and the longest list of them. */
export const XATTR_MAX = 65536;

/** Where files that are the kernel's own live (statfs(2)), by what is mounted there. */
export const KERNEL_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x9fa0, "proc"],
  [0x62656572, "sysfs"],
  [0x64626720, "debugfs"],
  [0x74726163, "tracefs"],
  [0x73636673, "securityfs"],
  [0xf97cff8c, "selinuxfs"],
  [0x43415d53, "smackfs"],
  [0x27e0eb, "cgroup"],
  [0x63677270, "cgroup2"],
  [0xcafe4a11, "bpf"],
  [0x62656570, "configfs"],
  [0xde5e81e4, "efivarfs"],
  [0x6165676c, "pstore"],
  [0x65735543, "fusectl"],
  [0x42494e4d, "binfmt_misc"],
  [0x1cd1, "devpts"],
  [0x6e667364, "nfsd"],
  [0x67596969, "rpc_pipefs"],
  [0x7655821, "resctrl"],
]);
