/**
 * Counts accesses to the registers of one address range: what a diagnosis shows a person ("the guest polls
 * this"), and how a test proves that every register was reached. Knows no device.
 */

/** Accesses to one range. `address` is absolute. */
export interface TouchReport {
  name: string;
  registers: { address: number; reads: number; writes: number }[];
}

export class TouchCounter {
  private readonly reads = new Map<number, number>();
  private readonly writes = new Map<number, number>();

  /** Offsets run to `size`; they are counted by `granule` bytes (a power of two), so memory is bounded. */
  constructor(
    readonly size: number,
    private readonly granule: number,
  ) {}

  read(offset: number): void {
    this.count(this.reads, offset);
  }

  write(offset: number): void {
    this.count(this.writes, offset);
  }

  /** Registers that were touched, ascending. */
  report(name: string, start: number): TouchReport {
    const offsets = new Set([...this.reads.keys(), ...this.writes.keys()]);
    const registers = [...offsets]
      .sort((a, b) => a - b)
      .map((offset) => ({
        address: start + offset,
        reads: this.reads.get(offset) ?? 0,
        writes: this.writes.get(offset) ?? 0,
      }));
    return { name, registers };
  }

  private count(counts: Map<number, number>, offset: number): void {
    const register = offset - (offset % this.granule);
    counts.set(register, (counts.get(register) ?? 0) + 1);
  }
}
