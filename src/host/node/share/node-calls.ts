/**
 * The calls of a shared folder on Linux with Node's own calls alone. A descriptor that only names a file (O_PATH) is had of Node too, and
 * a name below it by /proc/self/fd/N/NAME, which is one step, so that nothing leads outside. To change something so is not possible
 * without following links, and so nothing is changed.
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
} from "node:fs";
import { FileError } from "../../../share/file-backend.js";
import type { FolderReader, HostCalls, HostFileSystem, HostStat } from "./host-calls.js";
import { hostCall } from "./host-error.js";
import { ERRNO, O_PATH } from "./linux-numbers.js";
import { fileSystemOf, readerOf, seekWithoutHoles, statOf } from "./node-facts.js";

const self = (descriptor: number): string => `/proc/self/fd/${descriptor}`;
const below = (folder: number, name: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`${self(folder)}/`), name]);

export class NodeCalls implements HostCalls {
  openRoot(path: string): number {
    return hostCall("open", () => openSync(path, O_PATH | constants.O_DIRECTORY));
  }

  openName(folder: number, name: Uint8Array): number {
    return hostCall("open", () => openSync(below(folder, name), O_PATH | constants.O_NOFOLLOW));
  }

  close(descriptor: number): void {
    closeSync(descriptor);
  }

  stat(descriptor: number): HostStat {
    return statOf(hostCall("fstat", () => fstatSync(descriptor, { bigint: true })));
  }

  statName(folder: number, name: Uint8Array): HostStat {
    return statOf(hostCall("lstat", () => lstatSync(below(folder, name), { bigint: true })));
  }

  fileSystem(descriptor: number): HostFileSystem {
    return fileSystemOf(self(descriptor));
  }

  /** Of what has the name now: Node cannot read the link that a descriptor names. */
  readLink(_descriptor: number, folder: number, name: Uint8Array): Uint8Array {
    return new Uint8Array(hostCall("readlink", () => readlinkSync(below(folder, name), "buffer")));
  }

  openFile(descriptor: number, flags: number): number {
    return hostCall("open", () => openSync(self(descriptor), flags));
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
    return hostCall("open", () => openSync(`${self(descriptor)}/.`, constants.O_DIRECTORY));
  }

  folderReader(descriptor: number): FolderReader {
    return readerOf(
      () => hostCall("readdir", () => readdirSync(self(descriptor), "buffer")),
      (name) => this.statName(descriptor, name),
    );
  }

  getXattr(_descriptor: number, _name: Uint8Array): Uint8Array {
    throw new FileError(ERRNO.EOPNOTSUPP, "getxattr");
  }

  listXattr(_descriptor: number): Uint8Array {
    throw new FileError(ERRNO.EOPNOTSUPP, "listxattr");
  }
}
