/** What is in files, between a request and the folder: straight, or by way of a buffer where the guest's memory is in many pieces. */
import { FileError, type FileBackend, type FileHandle } from "./file-backend.js";
import type { ShareMessage } from "./message.js";

/** Data in so few pieces goes straight between guest and file; more are copied, which costs less than a call of the host each. */
const PIECES_AT_ONCE = 2;
const STAGING_BYTES = 256 * 1024;

/** Where in a file, and how much. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export class DataMover {
  #staging: Uint8Array | undefined;

  constructor(private readonly backend: FileBackend) {}

  /**
   * Reads into the message's room from byte `at` of it on, which has room for all; gives how many bytes there were. `headPieces`: pieces
   * that lie before the data, as a rule. Throws FileError.
   */
  read(message: ShareMessage, at: number, headPieces: number, handle: FileHandle, of: Extent): number {
    return message.writablePieces > PIECES_AT_ONCE + headPieces
      ? this.#readStaged(message, at, handle, of)
      : this.#readDirectly(message, at, handle, of);
  }

  /** Writes what the message has from byte `at` on, likewise; gives how many bytes were written. */
  write(message: ShareMessage, at: number, headPieces: number, handle: FileHandle, of: Extent): number {
    return message.readablePieces > PIECES_AT_ONCE + headPieces
      ? this.#writeStaged(message, at, handle, of)
      : this.#writeDirectly(message, at, handle, of);
  }

  #readDirectly(message: ShareMessage, from: number, handle: FileHandle, { offset, length }: Extent): number {
    let done = 0;
    message.write(from, length, (into, at) => {
      const read = this.backend.read(handle, offset + at, into);
      done = at + read;
      return read === into.length;
    });
    return done;
  }

  #readStaged(message: ShareMessage, from: number, handle: FileHandle, { offset, length }: Extent): number {
    const staging = (this.#staging ??= new Uint8Array(STAGING_BYTES));
    let done = 0;
    while (done < length) {
      const bytes = staging.subarray(0, Math.min(STAGING_BYTES, length - done));
      const read = this.backend.read(handle, offset + done, bytes);
      message.copyTo(from + done, bytes.subarray(0, read));
      done += read;
      if (read < bytes.length) break;
    }
    return done;
  }

  #writeDirectly(
    message: ShareMessage,
    from: number,
    handle: FileHandle,
    { offset, length }: Extent,
  ): number {
    let done = 0;
    message.read(from, length, (bytes, at) => {
      const written = this.#written(handle, offset + at, bytes, at);
      done = at + written;
      return written === bytes.length;
    });
    return done;
  }

  #writeStaged(message: ShareMessage, from: number, handle: FileHandle, { offset, length }: Extent): number {
    const staging = (this.#staging ??= new Uint8Array(STAGING_BYTES));
    let done = 0;
    while (done < length) {
      const bytes = staging.subarray(0, Math.min(STAGING_BYTES, length - done));
      message.copyFrom(from + done, bytes);
      const written = this.#written(handle, offset + done, bytes, done);
      done += written;
      if (written < bytes.length) break;
    }
    return done;
  }

  /** Some of it may be written when the rest is refused: then that is the answer, and the next request hears of it. */
  #written(handle: FileHandle, offset: number, bytes: Uint8Array, before: number): number {
    try {
      return this.backend.write(handle, offset, bytes);
    } catch (error) {
      if (before === 0 || !(error instanceof FileError)) throw error;
      return 0;
    }
  }
}
