/**
 * One request of a driver: pieces of guest memory, those to be read first, then those to be written. A queue fills one and the
 * same object again and again, so that a request costs no allocation. Every piece in it is RAM.
 */
import type { CheckedMemory } from "../../memory/checked-memory.js";

/** What a driver wrote into its rings cannot be: the device needs a reset then. */
export class RingFault extends Error {
  override readonly name = "RingFault";
}

/** All pieces of a request together, §2.7.5.2. */
const MOST_BYTES = 2 ** 32;

/** What has to be known of a request to finish it. */
export interface Taken {
  /** What the driver knows it by. */
  readonly id: number;
  /** Descriptors of the ring that it took; of a packed one only. */
  readonly slots: number;
}

export class Chain implements Taken {
  id = 0;
  slots = 0;
  /** Pieces. */
  count = 0;
  /** The first so many of them are the driver's to be read. */
  readableCount = 0;
  /** Bytes to be read, and to be written. */
  readable = 0;
  writable = 0;
  readonly #addresses: number[] = [];
  readonly #lengths: number[] = [];

  /** Forgets all pieces. */
  clear(): void {
    this.count = this.readableCount = this.readable = this.writable = this.slots = 0;
  }

  /** One more piece. Throws RingFault for one that cannot be. `most`: pieces that there may be. */
  add(memory: CheckedMemory, address: number, length: number, write: boolean, most: number): void {
    if (this.count >= most) throw new RingFault(`a chain of more than ${most} descriptors`);
    if (length <= 0) throw new RingFault("a descriptor of no bytes");
    if (!memory.contains(address, length)) throw new RingFault("a descriptor of what is not RAM");
    if (this.readable + this.writable + length > MOST_BYTES)
      throw new RingFault("more than 4 GiB in a chain");
    if (write) this.writable += length;
    else {
      if (this.writable > 0) throw new RingFault("a descriptor to be read behind one to be written");
      this.readable += length;
      this.readableCount++;
    }
    this.#addresses[this.count] = address;
    this.#lengths[this.count] = length;
    this.count++;
  }

  /** Guest-physical address of piece `index`, below `count`. */
  address(index: number): number {
    return this.#addresses[index];
  }

  /** Bytes of piece `index`; never 0. */
  length(index: number): number {
    return this.#lengths[index];
  }

  /**
   * Hands `visit` the bytes from `from` on, `length` of them, of those to be read, piece by piece in their order. Stops where it
   * gives false. Whoever asks for more than there is gets what there is.
   */
  read(
    memory: CheckedMemory,
    from: number,
    length: number,
    visit: (bytes: Uint8Array, at: number) => boolean,
  ): boolean {
    return this.#walk(0, this.readableCount, from, length, (address, size, at) =>
      visit(memory.view(address, size)!, at),
    );
  }

  /** The same of those to be written. All that is handed out counts as written. */
  write(
    memory: CheckedMemory,
    from: number,
    length: number,
    visit: (bytes: Uint8Array, at: number) => boolean,
  ): boolean {
    return this.#walk(this.readableCount, this.count, from, length, (address, size, at) =>
      visit(memory.writable(address, size)!, at),
    );
  }

  /** Copies what is to be read from `from` on into `into`; gives how many bytes it was. */
  copyFrom(memory: CheckedMemory, from: number, into: Uint8Array): number {
    let copied = 0;
    this.read(memory, from, into.length, (bytes, at) => {
      into.set(bytes, at);
      copied = at + bytes.length;
      return true;
    });
    return copied;
  }

  /** Copies `bytes` to what is to be written, from `from` on; gives how many of them had room. */
  copyTo(memory: CheckedMemory, from: number, bytes: Uint8Array): number {
    let copied = 0;
    this.write(memory, from, bytes.length, (room, at) => {
      room.set(bytes.subarray(at, at + room.length));
      copied = at + room.length;
      return true;
    });
    return copied;
  }

  /** Where byte `offset` of those to be written lies; there are more than that. */
  addressToWrite(offset: number): number {
    let index = this.readableCount;
    while (offset >= this.#lengths[index]) offset -= this.#lengths[index++];
    return this.#addresses[index] + offset;
  }

  #walk(
    first: number,
    end: number,
    from: number,
    length: number,
    visit: (address: number, size: number, at: number) => boolean,
  ): boolean {
    let skip = from;
    let done = 0;
    for (let index = first; index < end && done < length; index++) {
      const size = this.#lengths[index];
      if (skip >= size) {
        skip -= size;
        continue;
      }
      const taken = Math.min(size - skip, length - done);
      if (!visit(this.#addresses[index] + skip, taken, done)) return false;
      done += taken;
      skip = 0;
    }
    return true;
  }
}
