/**
 * Parts of somebody's own as a machine runs them: whatever they throw, and whatever they give that is no number, ends the
 * machine and is told with the part's name. It never reaches the engine, which would be left in the middle of an instruction.
 */
import { PageSourceError } from "../engine/contract.js";
import { hex } from "../bytes/hex.js";
import type { BackEnds, MmioDevice, PortDevice, Timers } from "../devices/device.js";
import type { ConsoleWire } from "../devices/part.js";
import { PartError } from "../devices/resources.js";
import { thrownText } from "../devices/thrown.js";

/** What a read gives from then on. */
const ONES = 0xffffffff;

/** What the part was doing, said only once it failed: an access costs no text. */
type Doing = () => string;

/** Told what a part did: `part "mine": writeMmio(0x4, 1, 0x5) threw RangeError: … (mine.js:12:9)`. */
export type OnFailure = (what: string) => void;

export class Guard {
  constructor(
    readonly part: string,
    readonly onFailure: OnFailure,
  ) {}

  ports(device: PortDevice): PortDevice {
    this.#check(device, "readPort", "writePort");
    return {
      name: this.part,
      readPort: (offset, size) =>
        this.#number(
          () => `readPort(${hex(offset)}, ${size})`,
          () => device.readPort(offset, size),
        ),
      writePort: (offset, size, value) =>
        this.#nothing(
          () => `writePort(${hex(offset)}, ${size}, ${hex(value)})`,
          () => device.writePort(offset, size, value),
        ),
    };
  }

  mmio(device: MmioDevice): MmioDevice {
    this.#check(device, "readMmio", "writeMmio");
    return {
      name: this.part,
      readMmio: (offset, size) =>
        this.#number(
          () => `readMmio(${hex(offset)}, ${size})`,
          () => device.readMmio(offset, size),
        ),
      writeMmio: (offset, size, value) =>
        this.#nothing(
          () => `writeMmio(${hex(offset)}, ${size}, ${hex(value)})`,
          () => device.writeMmio(offset, size, value),
        ),
    };
  }

  timers(timers: Timers): Timers {
    return {
      schedule: (deadline, callback, rank) =>
        timers.schedule(
          deadline,
          () =>
            this.#nothing(
              () => "its timer",
              () => callback(),
            ),
          rank,
        ),
      cancel: (handle) => timers.cancel(handle),
      rank: () => timers.rank(),
    };
  }

  backEnds(backEnds: BackEnds): BackEnds {
    const watched =
      (doing: string, call: () => void): (() => void) =>
      () =>
        this.#nothing(() => doing, call);
    return {
      begin: (source) => {
        const request = backEnds.begin(source);
        const complete = (deliver: () => void): void => request.complete(watched("an answer", deliver));
        return { source: request.source, ordinal: request.ordinal, complete };
      },
      announce: (source, deliver) => backEnds.announce(source, watched("what was announced", deliver)),
      attach: (poll) => backEnds.attach(watched("its poll", poll)),
    };
  }

  console(wire: ConsoleWire): ConsoleWire {
    return {
      transmit: (byte) => wire.transmit(byte),
      receiveReady: () => wire.receiveReady(),
      connect: (port) =>
        wire.connect({
          receive: (bytes) =>
            this.#number(
              () => "receive",
              () => port.receive(bytes),
              0,
            ),
        }),
    };
  }

  #number(doing: Doing, call: () => unknown, otherwise = ONES): number {
    const given = this.#run(doing, call);
    if (given === FAILED) return otherwise;
    if (typeof given === "number" && Number.isFinite(given)) return given;
    this.#fail(doing, `gave ${kindOf(given)} where a number is due`);
    return otherwise;
  }

  /** A promise would be what an async function gives: nobody waits for it. */
  #nothing(doing: Doing, call: () => unknown): void {
    const given = this.#run(doing, call);
    if (!(given instanceof Promise)) return;
    given.catch(() => undefined);
    this.#fail(doing, "is async, and nobody waits for it");
  }

  #run(doing: Doing, call: () => unknown): unknown {
    try {
      return call();
    } catch (error) {
      // RAM that the device looked at could not be fetched: that is not its fault.
      if (error instanceof PageSourceError) throw error;
      this.#fail(doing, `threw ${thrownText(error)}`);
      return FAILED;
    }
  }

  #fail(doing: Doing, what: string): void {
    this.onFailure(`part "${this.part}": ${doing()} ${what}`);
  }

  #check(device: unknown, ...functions: readonly string[]): void {
    const missing = functions.find(
      (name) => typeof (device as Record<string, unknown> | undefined)?.[name] !== "function",
    );
    if (missing === undefined) return;
    throw new PartError(
      this.part,
      `a device without ${missing}`,
      functions.join(" and "),
      "create must hand such a device to its wires.",
    );
  }
}

/** What a call came to that threw. */
const FAILED = Symbol("failed");

function kindOf(value: unknown): string {
  if (typeof value === "number" || value === null || value === undefined) return String(value);
  return `a ${value instanceof Promise ? "promise" : typeof value}`;
}
