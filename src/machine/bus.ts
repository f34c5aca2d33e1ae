/**
 * The two address spaces of devices: I/O ports and guest-physical memory that is not RAM. Decodes an address to
 * a device and an offset, nothing else. Absent devices read all ones and ignore writes, as open bus does.
 */
import type { AccessSize, MmioDevice, PortDevice } from "../devices/device.js";

const PORT_COUNT = 0x10000;
/** All ones, by access size in bytes. */
const ALL_ONES: Record<AccessSize, number> = { 1: 0xff, 2: 0xffff, 4: 0xffffffff };
const BYTE_MASK = 0xff;
const BITS_PER_BYTE = 8;

interface Range<Device> {
  start: number;
  size: number;
  device: Device;
}

/** Two devices want the same addresses: a bug of whoever laid out the machine, said with both names. */
export class BusConflict extends Error {
  constructor(space: string, start: number, claimant: string, holder: string) {
    super(`${space} 0x${start.toString(16)}: claimed by ${claimant}, already decoded by ${holder}`);
    this.name = "BusConflict";
  }
}

export class PortBus {
  /** Index into `#ranges` plus one, by port; 0 is open bus. */
  readonly #decode = new Uint8Array(PORT_COUNT);
  readonly #ranges: Range<PortDevice>[] = [];

  /** Decodes `size` ports from `start` to `device`, whose offsets count from `start`. */
  attach(start: number, size: number, device: PortDevice): void {
    if (start < 0 || size < 1 || start + size > PORT_COUNT) {
      throw new RangeError(`ports 0x${start.toString(16)}+${size} of ${device.name}: outside 0–0xffff`);
    }
    for (let port = start; port < start + size; port++) {
      const holder = this.#decode[port];
      if (holder !== 0)
        throw new BusConflict("port", port, device.name, this.#ranges[holder - 1].device.name);
    }
    this.#ranges.push({ start, size, device });
    if (this.#ranges.length > BYTE_MASK) throw new RangeError("more than 255 port ranges");
    this.#decode.fill(this.#ranges.length, start, start + size);
  }

  read(port: number, size: AccessSize): number {
    const range = this.#find(port, size);
    if (range === "split") return this.#readBytes(port, size);
    return range === undefined ? ALL_ONES[size] : range.device.readPort(port - range.start, size);
  }

  write(port: number, size: AccessSize, value: number): void {
    const range = this.#find(port, size);
    if (range === "split") this.#writeBytes(port, size, value);
    else range?.device.writePort(port - range.start, size, value);
  }

  /** The range that holds the whole access; "split" when its bytes belong to different owners. */
  #find(port: number, size: AccessSize): Range<PortDevice> | "split" | undefined {
    const first = this.#decode[port];
    for (let i = 1; i < size; i++) if (this.#decode[(port + i) % PORT_COUNT] !== first) return "split";
    return this.#ranges[first - 1];
  }

  /** An access across the border of a device reaches its neighbours byte by byte, as an 8-bit ISA bus would. */
  #readBytes(port: number, size: AccessSize): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--)
      value = value * (BYTE_MASK + 1) + this.read((port + i) % PORT_COUNT, 1);
    return value;
  }

  #writeBytes(port: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size; i++) {
      this.write((port + i) % PORT_COUNT, 1, (value >>> (BITS_PER_BYTE * i)) & BYTE_MASK);
    }
  }
}

export class MmioBus {
  readonly #ranges: Range<MmioDevice>[] = [];
  #last: Range<MmioDevice> | undefined;

  /** Decodes `size` bytes from guest-physical `start` to `device`, whose offsets count from `start`. */
  attach(start: number, size: number, device: MmioDevice): void {
    for (const range of this.#ranges) {
      if (start < range.start + range.size && range.start < start + size) {
        throw new BusConflict("mmio", start, device.name, range.device.name);
      }
    }
    this.#ranges.push({ start, size, device });
  }

  read(address: number, size: AccessSize): number {
    const range = this.#find(address, size);
    return range === undefined ? ALL_ONES[size] : range.device.readMmio(address - range.start, size);
  }

  write(address: number, size: AccessSize, value: number): void {
    const range = this.#find(address, size);
    range?.device.writeMmio(address - range.start, size, value);
  }

  /** Few ranges and strong locality: the last hit, then a scan. An access past the end of a device hits none. */
  #find(address: number, size: AccessSize): Range<MmioDevice> | undefined {
    const holds = (range: Range<MmioDevice>): boolean =>
      address >= range.start && address + size <= range.start + range.size;
    if (this.#last !== undefined && holds(this.#last)) return this.#last;
    const found = this.#ranges.find(holds);
    if (found !== undefined) this.#last = found;
    return found;
  }
}
