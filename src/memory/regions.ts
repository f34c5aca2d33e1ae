/**
 * The guest-physical allocator (R1.6): loaders, table builders and devices claim named, aligned regions, by
 * address or by search. An overlap is an error that names both claimants. Knows no boot protocol.
 */
import { hex } from "../bytes/hex.js";
import type { E820Type } from "../spec/e820.js";
import { FreeSpace, type SearchLimits } from "./free-space.js";
import type { Span } from "./layout.js";
import { MemoryMapError } from "./memory-error.js";

export type { SearchLimits } from "./free-space.js";

/** Contents of a region. `bytes` may be shorter than the region: the rest is zero. */
export type RegionContent = { kind: "zero" } | { kind: "bytes"; bytes: Uint8Array };

/** A named piece of RAM, filled before the boot CPU starts. */
export interface Region {
  /** Unique, for people: "kernel", "initrd", "boot_params", "page tables". */
  name: string;
  /** Guest-physical address, bytes. */
  start: number;
  size: number;
  /** How e820 shows it; "ram" means the guest may reuse it. */
  e820: E820Type;
  content: RegionContent;
  /** Who claimed it, for overlap errors: a loader, a table builder. */
  owner: string;
}

/** Addresses that hold no RAM contents: device registers, or a hole that the memory map leaves out. */
export interface Hole {
  name: string;
  start: number;
  size: number;
  owner: string;
}

/** RAM that is kept free of what is placed by search, and may be claimed by address all the same. */
export interface Aside {
  name: string;
  start: number;
  size: number;
  /** How e820 shows what nobody claims of it. */
  e820: E820Type;
}

/** What every claim of RAM says about itself. */
export interface ClaimRequest {
  name: string;
  owner: string;
  /** Bytes, positive. */
  size: number;
  /** Bytes, a power of two; 1 when absent. */
  align?: number;
  /** "ram" when absent. */
  e820?: E820Type;
  /** Zeros when absent. Must not be longer than `size`. */
  bytes?: Uint8Array;
  /** What a person can do when the place is taken, for the error. */
  whenTaken?: string | undefined;
}

/** Claims over one machine's RAM. */
export class RegionMap {
  readonly #regions: Region[] = [];
  readonly #holes: Hole[] = [];
  readonly #asides: Aside[] = [];
  readonly #names = new Set<string>();
  /** RAM that nobody has claimed. */
  readonly #unclaimed: FreeSpace;
  /** The same without what was set aside. */
  readonly #free: FreeSpace;

  /** `ram`: ascending, disjoint ranges of guest-physical memory. */
  constructor(readonly ram: readonly Span[]) {
    this.#unclaimed = new FreeSpace(ram);
    this.#free = new FreeSpace(ram);
  }

  /** Claimed RAM, ascending by address. */
  regions(): Region[] {
    return this.#regions.toSorted(byAddress);
  }

  /** Claimed addresses without RAM contents, ascending. */
  holes(): Hole[] {
    return this.#holes.toSorted(byAddress);
  }

  /** What was set aside, in that order. */
  asides(): readonly Aside[] {
    return this.#asides;
  }

  /** Keeps RAM free of what is placed by search. */
  setAside(aside: Aside): void {
    checkSpan(aside.name, aside.start, aside.size);
    this.#asides.push({ ...aside });
    this.#free.take(aside.start, aside.start + aside.size);
  }

  /**
   * Claims `size` bytes at `start`.
   * @throws MemoryMapError if misaligned, outside RAM, overlapping or the name is taken.
   */
  claimAt(start: number, request: ClaimRequest): Region {
    checkSpan(request.name, start, request.size);
    checkAlignment(request.name, start, request.align ?? 1);
    this.#checkInsideRam(request.name, start, request.size);
    if (!this.#unclaimed.contains(start, start + request.size)) {
      this.#checkNoOverlap({ ...request, start });
    }
    return this.#add(start, request);
  }

  /**
   * Claims the lowest or highest free aligned place within the limits.
   * @throws MemoryMapError if there is none; the error says how much room the largest gap has.
   */
  claimBySearch(request: ClaimRequest, limits: SearchLimits): Region {
    return this.#add(this.findPlace(request, limits), request);
  }

