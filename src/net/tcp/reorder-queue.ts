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

  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps what of `data` is not there yet; nothing of it where that makes too many pieces. */
  add(seq: number, data: Uint8Array): void {
    const pieces = this.#pieces;
    const first = this.#firstBehind(seq);
    /** The pieces that `data` lies across, and its own between them. */
    const across: Piece[] = [];
    let start = seq;
    let rest = data;
    let at = first;
    let room = MOST_PIECES - pieces.length;
    let fresh = 0;
    const keep = (bytes: Uint8Array): void => {
      if (bytes.length === 0) return;
      room--;
      fresh += bytes.length;
      across.push({ seq: start, data: bytes });
    };
    for (; at < pieces.length && room >= 0; at++) {
      const piece = pieces[at];
      const gap = distance(piece.seq, start);
      if (gap >= rest.length) break;
      keep(rest.slice(0, Math.max(0, gap)));
      across.push(piece);
      const covered = distance(plus(piece.seq, piece.data.length), start);
      rest = rest.subarray(Math.min(covered, rest.length));
      start = plus(start, covered);
    }
    keep(rest.slice());
    if (room < 0) return;
    pieces.splice(first, at - first, ...across);
    this.#bytes += fresh;
  }

  /** Index of the first piece that has something behind `seq`: a guest chooses how many there are, and how often it is asked. */
  #firstBehind(seq: number): number {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { seq: start, data } = this.#pieces[middle];
      if (distance(plus(start, data.length), seq) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** What follows right at `next`, or lies before it in part; undefined where nothing does. */
  take(next: number): Uint8Array | undefined {
    for (;;) {
      const first = this.#pieces.at(0);
      if (first === undefined || distance(first.seq, next) > 0) return undefined;
      this.#pieces.shift();
      this.#bytes -= first.data.length;
      const data = first.data.subarray(distance(next, first.seq));
      if (data.length > 0) return data;
    }
  }

  clear(): void {
    this.#pieces = [];
    this.#bytes = 0;
  }
}
