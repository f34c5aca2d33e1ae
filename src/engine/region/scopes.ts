/**
 * Functions that a region is made of: where each begins, what was read of it, what it calls. One that is called may be
 * a copy of its own in each place, a scope.
 */
import type { DecodedRecord } from "./decoded-record.js";

/** Bits of a record's address in the key of a place. */
const RECORD_BITS = 2 ** 32;

/** A record as seen from one page's address. */
export interface Place {
  readonly page: number;
  readonly record: number;
}

export interface Call {
  readonly record: DecodedRecord;
  readonly target: Place;
  /** Where it returns to. */
  readonly back: Place;
}

export const keyOf = ({ page, record }: Place): number => page * RECORD_BITS + record;
export const placeOf = (key: number): Place => ({
  page: Math.floor(key / RECORD_BITS),
  record: key % RECORD_BITS,
});

/** One function's instructions, in one place where it is called. */
export class Scope {
  /** Places that nodes may begin with, in the order they were found; grows while it is walked. */
  readonly heads = new Set<number>();
  readonly walked = new Map<number, DecodedRecord>();
  readonly nodeOf = new Map<number, number>();
  readonly depth: number;

  constructor(
    readonly caller: Scope | undefined,
    /** Where it returns to in its caller. */
    readonly back: Place | undefined,
    readonly first: Place | undefined,
  ) {
    this.depth = caller ? caller.depth + 1 : 0;
    if (first) this.heads.add(keyOf(first));
  }

  /** Whether a function is being called already. */
  within(first: Place): boolean {
    return this.first?.record === first.record || (this.caller?.within(first) ?? false);
  }
}

/** Nodes that begin at places of a scope. */
export function nodesAt(scope: Scope, places: readonly Place[]): number[] {
  return places.flatMap((place) => scope.nodeOf.get(keyOf(place)) ?? []);
}
