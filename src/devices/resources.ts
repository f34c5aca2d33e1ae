/**
 * Who has which ports, addresses and interrupts: the one allocator of everything that a part claims. A clash is an error
 * that names both claimants.
 */
import { hex } from "../bytes/hex.js";
import type { Span } from "../memory/layout.js";
import { IOAPIC_PINS } from "../spec/apic.js";
import { ISA_IRQ, ISA_IRQS } from "../spec/pc-ports.js";
import { PORT_SPACE } from "./bus/port-bus.js";

/** A part that cannot be had as it was asked for; `part` is its name. */
export class PartError extends Error {
  override readonly name = "PartError";
  constructor(
    readonly part: string,
    readonly found: string,
    readonly expected: string,
    readonly advice: string,
  ) {
    super(`part "${part}": found ${found}; expected ${expected}. ${advice}`);
  }
}

/** Where parts with registers in memory go that do not care where: behind the end of RAM below 4 GiB. */
export const PART_WINDOW: Span = { start: 0xd000_0000, size: 0x1000_0000 };
/** The smallest piece of it, so that no two parts share a page. */
const PAGE = 0x1000;
/** Guest-physical addresses that interrupt controllers, firmware and RAM above 4 GiB leave to parts end here. */
const ADDRESS_END = 0x1_0000_0000;
/** ISA interrupts that no part of a PC has, those first that the fewest systems expect something else at. */
const FREE_IRQS = [5, 10, 11, 7, 6, 14, 15, 3];
/**
 * Where levels go. First those ISA interrupts that systems know by number even where tables tell of no more, but for two that are
 * left to parts that share with nobody; then the inputs of the I/O APIC that an ISA bus does not have.
 */
const LEVEL_IRQS = [5, 10, 11, 7, 6, 14, 16, 17, 18, 19, 20, 21, 22, 23];

interface Claimed extends Span {
  owner: string;
  /** The owner is a part; otherwise it was taken before there was any. */
  byPart: boolean;
}

/** What one part may ask for; everything it gets is noted under its name. */
export interface Claim {
  /** Ports. Throws PartError for ports that there are not, or that somebody has. */
  ports(range: Span): void;
  /** Guest-physical addresses below 4 GiB and outside RAM. Throws PartError likewise. */
  mmio(range: Span): void;
  /** Free addresses: `size` bytes, a multiple of 4 KiB, aligned to the next power of two. */
  anyMmio(size: number): Span;
  /** An ISA interrupt, 0–15, of its own. */
  irq(number: number): void;
  /** A free ISA interrupt. */
  anyIrq(): number;
  /**
   * An interrupt that is a level, this one or any: a free one, or one that other levels have. Beside ISA's there are the inputs
   * 16 to 23 of the I/O APIC.
   */
  levelIrq(number?: number): number;
}

/** What somebody has. */
export interface Owned {
  ports: readonly Span[];
  mmio: readonly Span[];
  irqs: readonly number[];
}

export class Resources {
  readonly #ports: Claimed[] = [];
  readonly #addresses: Claimed[];
  /** Owners of interrupts that are levels, which may be several. */
  readonly #levels = new Map<number, string[]>();
  readonly #irqs = new Map<number, string>([[ISA_IRQ.cascade, "the two 8259s"]]);

  /** `taken`: guest-physical memory that no part can have, RAM first of all. */
  constructor(taken: readonly (Span & { what: string })[]) {
    this.#addresses = taken.map(({ start, size, what }) => ({ start, size, owner: what, byPart: false }));
  }

  /** What the part called `owner` may ask for. */
  claimFor(owner: string): Claim {
    return {
      ports: (range) => this.#take(this.#ports, "ports", PORT_SPACE, owner, range),
      mmio: (range) => this.#take(this.#addresses, "addresses", ADDRESS_END, owner, range),
      anyMmio: (size) => this.#anyMmio(owner, size),
      irq: (number) => this.#takeIrq(owner, number),
      anyIrq: () => this.#anyIrq(owner),
      levelIrq: (number) => this.#levelIrq(owner, number),
    };
  }

