/**
 * Calls of the host's C library, made through koffi: their errors, and their arguments where they are names or paths. These lie in
 * bytes that are made once: the calls are for one thread, and none of them is entered twice.
 */
import { FileError } from "../../../share/file-backend.js";
import type { Koffi } from "../native-calls.js";
import { hostError } from "./host-error.js";
import { ERRNO, PATH_MAX } from "./linux-numbers.js";

/** A function of the library. */
export type LibcCall = (...args: unknown[]) => number;

/** A call that a signal interrupts is made again so often. */
const MOST_INTERRUPTIONS = 100;

export class Libc {
  /** The empty path, which stands for the descriptor itself. */
  readonly nothing = new Uint8Array(1);
  readonly name = new CString(PATH_MAX);
  readonly secondName = new CString(PATH_MAX);
  readonly self = new SelfPath();
  readonly #koffi: Koffi;
  readonly #library: ReturnType<Koffi["load"]>;

  constructor(koffi: Koffi) {
    this.#koffi = koffi;
    this.#library = koffi.load(null);
  }

  /** Finds a function. Throws where the library lacks it. */
  bind(prototype: string): LibcCall {
    return this.#library.func(prototype);
  }

  /** The first of these that the library has. */
  bindFirst(...prototypes: string[]): LibcCall {
    const [prototype, ...others] = prototypes;
    if (prototype === undefined) throw new Error("none of the functions");
    try {
      return this.bind(prototype);
    } catch (error) {
      if (others.length === 0) throw error;
      return this.bindFirst(...others);
    }
  }

  /** A call's result; it is made again where a signal came between. Throws FileError. */
  call(what: string, make: () => number): number {
    for (let again = 0; ; again++) {
      const result = make();
      if (result >= 0) return result;
      const errno = this.#koffi.errno();
      if (errno !== ERRNO.EINTR || again === MOST_INTERRUPTIONS) throw hostError(errno, what);
    }
  }
}

/** A name as C has it, in bytes that are made once. */
export class CString {
  readonly #bytes: Uint8Array;

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
  }

  /** The name with its end, until the next is asked for. Throws FileError. */
  of(name: Uint8Array): Uint8Array {
    if (name.length >= this.#bytes.length) throw new FileError(ERRNO.ENAMETOOLONG, "name");
    this.#bytes.set(name);
    this.#bytes[name.length] = 0;
    return this.#bytes;
  }
}

const ASCII_ZERO = 0x30;
const DECIMAL = 10;

/** /proc/self/fd/N as C has it. */
export class SelfPath {
  static readonly #START = "/proc/self/fd/";
  readonly #bytes = new Uint8Array(Buffer.from(`${SelfPath.#START}0000000000\0`));

  /** The path, until the next is asked for. */
  of(descriptor: number): Uint8Array {
    let digits = 1;
    for (let rest = descriptor; rest >= DECIMAL; rest = Math.floor(rest / DECIMAL)) digits++;
    let at = SelfPath.#START.length + digits;
    this.#bytes[at] = 0;
    for (let rest = descriptor; digits > 0; digits--, rest = Math.floor(rest / DECIMAL))
      this.#bytes[--at] = ASCII_ZERO + (rest % DECIMAL);
    return this.#bytes;
  }
}
