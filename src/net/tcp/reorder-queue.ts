/** Data that came before what precedes it. It lies within the window, so that there is no more of it than that; pieces are bounded too. */
import { distance, plus } from "./segment.js";

interface Piece {
  seq: number;
  data: Uint8Array;
}

/** Each is a segment of an honest sender; one that sends single bytes has these. */
const MOST_PIECES = 512;

export class ReorderQueue {
  /** In their order; none overlaps another. */
  #pieces: Piece[] = [];

  get bytes(): number {
    return this.#pieces.reduce((sum, { data }) => sum + data.length, 0);
  }

  /** Keeps what of `data` is not there yet. */
  add(seq: number, data: Uint8Array): void {
    let start = seq;
    let rest = data;
    const fresh: Piece[] = [];
    for (const piece of this.#pieces) {
      if (rest.length === 0) break;
      const gap = distance(piece.seq, start);
      if (gap >= rest.length) break;
      if (gap > 0) fresh.push({ seq: start, data: rest.slice(0, gap) });
      const covered = distance(plus(piece.seq, piece.data.length), start);
      if (covered <= 0) continue;
      rest = rest.subarray(Math.min(covered, rest.length));
      start = plus(start, covered);
    }
    if (rest.length > 0) fresh.push({ seq: start, data: rest.slice() });
    if (this.#pieces.length + fresh.length > MOST_PIECES) return;
    if (fresh.length > 0) this.#pieces = [...this.#pieces, ...fresh].sort((a, b) => distance(a.seq, b.seq));
  }

  /** What follows right at `next`, or lies before it in part; undefined where nothing does. */
  take(next: number): Uint8Array | undefined {
    for (;;) {
      const first = this.#pieces.at(0);
      if (first === undefined || distance(first.seq, next) > 0) return undefined;
      this.#pieces.shift();
      const data = first.data.subarray(distance(next, first.seq));
      if (data.length > 0) return data;
    }
  }

  clear(): void {
    this.#pieces = [];
  }
}
