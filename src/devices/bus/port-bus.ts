/**
 * The I/O port space: which device decodes which ports. Knows no device. An access that is wider than a device
 * is split into bytes at ascending ports, as an ISA bridge does; ports of no device read as ones and ignore
 * writes.
 */
import type { AccessSize, PortDevice } from "../device.js";
import { BYTE_BITS, lowBytes } from "./access-bytes.js";

/** Ports there are. */
export const PORT_SPACE = 0x10000;
const ABSENT = 0xff;

/**
 * How a range takes accesses of several bytes: `split` into single bytes; `whole` if it lies inside the range;
 * `byte-only` does not answer to them at all (port 0xcf9 inside the PCI address register).
 */
export type PortWidth = "split" | "whole" | "byte-only";

export interface PortRange {
  start: number;
  size: number;
  device: PortDevice;
  /** Default `split`. */
  width?: PortWidth;
}

type Claim = Required<PortRange>;

/** Two devices claim the same port. */
export class PortOverlapError extends Error {
  override readonly name = "PortOverlapError";
  constructor(
    readonly port: number,
    readonly claimants: readonly [string, string],
  ) {
    super(`port 0x${port.toString(16)} is claimed by "${claimants[0]}" and by "${claimants[1]}"`);
  }
}

export class PortBus {
  private readonly claims: Claim[] = [];
  /** Index into `claims` plus one, by port; 0 is absent. */
  private readonly owner = new Uint16Array(PORT_SPACE);

  /** Adds a range. Throws a RangeError for one outside port space, a PortOverlapError for a taken port. */
  add(range: PortRange): void {
    const { start, size, device, width = "split" } = range;
    if (
      !Number.isInteger(start) ||
      !Number.isInteger(size) ||
      start < 0 ||
      size < 1 ||
      start + size > PORT_SPACE
    ) {
      throw new RangeError(`"${device.name}": ports ${start}+${size} are outside 0 to 0xffff`);
    }
    for (let port = start; port < start + size; port++) {
      const other = this.owner[port];
      if (other) throw new PortOverlapError(port, [this.claims[other - 1].device.name, device.name]);
    }
    this.claims.push({ start, size, device, width });
    this.owner.fill(this.claims.length, start, start + size);
  }

  read(port: number, size: AccessSize): number {
    const claim = this.claimOf(port, size);
    if (claim) return claim.device.readPort(port - claim.start, size) >>> 0;
    if (size === 1) return ABSENT;
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.readPart((port + i) % PORT_SPACE) << (BYTE_BITS * i);
    return value >>> 0;
  }

  write(port: number, size: AccessSize, value: number): void {
    const claim = this.claimOf(port, size);
    if (claim) {
      claim.device.writePort(port - claim.start, size, lowBytes(value, size));
      return;
    }
    if (size === 1) return;
    for (let i = 0; i < size; i++) {
      this.writePart((port + i) % PORT_SPACE, (value >>> (BYTE_BITS * i)) & 0xff);
    }
  }

  /** Name of what decodes a port; undefined where nothing does. */
  deviceAt(port: number): string | undefined {
    return this.ownerOf(port)?.device.name;
  }

  /** The claim that takes this access as it is. */
  private claimOf(port: number, size: AccessSize): Claim | undefined {
    const claim = this.ownerOf(port);
    if (!claim || size === 1) return claim;
    return claim.width === "whole" && port + size <= claim.start + claim.size ? claim : undefined;
  }

  private ownerOf(port: number): Claim | undefined {
    const index = this.owner[port];
    return index ? this.claims[index - 1] : undefined;
  }

  /** A byte of a wider access. */
  private readPart(port: number): number {
    return this.ownerOf(port)?.width === "byte-only" ? ABSENT : this.read(port, 1);
  }

  private writePart(port: number, value: number): void {
    if (this.ownerOf(port)?.width !== "byte-only") this.write(port, 1, value);
  }
}
