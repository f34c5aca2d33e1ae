/**
 * Guest RAM inside the engine's memory: ranges of guest-physical addresses packed one behind the other. All accesses
 * are checked; writes from outside the CPU drop decoded code.
 */
import { TWO_32 } from "../../bytes/words.js";
import type { GuestMemory, MemorySpec, PageSource } from "../contract.js";
import { AbsentPages } from "./absent-pages.js";

const PAGE_SIZE = 0x1000;

export class RamMap {
  /** Total RAM in bytes. */
  readonly bytes: number;
  private readonly offsets: number[] = [];
  /** End of the first range where that begins at 0, as it nearly always does. */
  readonly lowEnd: number;
  /** Pages that are not there yet: whoever asks for a place in RAM has them fetched. */
  absent: AbsentPages | undefined;

  constructor(readonly ranges: readonly { start: number; size: number }[]) {
    let total = 0;
    let end = 0;
    for (const { start, size } of ranges) {
      if (start % PAGE_SIZE !== 0 || size % PAGE_SIZE !== 0 || size <= 0 || start < end) {
        throw new RangeError(
          `RAM range 0x${start.toString(16)} +0x${size.toString(16)}: must be 4 KiB aligned and ascending`,
        );
      }
      this.offsets.push(total);
      total += size;
      end = start + size;
    }
    this.bytes = total;
    this.lowEnd = ranges.length > 0 && ranges[0].start === 0 ? ranges[0].size : 0;
  }

  /** Offset in RAM of a guest-physical address, whose page is there then, or -1 when it is not RAM. */
  offsetOf(physical: number): number {
    const offset = this.place(physical);
    if (this.absent !== undefined && offset >= 0) this.absent.bring(offset, 1);
    return offset;
  }

  /** The same of an address whose contents nobody will look at. */
  place(physical: number): number {
    if (physical >= 0 && physical < this.lowEnd) return physical;
    for (let i = 0; i < this.ranges.length; i++) {
      const { start, size } = this.ranges[i];
      if (physical >= start && physical < start + size) return physical - start + this.offsets[i];
    }
    return -1;
  }

  /** Guest-physical address of an offset in RAM. */
  addressOf(ramOffset: number): number {
    let i = this.ranges.length - 1;
    while (i > 0 && this.offsets[i] > ramOffset) i--;
    return this.ranges[i].start + ramOffset - this.offsets[i];
  }

  /** Offset of `[address, +length)`, which is there then, or -1 when it does not lie in one range. */
  find(address: number, length: number): number {
    const offset = this.#findRange(address, length);
    if (this.absent !== undefined && offset >= 0) this.absent.bring(offset, length);
    return offset;
  }

  #findRange(address: number, length: number): number {
    if (address >= 0 && length >= 0 && address + length <= this.lowEnd) return address;
    for (let i = 0; i < this.ranges.length; i++) {
      const { start, size } = this.ranges[i];
      if (address >= start && length >= 0 && address + length <= start + size)
        return address - start + this.offsets[i];
    }
    return -1;
  }
}

/** What must hear of bytes before they change: decoded code, watched lines, the pages that are noted. */
export interface MemoryObserver {
  changed(ramOffset: number, length: number): void;
  /** Pages written since a mark, by RAM offset. */
  readonly pages: { mark(): void; unmark(): void; list(): number[] | undefined };
  /** By page of RAM: not there yet. Generated code looks at it. */
  readonly absent: Uint8Array;
  /** From now on pages are absent. */
  fetchesLater(): void;
}

export class WasmGuestMemory implements GuestMemory {
  private readonly bytes: Uint8Array;
  private readonly data: DataView;
  readonly ranges: MemorySpec["ranges"];

  /** RAM as `map` has it, in `buffer` from byte `base` on. */
  constructor(
    buffer: ArrayBuffer,
    private readonly map: RamMap,
    private readonly base: number,
    private readonly observer: MemoryObserver,
  ) {
    this.bytes = new Uint8Array(buffer);
    this.data = new DataView(buffer);
    this.ranges = map.ranges;
  }

  contains(address: number, length: number): boolean {
    return this.map.find(address, length) >= 0;
  }

