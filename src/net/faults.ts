/**
 * What a bad line does to frames: loses, delays, repeats, overtakes and breaks them, and carries so many bits a second. The same seed does
 * the same to the same frames. One direction each; `FaultyNet` and `TimedLine` put lines before a network.
 */
import { FixedSequence } from "../bytes/fixed-sequence.js";
import { completeChecksum } from "./checksum.js";
import { ETHERNET_HEADER, type NetFrame } from "./net-backend.js";
import { cutSegments } from "./segmentation.js";

/** Of each direction of a line; what is absent does nothing. */
export interface Faults {
  /** How probable it is that a frame is lost: 0 to 1. */
  readonly loss?: number;
  /** How long each frame takes, ms: 0 to 60,000. */
  readonly delay?: number;
  /** By how much more or less, ms: 0 to `delay`. Frames do not overtake each other for that. */
  readonly jitter?: number;
  /** How probable it is that a frame is overtaken by those behind it: it takes `delay` once more, 10 ms at least. 0 to 1. */
  readonly reorder?: number;
  /** How probable it is that a frame comes twice: 0 to 1. */
  readonly duplicate?: number;
  /** How probable it is that a bit of a frame behind its Ethernet header is wrong: 0 to 1. */
  readonly corrupt?: number;
  /** Bits a second: 1,000 to 10^12. */
  readonly rate?: number;
  /** Chooses the faults: 0 to 2^32 - 1; absent: 0. */
  readonly seed?: number;
}

export const MOST_DELAY_MS = 60_000;
export const LEAST_RATE = 1000;
export const MOST_RATE = 1e12;
export const MOST_SEED = 0xffff_ffff;
/** What a line holds; it takes no more then. */
const MOST_FRAMES = 1000;
/** Packets of a segment that is cut, and copies, may go beyond so far; the rest is lost. */
const MOST_BEYOND = 1000;
const MOST_BYTES = 2 ** 22;
/**
 * What a line has still to carry at most, with what is lost on the way: more than it holds. At the least rate that is 19 hours: no
 * host's timer wraps.
 */
const MOST_CARRIED = 2 * MOST_BYTES;
const LEAST_OVERTAKEN_MS = 10;
const MS = 1000;
const BYTE_BITS = 8;
const ALL_NUMBERS = 2 ** 32;
/** Seeds that are close to each other begin alike: so many numbers are left out. */
const FIRST_NUMBERS = 16;

/** Throws RangeError, which says what was found and what is expected. */
export function checkFaults(faults: Faults): void {
  const within = (name: keyof Faults, first: number, last: number, what: string): void => {
    const value = faults[name] ?? first;
    if (typeof value !== "number" || !(value >= first && value <= last))
      throw new RangeError(`faults: found ${name} ${String(value)}; expected ${what}`);
  };
  for (const name of ["loss", "reorder", "duplicate", "corrupt"] as const)
    within(name, 0, 1, "a probability, 0 to 1");
  within("delay", 0, MOST_DELAY_MS, `milliseconds, 0 to ${MOST_DELAY_MS}`);
  within("jitter", 0, faults.delay ?? 0, "milliseconds, 0 to those of delay");
  within("rate", LEAST_RATE, MOST_RATE, `bits a second, ${LEAST_RATE} to ${MOST_RATE}`);
  within("seed", 0, MOST_SEED, `a whole number, 0 to ${MOST_SEED}`);
  if (!Number.isInteger(faults.seed ?? 0))
    throw new RangeError(`faults: found seed ${faults.seed}; expected a whole number`);
}

/** Which way frames go: each direction has faults of its own. */
export type Direction = "to-guest" | "from-guest";
const SALT = { "to-guest": 0x5bd1_e995, "from-guest": 0x27d4_eb2f } as const;

interface Held {
  readonly frame: NetFrame;
  readonly due: number;
}

