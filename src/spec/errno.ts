/**
 * What the system's names of errors mean, in plain words: the reason in "kernel FILE: reason". Words only; who refused
 * what, and what to do about it, is said where it happened.
 *
 * Specification: POSIX.1-2017, <errno.h>.
 */
export const ERRNO_WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "no permission to use it",
  EPERM: "no permission to use it",
  EEXIST: "there is something of that name already",
  EISDIR: "is a folder, not a file",
  ENOTDIR: "a part of its path is not a folder",
  ENXIO: "is a socket or a device that is not there, not a file",
  ENOSPC: "no space left for it",
  EDQUOT: "no space left for it in this user's quota",
  EFBIG: "grows beyond what this process may write",
  EBUSY: "is in use, by a mounted file system or another program",
  EADDRINUSE: "is in use by another program",
  EADDRNOTAVAIL: "no address of this host",
  EROFS: "the file system is read-only",
  EIO: "the device under it fails",
};
