/**
 * The RAM that nobody has claimed: gaps, ascending, and the search for one that is large enough. Knows no claim.
 *
 * Gaps lie in blocks. Each block knows how much room its best gap has, so a search passes over a block without looking
 * at its gaps: ten thousand modules, each of which leaves a gap too small for the next, are placed without looking at
 * every gap for every module.
 */
import { alignUp } from "../bytes/align.js";
import type { Span } from "./layout.js";
import { partitionPoint } from "./partition-point.js";

/** Where a search may place something. */
export interface SearchLimits {
  /** Take the lowest or the highest fit. */
  prefer: "lowest" | "highest";
  /** Lowest start allowed, guest-physical. */
  above: number;
  /** Highest end allowed, exclusive. */
  below: number;
}

/** Most gaps of a block: large enough that blocks are few, small enough that looking through one is cheap. */
const BLOCK_GAPS = 256;

/** Gaps of RAM. */
export class FreeSpace {
  readonly #blocks: Block[];

  /** `ram`: ascending, disjoint ranges, all of them free. */
  constructor(ram: readonly Span[]) {
    this.#blocks = ram.length === 0 ? [] : [new Block([...ram])];
  }

  /** Takes [start, end) away, as far as it is there and free. */
  take(start: number, end: number): void {
    let at = partitionPoint(this.#blocks, (block) => block.end > start);
    while (at < this.#blocks.length && this.#blocks[at].start < end) {
      const left = this.#blocks[at].take(start, end);
      this.#blocks.splice(at, 1, ...left);
      at += left.length;
    }
  }

  /** Whether all of [start, end) lies in one gap. */
  contains(start: number, end: number): boolean {
    const block = this.#blocks[partitionPoint(this.#blocks, (one) => one.end > start)] as Block | undefined;
    return block?.contains(start, end) ?? false;
  }

  /** Gaps, ascending, cut to [`above`, `below`). */
  gaps(above: number, below: number): Span[] {
    return this.#blocks
      .filter((block) => block.end > above && block.start < below)
      .flatMap(({ gaps }) => gaps.flatMap((gap) => cut(gap, above, below) ?? []));
  }

  /** The lowest or highest multiple of `align` with `size` free bytes within the limits; undefined when there is none. */
  find(size: number, align: number, { prefer, above, below }: SearchLimits): number | undefined {
    for (const block of inOrder(this.#blocks, prefer)) {
      if (block.end <= above || block.start >= below || block.room(align) < size) continue;
      for (const gap of inOrder(block.gaps, prefer)) {
        const within = cut(gap, above, below);
        const start = within && placeInGap(within, size, align, prefer);
        if (start !== undefined) return start;
      }
    }
    return undefined;
  }
}

/** Neighbouring gaps, at least one. */
class Block {
  readonly #gaps: Span[];
  /** What `room` found, until a gap changes. */
  #best: { align: number; room: number } | undefined;

  constructor(gaps: Span[]) {
    this.#gaps = gaps;
  }

  get gaps(): readonly Span[] {
    return this.#gaps;
  }

  get start(): number {
    return this.#gaps[0].start;
  }

  get end(): number {
    return spanEnd(this.#gaps[this.#gaps.length - 1]);
  }

  /** Bytes that fit into one of the gaps behind a multiple of `align`. */
  room(align: number): number {
    if (this.#best?.align !== align) {
      let room = 0;
      for (const gap of this.#gaps) room = Math.max(room, spanEnd(gap) - alignUp(gap.start, align));
      this.#best = { align, room };
    }
    return this.#best.room;
  }

  contains(start: number, end: number): boolean {
    const gap = this.#gaps[partitionPoint(this.#gaps, (one) => spanEnd(one) > start)];
    return gap.start <= start && end <= spanEnd(gap);
  }

  /** Takes [start, end) away; returns the blocks that its gaps are now in: none, itself, or itself and another. */
  take(start: number, end: number): Block[] {
    const gaps = this.#gaps;
    const from = partitionPoint(gaps, (gap) => spanEnd(gap) > start);
    const to = partitionPoint(gaps, (gap) => gap.start >= end);
    const left = gaps
      .slice(from, to)
      .flatMap((gap) => [cut(gap, 0, start), cut(gap, end, Infinity)])
      .filter((gap) => gap !== undefined);
    gaps.splice(from, to - from, ...left);
    this.#best = undefined;
    if (gaps.length === 0) return [];
    return gaps.length <= BLOCK_GAPS ? [this] : [this, new Block(gaps.splice(BLOCK_GAPS / 2))];
  }
}

function spanEnd({ start, size }: Span): number {
  return start + size;
}

/** Items as a search meets them. */
function inOrder<T>(ascending: readonly T[], prefer: SearchLimits["prefer"]): readonly T[] {
  return prefer === "lowest" ? ascending : ascending.toReversed();
}

/** The part of a span in [`above`, `below`); undefined when there is none. */
function cut(span: Span, above: number, below: number): Span | undefined {
  const start = Math.max(span.start, above);
  const end = Math.min(spanEnd(span), below);
  return start < end ? { start, size: end - start } : undefined;
}

/** First or last aligned start inside a gap, or `undefined` if `size` does not fit. */
function placeInGap(
  gap: Span,
  size: number,
  align: number,
  prefer: SearchLimits["prefer"],
): number | undefined {
  if (prefer === "lowest") {
    const start = alignUp(gap.start, align);
    return start + size <= spanEnd(gap) ? start : undefined;
  }
  const start = Math.floor((spanEnd(gap) - size) / align) * align;
  return start >= gap.start ? start : undefined;
}