/** A line in one direction. Time is the caller's: milliseconds that never go back. */
export class FaultyLine {
  readonly #random: FixedSequence;
  /** By the time when they are due. */
  readonly #held: Held[] = [];
  #bytes = 0;
  /** When the line has carried all before. */
  #free = -Infinity;
  /** When the last frame that kept its place is due. */
  #last = -Infinity;

  /** Throws RangeError. */
  constructor(
    private readonly faults: Faults,
    direction: Direction,
  ) {
    checkFaults(faults);
    // Zero is no state of the sequence.
    this.#random = new FixedSequence(((faults.seed ?? 0) ^ SALT[direction]) >>> 0 || SALT[direction]);
    for (let i = 0; i < FIRST_NUMBERS; i++) this.#random.next();
  }

  /** Whether it takes another frame. */
  get room(): boolean {
    return this.#held.length < MOST_FRAMES && this.#bytes < MOST_BYTES;
  }

  /** When its next frame is due; undefined where it has none. */
  get next(): number | undefined {
    return this.#held.at(0)?.due;
  }

  /** Puts a frame on the line, at `now`. A segment that is to be cut is cut: each of its packets has its own fate. */
  push(frame: NetFrame, now: number): void {
    for (const packet of cutSegments(frame)) this.#push(packet, now);
  }

  /** The next frame that is through at `now`. */
  pull(now: number): NetFrame | undefined {
    const [first] = this.#held;
    if (first === undefined || first.due > now) return undefined;
    this.#held.shift();
    this.#bytes -= first.frame.bytes.length;
    return first.frame;
  }

  #push(frame: NetFrame, now: number): void {
    const { delay = 0, jitter = 0, rate = Infinity } = this.faults;
    // As many numbers for every frame: what becomes of one changes nothing for the next.
    const [lost, twice, broken, late] = (["loss", "duplicate", "corrupt", "reorder"] as const).map(
      (fault) => this.#chance() < (this.faults[fault] ?? 0),
    );
    const [shift, where] = [(2 * this.#chance() - 1) * jitter, this.#chance()];
    // What is lost was on the line, too.
    const takes = (bytes: number): number => (bytes * BYTE_BITS * MS) / rate;
    this.#free = Math.min(Math.max(now, this.#free) + takes(frame.bytes.length), now + takes(MOST_CARRIED));
    if (lost) return;
    const arrives = Math.max(this.#free + delay + shift, this.#last);
    if (!late) this.#last = arrives;
    const due = late ? arrives + Math.max(delay, LEAST_OVERTAKEN_MS) : arrives;
    for (let copies = twice ? 2 : 1; copies > 0; copies--)
      this.#hold({ frame: broken ? withWrongBit(frame, where) : copyOf(frame), due });
  }

  #hold(held: Held): void {
    if (this.#held.length >= MOST_FRAMES + MOST_BEYOND) return;
    let at = this.#held.length;
    while (at > 0 && this.#held[at - 1].due > held.due) at--;
    this.#held.splice(at, 0, held);
    this.#bytes += held.frame.bytes.length;
  }

  /** 0 to 1, but never 1. */
  #chance(): number {
    return this.#random.next() / ALL_NUMBERS;
  }
}

/** With bytes of its own: they may be a piece of much that is long gone. */
function copyOf(frame: NetFrame): NetFrame {
  return { ...frame, bytes: frame.bytes.slice() };
}

/** One bit is wrong, and nobody says that the checksums are right. */
function withWrongBit(frame: NetFrame, where: number): NetFrame {
  const { bytes } = completeChecksum(copyOf(frame));
  const bit = Math.floor(where * (bytes.length - ETHERNET_HEADER) * BYTE_BITS);
  if (bytes.length > ETHERNET_HEADER)
    bytes[ETHERNET_HEADER + Math.floor(bit / BYTE_BITS)] ^= 1 << (bit % BYTE_BITS);
  return { bytes };
}