  /** Where `claimBySearch` would put a region; claims nothing. Throws as it does. */
  findPlace(request: ClaimRequest, limits: SearchLimits): number {
    checkSpan(request.name, 0, request.size);
    const align = request.align ?? 1;
    checkAlignment(request.name, 0, align);
    const start = this.#free.find(request.size, align, limits);
    if (start !== undefined) return start;
    const gaps = this.freeGaps(limits.above, limits.below);
    const largest = gaps.reduce((most, gap) => Math.max(most, gap.size), 0);
    throw new MemoryMapError(
      limits.above,
      `no free ${request.size} bytes (aligned to ${hex(align)}) for "${request.name}" of ${request.owner}; the largest gap has ${largest}`,
      `room between ${hex(limits.above)} and ${hex(limits.below)}`,
      "The guest has too little memory for this image and its modules.",
    );
  }

  /** Whether there is a place for `size` bytes, aligned, within the limits. */
  hasPlace(size: number, align: number, limits: SearchLimits): boolean {
    return this.#free.find(size, align, limits) !== undefined;
  }

  /**
   * Claims addresses that hold no RAM contents, such as device registers. May lie inside or outside RAM.
   * @throws MemoryMapError on overlap.
   */
  claimHole(hole: Hole): void {
    checkSpan(hole.name, hole.start, hole.size);
    this.#checkNoOverlap(hole);
    this.#holes.push({ ...hole });
    this.#take(hole);
  }

  /** Gaps of RAM between claims, ascending, cut to [`above`, `below`). */
  freeGaps(above: number, below: number): Span[] {
    return this.#free.gaps(above, below);
  }

  #add(start: number, request: ClaimRequest): Region {
    const { name, owner, size, bytes } = request;
    if (this.#names.has(name)) {
      throw new MemoryMapError(start, `a second region "${name}"`, "unique names", "A loader claimed twice.");
    }
    if (bytes !== undefined && bytes.length > size) {
      throw new MemoryMapError(
        start,
        `${bytes.length} bytes of contents for "${name}"`,
        `at most its size, ${size}`,
        "The contents would spill into the next region.",
      );
    }
    const content: RegionContent = bytes === undefined ? { kind: "zero" } : { kind: "bytes", bytes };
    const region: Region = { name, start, size, e820: request.e820 ?? "ram", content, owner };
    this.#names.add(name);
    this.#regions.push(region);
    this.#take(region);
    return region;
  }

  #take({ start, size }: Span): void {
    this.#unclaimed.take(start, start + size);
    this.#free.take(start, start + size);
  }

  #checkInsideRam(name: string, start: number, size: number): void {
    const inside = this.ram.some((r) => start >= r.start && start + size <= r.start + r.size);
    if (inside) return;
    const ranges = this.ram.map((r) => `${hex(r.start)}–${hex(r.start + r.size)}`).join(", ");
    throw new MemoryMapError(
      start,
      `"${name}" of ${size} bytes up to ${hex(start + size)}`,
      `a place inside RAM (${ranges})`,
      "The image wants memory that this guest does not have: give it more, or load it elsewhere.",
    );
  }

  /** Looks at every claim: what RAM is free is known without. */
  #checkNoOverlap({ name, owner, start, size, whenTaken }: Hole & Pick<ClaimRequest, "whenTaken">): void {
    const end = start + size;
    const other = [...this.#regions, ...this.#holes].find((c) => start < c.start + c.size && c.start < end);
    if (other === undefined) return;
    throw new MemoryMapError(
      start,
      `"${name}" of ${owner} (${hex(start)}–${hex(end)}) over "${other.name}" of ${other.owner} (${hex(other.start)}–${hex(other.start + other.size)})`,
      "regions that do not overlap",
      whenTaken ?? "Two claimants want the same guest memory.",
    );
  }
}

function byAddress(a: Span, b: Span): number {
  return a.start - b.start;
}

function checkSpan(name: string, start: number, size: number): void {
  const whole =
    Number.isSafeInteger(start) && Number.isSafeInteger(size) && Number.isSafeInteger(start + size);
  if (whole && start >= 0 && size > 0) return;
  throw new MemoryMapError(
    Number.isSafeInteger(start) && start >= 0 ? start : 0,
    `"${name}" with start ${start} and size ${size}`,
    "a start of at least 0 and a positive size, both whole numbers",
    "A header field holds nonsense.",
  );
}

function checkAlignment(name: string, start: number, align: number): void {
  const powerOfTwo = Number.isSafeInteger(align) && align > 0 && Number.isInteger(Math.log2(align));
  if (powerOfTwo && start % align === 0) return;
  throw new MemoryMapError(
    start,
    `"${name}" with alignment ${align}`,
    "an address that is a multiple of a power of two",
    "A header field holds nonsense, or the address asked for does not suit the image.",
  );
}
