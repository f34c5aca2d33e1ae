/**
 * Numbers of files in a share that may hold more than one file system, where each numbers its own.
 *
 * A file of the file system that the root is in has the host's number. One of another has, from the top:
 *
 *   63  62 … 48      47 … 0
 *  ┌───┬───────────┬───────────────┐
 *  │ 1 │ of device │ host's number │   the device's bits are a hash of its number, so that they are the same in the next run
 *  └───┴───────────┴───────────────┘
 *
 * Numbers that do not fit so are counted, in the order in which they are met (device bits all ones).
 */
import { FileError } from "../../../share/file-backend.js";
import { ERRNO } from "./linux-numbers.js";

const FOREIGN = 1n << 63n;
const NUMBER_BITS = 48n;
const MOST_FITTING = 1n << NUMBER_BITS;
/** Devices' bits: 0 to one less than this, which is that of the counted. */
const COUNTED = 0x7fff;
/** A prime of its own size spreads the numbers of neighbouring devices. */
const SPREAD = 0x9e3779b1;
const HASH_SHIFT = 17;
/** So many odd numbers are remembered. */
const MOST_COUNTED = 1 << 20;

export class InodeNumbers {
  readonly #devices = new Map<number, bigint>();
  readonly #taken = new Set<number>();
  readonly #counted = new Map<string, bigint>();

  /** `rootDevice`: the one whose numbers stay as they are. */
  constructor(readonly rootDevice: number) {}

  /** The share's number of a file. Throws FileError. */
  of(device: number, ino: bigint): bigint {
    if (device === this.rootDevice) return ino < FOREIGN ? ino : this.#count(device, ino);
    if (ino >= MOST_FITTING) return this.#count(device, ino);
    return this.#bits(device) | ino;
  }

  #bits(device: number): bigint {
    const known = this.#devices.get(device);
    if (known !== undefined) return known;
    if (this.#taken.size === COUNTED) throw new FileError(ERRNO.ENFILE, "too many file systems");
    let bits = (Math.imul(device | 0, SPREAD) >>> HASH_SHIFT) % COUNTED;
    while (this.#taken.has(bits)) bits = (bits + 1) % COUNTED;
    this.#taken.add(bits);
    const high = FOREIGN | (BigInt(bits) << NUMBER_BITS);
    this.#devices.set(device, high);
    return high;
  }

  #count(device: number, ino: bigint): bigint {
    const key = `${device}:${ino}`;
    const known = this.#counted.get(key);
    if (known !== undefined) return known;
    if (this.#counted.size === MOST_COUNTED)
      throw new FileError(ERRNO.ENFILE, "too many inode numbers beyond 48 bits");
    const number = FOREIGN | (BigInt(COUNTED) << NUMBER_BITS) | BigInt(this.#counted.size);
    this.#counted.set(key, number);
    return number;
  }
}