  #take(taken: Claimed[], what: string, end: number, owner: string, { start, size }: Span): void {
    if (
      !Number.isSafeInteger(start) ||
      !Number.isSafeInteger(size) ||
      start < 0 ||
      size < 1 ||
      start + size > end
    ) {
      throw new PartError(
        owner,
        `${what} with start ${start} and size ${size}`,
        `a range from 0 to ${hex(end - 1)}`,
        "Give a range that there is.",
      );
    }
    const other = taken.find(
      (claimed) => start < claimed.start + claimed.size && claimed.start < start + size,
    );
    if (other !== undefined) {
      throw new PartError(
        owner,
        `${what} ${spanText({ start, size })}, which "${other.owner}" has (${spanText(other)})`,
        `${what} that nobody has`,
        "Move one of the two.",
      );
    }
    taken.push({ start, size, owner, byPart: true });
  }

  /** What is noted under a name. */
  ownedBy(owner: string): Owned {
    const mine = (all: readonly Claimed[]): Span[] => all.filter((one) => one.byPart && one.owner === owner);
    const irqs = [...this.#irqs].filter(([irq, name]) => irq !== ISA_IRQ.cascade && name === owner);
    const levels = [...this.#levels].filter(([, owners]) => owners.includes(owner));
    return {
      ports: mine(this.#ports),
      mmio: mine(this.#addresses),
      irqs: [...irqs, ...levels].map(([irq]) => irq),
    };
  }

  #anyMmio(owner: string, size: number): Span {
    const length = 2 ** Math.ceil(Math.log2(Math.max(size, PAGE)));
    const end = PART_WINDOW.start + PART_WINDOW.size;
    for (let start = PART_WINDOW.start; start + length <= end; start += length) {
      const free = this.#addresses.every(
        (one) => start >= one.start + one.size || one.start >= start + length,
      );
      if (!free) continue;
      const span = { start, size };
      this.#take(this.#addresses, "addresses", ADDRESS_END, owner, span);
      return span;
    }
    throw new PartError(owner, `no free ${size} bytes of addresses`, spanText(PART_WINDOW), "Ask for less.");
  }

  #takeIrq(owner: string, number: number): void {
    if (!Number.isInteger(number) || number < 0 || number >= ISA_IRQS) {
      throw new PartError(owner, `interrupt ${number}`, "an ISA interrupt, 0 to 15", "Give one of these.");
    }
    const other = this.#irqs.get(number) ?? this.#levels.get(number)?.[0];
    if (other !== undefined) {
      throw new PartError(
        owner,
        `interrupt ${number}, which "${other}" has`,
        "an interrupt that nobody has",
        "Give one of the two another.",
      );
    }
    this.#irqs.set(number, owner);
  }

  #levelIrq(owner: string, asked?: number): number {
    if (asked !== undefined && (!Number.isInteger(asked) || asked < 0 || asked >= IOAPIC_PINS)) {
      throw new PartError(
        owner,
        `interrupt ${asked}`,
        `an interrupt, 0 to ${IOAPIC_PINS - 1}`,
        "Give one of these.",
      );
    }
    const number = asked ?? this.#leastShared();
    if (this.#irqs.has(number)) this.#takeIrq(owner, number);
    this.#levels.set(number, [...(this.#levels.get(number) ?? []), owner]);
    return number;
  }

  /** The level with the fewest owners; the first of equals. */
  #leastShared(): number {
    const open = LEVEL_IRQS.filter((number) => !this.#irqs.has(number));
    const owners = (number: number): number => this.#levels.get(number)?.length ?? 0;
    return open.reduce((best, number) => (owners(number) < owners(best) ? number : best));
  }

  #anyIrq(owner: string): number {
    const free = FREE_IRQS.find((number) => !this.#irqs.has(number) && !this.#levels.has(number));
    if (free === undefined) {
      throw new PartError(owner, "no free interrupt", `one of ${FREE_IRQS.join(", ")}`, "Use fewer devices.");
    }
    this.#irqs.set(free, owner);
    return free;
  }
}

function spanText({ start, size }: Span): string {
  return `${hex(start)}–${hex(start + size - 1)}`;
}
