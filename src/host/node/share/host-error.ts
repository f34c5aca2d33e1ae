/** What the host says of a call that it refuses, as a FileError with Linux's number. */
import { FileError } from "../../../share/file-backend.js";
import { ERRNO } from "./linux-numbers.js";

/** An error of the host's. It has no stack: taking one costs more than the call, and names that are not there are asked for often. */
export function hostError(errno: number, what: string): FileError {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const error = new FileError(errno, what);
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}

/** Makes a call of Node's; its errors become FileErrors. */
export function hostCall<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    // Node has Linux's numbers on Linux only; names it has everywhere.
    const linux = process.platform === "linux" && errno !== undefined ? -errno : ERRNO[code];
    throw hostError(linux ?? ERRNO.EIO, what);
  }
}
