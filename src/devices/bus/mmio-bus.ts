/**
 * Guest-physical addresses that are not RAM: which device decodes which range. Knows no device. An access that
 * crosses the end of a range is split into bytes; addresses of no device read as ones and ignore writes.
 */
import type { AccessSize, MmioDevice } from "../device.js";
import { BYTE_BITS, lowBytes } from "./access-bytes.js";

const ABSENT = 0xff;

export interface MmioRange {
  start: number;
  size: number;
  device: MmioDevice;
}

interface Claim extends MmioRange {
  end: number;
}

/** Two devices claim the same addresses. */
export class MmioOverlapError extends Error {
  override readonly name = "MmioOverlapError";
  constructor(
    readonly address: number,
    readonly claimants: readonly [string, string],
  ) {
    super(`address 0x${address.toString(16)} is claimed by "${claimants[0]}" and by "${claimants[1]}"`);
  }
}

export class MmioBus {
  /** Ascending by start. */
  private readonly claims: Claim[] = [];
  private last: Claim | undefined;

  /** Adds a range. Throws a RangeError for a bad one, a MmioOverlapError for one that is taken. */
  add(range: MmioRange): void {
    const { start, size, device } = range;
    const end = start + size;
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || size < 1) {
      throw new RangeError(`"${device.name}": ${start}+${size} is no range of guest-physical addresses`);
    }
    const other = this.claims.find((claim) => claim.start < end && start < claim.end);
    if (other) throw new MmioOverlapError(Math.max(start, other.start), [other.device.name, device.name]);
    this.claims.push({ start, size, device, end });
    this.claims.sort((a, b) => a.start - b.start);
  }

  read(address: number, size: AccessSize): number {
    const claim = this.claimOf(address);
    if (claim && address + size <= claim.end) return claim.device.readMmio(address - claim.start, size) >>> 0;
    if (size === 1) return ABSENT;
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.read(address + i, 1) << (BYTE_BITS * i);
    return value >>> 0;
  }

  write(address: number, size: AccessSize, value: number): void {
    const claim = this.claimOf(address);
    if (claim && address + size <= claim.end) {
      claim.device.writeMmio(address - claim.start, size, lowBytes(value, size));
      return;
    }
    if (size === 1) return;
    for (let i = 0; i < size; i++) this.write(address + i, 1, (value >>> (BYTE_BITS * i)) & 0xff);
  }

  /** Name of what decodes an address; undefined where nothing does. */
  deviceAt(address: number): string | undefined {
    return this.claimOf(address)?.device.name;
  }

  private claimOf(address: number): Claim | undefined {
    const { last } = this;
    if (last && address >= last.start && address < last.end) return last;
    const found = this.claims.find((claim) => address >= claim.start && address < claim.end);
    if (found) this.last = found;
    return found;
  }
}
