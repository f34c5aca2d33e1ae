/**
 * What a device is made of. A device knows its registers, a line for its interrupt and the clock it was given;
 * never the CPU, never the bus that decodes its addresses. Its state is one plain object (`state`), so that it
 * can be copied, compared and serialised.
 */
/** Sizes of one register access, bytes. */
export type AccessSize = 1 | 2 | 4;

/** A level-sensitive wire into an interrupt controller or a fan-out of several. */
export interface InterruptLine {
  set(raised: boolean): void;
}

/** Registers in I/O port space. `offset` counts from the start of the range that was decoded. */
export interface PortDevice {
  readonly name: string;
  /** Returns an unsigned value of `size` bytes; bits of no register read as ones. */
  readPort(offset: number, size: AccessSize): number;
  writePort(offset: number, size: AccessSize, value: number): void;
}

/** Registers in guest-physical memory. */
export interface MmioDevice {
  readonly name: string;
  readMmio(offset: number, size: AccessSize): number;
  writeMmio(offset: number, size: AccessSize, value: number): void;
}

/** The one source of time. */
export interface Clock {
  /** Nanoseconds since power-on, monotonic; a safe integer. */
  now(): number;
}

/** One-shot timers on the machine's clock. */
export interface Timers {
  /**
   * Calls `callback` once when the clock reaches `deadline` (ns since power-on). Deadlines in the past fire at
   * the next opportunity. Returns a handle for `cancel`. Handles are never reused; cancelling twice is harmless. Of equal
   * deadlines the least `rank` fires first, then the one armed first; without one it fires behind all that have one.
   */
  schedule(deadline: number, callback: () => void, rank?: number): number;
  cancel(handle: number): void;
  /**
   * A rank for a timer that a part keeps, growing with each call. A part that asks when it is made has the same one in every
   * life of the machine, so that equal deadlines fire in the same order when the machine goes on elsewhere.
   */
  rank(): number;
}

/** How a device ends the machine. `route` names the mechanism, for people and for `--json`. */
export type PowerEvent =
  | { kind: "off"; route: string }
  | { kind: "reset"; route: string }
  | { kind: "debug-exit"; route: string; value: number };

export interface PowerControl {
  request(event: PowerEvent): void;
}

/** Something that may wake the machine, from `Waking.hold` on until it is released. */
export interface Hold {
  /** Doing it twice is harmless. */
  release(): void;
}

/** What may wake the machine later besides timers and the console, counted. */
export interface Waking {
  /** Keeps a sleeping machine alive until it is released. `name` is for people: "socket". */
  hold(name: string): Hold;
}

/** A request to a back end, in flight. It keeps a sleeping machine alive. */
export interface Request {
  readonly source: string;
  /** The how manieth request of its source, from 0. */
  readonly ordinal: number;
  /**
   * The back end's answer, once: `deliver` is called by the run loop and does to the device and to memory what there is to do.
   * Throws where the request was answered before.
   */
  complete(deliver: () => void): void;
}

/** Where back ends put what they have finished. */
export interface BackEnds {
  /** A request that will be answered. Its source's name is for people, and for records. */
  begin(source: string): Request;
  /** Something came that nobody asked for, a packet for instance. */
  announce(source: string, deliver: () => void): void;
  /** `poll` is called once a slice: a back end on another thread looks there at what that one has finished. */
  attach(poll: () => void): void;
}
