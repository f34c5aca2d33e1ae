/**
 * Guest RAM inside the engine's memory: ranges of guest-physical addresses packed one behind the other. All accesses
 * are checked; writes from outside the CPU drop decoded code.
 */
import type { GuestMemory, MemorySpec } from "../contract.js";

const ALIGNMENT = 0x1000;

export class RamMap {
  /** Total RAM in bytes. */
  readonly bytes: number;
  private readonly offsets: number[] = [];
  /** End of the first range where that begins at 0, as it nearly always does. */
  readonly lowEnd: number;

  constructor(readonly ranges: readonly { start: number; size: number }[]) {
    let total = 0;
    let end = 0;
    for (const { start, size } of ranges) {
      if (start % ALIGNMENT !== 0 || size % ALIGNMENT !== 0 || size <= 0 || start < end) {
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

  /** Offset in RAM of a guest-physical address, or -1 when it is not RAM. */
  offsetOf(physical: number): number {
    if (physical >= 0 && physical < this.lowEnd) return physical;
    for (let i = 0; i < this.ranges.length; i++) {
      const { start, size } = this.ranges[i];
      if (physical >= start && physical < start + size) return physical - start + this.offsets[i];
    }
    return -1;
  }

  /** Offset of `[address, +length)`, which must lie in one range. */
  require(address: number, length: number): number {
    for (let i = 0; i < this.ranges.length; i++) {
      const { start, size } = this.ranges[i];
      if (address >= start && length >= 0 && address + length <= start + size)
        return address - start + this.offsets[i];
    }
    throw new RangeError(`guest memory 0x${address.toString(16)} +0x${length.toString(16)} is not RAM`);
  }
}

/** What must hear of bytes that change under decoded code. */
export type CodeWritten = (ramOffset: number, length: number) => void;

export class WasmGuestMemory implements GuestMemory {
  private readonly bytes: Uint8Array;
  readonly ranges: MemorySpec["ranges"];

  constructor(
    memory: WebAssembly.Memory,
    private readonly map: RamMap,
    private readonly base: number,
    private readonly written: CodeWritten,
  ) {
    this.bytes = new Uint8Array(memory.buffer);
    this.ranges = map.ranges;
  }

  write(address: number, bytes: Uint8Array): void {
    const offset = this.map.require(address, bytes.length);
    this.written(offset, bytes.length);
    this.bytes.set(bytes, this.base + offset);
  }

  read(address: number, length: number): Uint8Array {
    const offset = this.map.require(address, length);
    return this.bytes.slice(this.base + offset, this.base + offset + length);
  }

  fill(address: number, length: number, value: number): void {
    const offset = this.map.require(address, length);
    this.written(offset, length);
    this.bytes.fill(value, this.base + offset, this.base + offset + length);
  }
}
