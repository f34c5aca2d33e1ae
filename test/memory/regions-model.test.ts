// The guest-physical allocator beside one that looks at every claim for every question: they agree on every place, every
// gap and every refusal.
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { MemoryMapError } from "../../src/memory/memory-error.js";
import { RegionMap } from "../../src/memory/regions.js";
import { NaiveRegions, type NaiveClaim } from "./naive-regions.js";

const UNIT = 16;
/** Addresses in units: two ranges of RAM that touch, and one behind a gap. */
const RAM = [
  { start: 0, size: 1024 * UNIT },
  { start: 1024 * UNIT, size: 512 * UNIT },
  { start: 2048 * UNIT, size: 1024 * UNIT },
];
const END = 3200;

const place = fc.integer({ min: 0, max: END });
/** Of what fits between the teeth of the comb, exactly or hardly, and larger. */
const size = fc.oneof(fc.integer({ min: 1, max: 3 * UNIT }), fc.integer({ min: 1, max: 40 * UNIT }));
const name = fc.integer({ min: 0, max: 60 }).map((n) => `r${n}`);
const step = fc.oneof(
  fc.record({ kind: fc.constant("claim" as const), place, size, name }),
  fc.record({ kind: fc.constant("hole" as const), place, size, name }),
  fc.record({ kind: fc.constant("aside" as const), place, size, name }),
  fc.record({
    kind: fc.constant("search" as const),
    name,
    size,
    align: fc.integer({ min: 0, max: 9 }).map((power) => 2 ** power),
    prefer: fc.constantFrom("lowest" as const, "highest" as const),
    above: place,
    span: fc.integer({ min: 0, max: END }),
  }),
  fc.record({ kind: fc.constant("gaps" as const), above: place, span: fc.integer({ min: 0, max: END }) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What a step comes to: an address, gaps, or why not. */
function outcome(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    if (error instanceof MemoryMapError) return error.message;
    throw error;
  }
}

/** The real map's answer and the naive one's. */
function answers(map: RegionMap, naive: NaiveRegions, one: Step): [unknown, unknown] {
  if (one.kind === "gaps") {
    const [above, below] = [one.above * UNIT, (one.above + one.span) * UNIT];
    return [map.freeGaps(above, below), naive.freeGaps(above, below)];
  }
  const owner = "test";
  if (one.kind === "search") {
    const limits = { prefer: one.prefer, above: one.above * UNIT, below: (one.above + one.span) * UNIT };
    const request = { name: one.name, owner, size: one.size, align: one.align };
    const start = naive.findPlace(one.size, one.align, limits);
    const largest = Math.max(0, ...naive.freeGaps(limits.above, limits.below).map((gap) => gap.size));
    assert.equal(map.hasPlace(one.size, one.align, limits), start !== undefined);
    const refusal =
      start === undefined
        ? `the largest gap has ${largest};`
        : naive.claimAt({ start, size: one.size, name: one.name, owner });
    return [outcome(() => map.claimBySearch(request, limits).start), refusal ?? start];
  }
  const claim: NaiveClaim = { start: one.place * UNIT, size: one.size, name: one.name, owner };
  if (one.kind === "aside") return [map.setAside({ ...claim, e820: "reserved" }), naive.setAside(claim)];
  return one.kind === "hole"
    ? [outcome(() => map.claimHole(claim)), naive.claimHole(claim)]
    : [outcome(() => map.claimAt(claim.start, claim).start), naive.claimAt(claim) ?? claim.start];
}

function byAddress(claims: readonly NaiveClaim[]): NaiveClaim[] {
  return [...claims].sort((a, b) => a.start - b.start);
}

it("R1.6 property: the map agrees with one that looks at every claim, also with hundreds of gaps", () => {
  fc.assert(
    fc.property(
      // So many teeth leave no larger gap anywhere.
      fc.oneof(fc.integer({ min: 0, max: 1100 }), fc.constant(1100)),
      fc.boolean(),
      fc.array(step, { maxLength: 60 }),
      (holes, descending, steps) => {
        const map = new RegionMap(RAM);
        const naive = new NaiveRegions(RAM);
        // A comb of many small gaps first: more than one block of them.
        for (let i = 0; i < holes; i++) {
          const start = (descending ? holes - 1 - i : i) * 3 * UNIT;
          const claim = { start, size: UNIT + (i % 32), name: `comb ${i}`, owner: "comb" };
          const expected = naive.claimAt(claim) ?? start;
          const found = outcome(() => map.claimAt(start, claim).start);
          assert.ok(found === expected || String(found).includes(String(expected)));
        }
        for (const one of steps) {
          const [found, expected] = answers(map, naive, one);
          if (typeof expected === "string") assert.ok(String(found).includes(expected), String(found));
          else assert.deepEqual(found, expected);
        }
        const spans = (claims: readonly NaiveClaim[]): unknown =>
          claims.map(({ name: called, start, size: bytes }) => ({ called, start, bytes }));
        assert.deepEqual(spans(map.regions()), spans(byAddress(naive.regions)));
        assert.deepEqual(spans(map.holes()), spans(byAddress(naive.holes)));
        assert.deepEqual(map.freeGaps(0, END * UNIT), naive.freeGaps(0, END * UNIT));
      },
    ),
    { numRuns: 500 },
  );
});
