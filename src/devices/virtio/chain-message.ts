/** Chains of a device that shares a folder, as the servers of its protocols see them. */
import type { ShareMessage } from "../../share/message.js";
import type { PartMemory } from "../part.js";
import type { Chain } from "./chain.js";

/** The chain that is served; one and the same object for all of them. */
export class ChainMessage implements ShareMessage {
  readable = 0;
  writable = 0;
  readablePieces = 0;
  writablePieces = 0;
  #memory!: PartMemory;

  constructor(private readonly chain: Chain) {}

  take(memory: PartMemory): this {
    const { readable, writable, readableCount, count } = this.chain;
    this.#memory = memory;
    this.readable = readable;
    this.writable = writable;
    this.readablePieces = readableCount;
    this.writablePieces = count - readableCount;
    return this;
  }

  copyFrom(from: number, into: Uint8Array): number {
    return this.chain.copyFrom(this.#memory, from, into);
  }

  copyTo(from: number, bytes: Uint8Array): void {
    this.chain.write(this.#memory, from, bytes.length, (room, at) => {
      room.set(at === 0 && room.length === bytes.length ? bytes : bytes.subarray(at, at + room.length));
      return true;
    });
  }

  read(from: number, length: number, visit: (bytes: Uint8Array, at: number) => boolean): void {
    this.chain.read(this.#memory, from, length, visit);
  }

  write(from: number, length: number, visit: (bytes: Uint8Array, at: number) => boolean): void {
    this.chain.write(this.#memory, from, length, visit);
  }
}