  view(address: number, length: number): Uint8Array | undefined {
    const offset = this.map.find(address, length);
    return offset < 0 ? undefined : this.at(offset, length);
  }

  writable(address: number, length: number): Uint8Array | undefined {
    const offset = this.map.find(address, length);
    if (offset < 0) return undefined;
    this.observer.changed(offset, length);
    return this.at(offset, length);
  }

  private at(offset: number, length: number): Uint8Array {
    return this.bytes.subarray(this.base + offset, this.base + offset + length);
  }

  readU8(address: number): number {
    const offset = this.map.find(address, 1);
    return offset < 0 ? -1 : this.bytes[this.base + offset];
  }

  readU16(address: number): number {
    const offset = this.map.find(address, 2);
    return offset < 0 ? -1 : this.data.getUint16(this.base + offset, true);
  }

  readU32(address: number): number {
    const offset = this.map.find(address, 4);
    return offset < 0 ? -1 : this.data.getUint32(this.base + offset, true);
  }

  readU64(address: number): number {
    const offset = this.map.find(address, 8);
    if (offset < 0) return -1;
    const low = this.data.getUint32(this.base + offset, true);
    return this.data.getUint32(this.base + offset + 4, true) * TWO_32 + low;
  }

  writeU8(address: number, value: number): boolean {
    const offset = this.toWrite(address, 1);
    if (offset >= 0) this.bytes[this.base + offset] = value;
    return offset >= 0;
  }

  writeU16(address: number, value: number): boolean {
    const offset = this.toWrite(address, 2);
    if (offset >= 0) this.data.setUint16(this.base + offset, value, true);
    return offset >= 0;
  }

  writeU32(address: number, value: number): boolean {
    const offset = this.toWrite(address, 4);
    if (offset >= 0) this.data.setUint32(this.base + offset, value, true);
    return offset >= 0;
  }

  writeU64(address: number, low: number, high: number): boolean {
    const offset = this.toWrite(address, 8);
    if (offset < 0) return false;
    this.data.setUint32(this.base + offset, low, true);
    this.data.setUint32(this.base + offset + 4, high, true);
    return true;
  }

  markClean(): void {
    this.observer.pages.mark();
  }

  dropMark(): void {
    this.observer.pages.unmark();
  }

  dirtyPages(): number[] | undefined {
    return this.observer.pages.list()?.map((offset) => this.map.addressOf(offset));
  }

  fetchLater(source: PageSource): void {
    if (source.runs.length === 0) return;
    const placeOf = (page: number): number => this.map.place(page * PAGE_SIZE) / PAGE_SIZE;
    const ram = this.at(0, this.map.bytes);
    const done = (): void => {
      this.map.absent = undefined;
    };
    this.map.absent = new AbsentPages({ ram, absent: this.observer.absent, source, placeOf, done });
    this.observer.fetchesLater();
  }

  fetchMore(blocks: number): boolean {
    this.map.absent?.more(blocks);
    return this.map.absent !== undefined;
  }

  /** Offset of bytes that are written next, or -1. */
  private toWrite(address: number, length: number): number {
    const offset = this.map.find(address, length);
    if (offset >= 0) this.observer.changed(offset, length);
    return offset;
  }

  write(address: number, bytes: Uint8Array): void {
    const offset = this.require(address, bytes.length);
    this.observer.changed(offset, bytes.length);
    this.bytes.set(bytes, this.base + offset);
  }

  read(address: number, length: number): Uint8Array {
    const offset = this.require(address, length);
    return this.bytes.slice(this.base + offset, this.base + offset + length);
  }

  fill(address: number, length: number, value: number): void {
    const offset = this.require(address, length);
    this.observer.changed(offset, length);
    this.bytes.fill(value, this.base + offset, this.base + offset + length);
  }

  /** Offset of `[address, +length)`; throws a RangeError where it is not RAM. */
  private require(address: number, length: number): number {
    const offset = this.map.find(address, length);
    if (offset >= 0) return offset;
    throw new RangeError(`guest memory 0x${address.toString(16)} +0x${length.toString(16)} is not RAM`);
  }
}
