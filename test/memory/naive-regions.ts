/**
 * The guest-physical allocator as its rules read, without any thought of speed: every question is answered by looking at
 * every claim. What `RegionMap` is compared with.
 */
import type { Span } from "../../src/memory/layout.js";
import type { SearchLimits } from "../../src/memory/regions.js";

/** A claim, of RAM or of a hole. */
export interface NaiveClaim extends Span {
  name: string;
  owner: string;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** Why a claim is refused, in the words of `RegionMap`; undefined when it is not. */
type Refusal = string | undefined;

export class NaiveRegions {
  readonly regions: NaiveClaim[] = [];
  readonly holes: NaiveClaim[] = [];
  readonly asides: NaiveClaim[] = [];

  constructor(readonly ram: readonly Span[]) {}

  claimAt(claim: NaiveClaim): Refusal {
    const end = claim.start + claim.size;
    if (!this.ram.some((r) => claim.start >= r.start && end <= r.start + r.size)) return "a place inside RAM";
    const refusal = this.#overlap(claim) ?? this.#nameTaken(claim);
    if (refusal === undefined) this.regions.push(claim);
    return refusal;
  }

  claimHole(claim: NaiveClaim): Refusal {
    const refusal = this.#overlap(claim);
    if (refusal === undefined) this.holes.push(claim);
    return refusal;
  }

  /** What is set aside is no place for a search, and may be claimed. */
  setAside(aside: NaiveClaim): void {
    this.asides.push(aside);
  }

  /** The lowest or highest place, by trying every one; undefined when there is none. */
  findPlace(size: number, align: number, { prefer, above, below }: SearchLimits): number | undefined {
    const places: number[] = [];
    for (const gap of this.freeGaps(above, below)) {
      const first = Math.ceil(gap.start / align) * align;
      for (let start = first; start + size <= gap.start + gap.size; start += align) places.push(start);
    }
    return prefer === "lowest" ? places[0] : places.at(-1);
  }

  freeGaps(above: number, below: number): Span[] {
    const taken = [...this.regions, ...this.holes, ...this.asides].sort((a, b) => a.start - b.start);
    const gaps: Span[] = [];
    for (const range of this.ram) {
      let cursor = Math.max(range.start, above);
      const end = Math.min(range.start + range.size, below);
      for (const claim of taken) {
        if (claim.start + claim.size <= cursor || claim.start >= end) continue;
        if (claim.start > cursor) gaps.push({ start: cursor, size: claim.start - cursor });
        cursor = Math.max(cursor, claim.start + claim.size);
      }
      if (cursor < end) gaps.push({ start: cursor, size: end - cursor });
    }
    return gaps;
  }

  #overlap({ name, owner, start, size }: NaiveClaim): Refusal {
    const end = start + size;
    const other = [...this.regions, ...this.holes].find((c) => start < c.start + c.size && c.start < end);
    if (other === undefined) return undefined;
    return (
      `"${name}" of ${owner} (${hex(start)}–${hex(end)}) over ` +
      `"${other.name}" of ${other.owner} (${hex(other.start)}–${hex(other.start + other.size)})`
    );
  }

  #nameTaken({ name }: NaiveClaim): Refusal {
    return this.regions.some((region) => region.name === name) ? `a second region "${name}"` : undefined;
  }
}
