// The guest-physical allocator and the map derived from it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { deriveE820 } from "../../src/memory/e820.js";
import { MemoryMapError } from "../../src/memory/memory-error.js";
import { ramRanges } from "../../src/memory/ram.js";
import { RegionMap } from "../../src/memory/regions.js";

const MIB = 1024 * 1024;
const newMap = (): RegionMap => new RegionMap(ramRanges(64 * MIB));

describe("R1.6 RAM layout", () => {
  it("R1.6 RAM below the hole is one range", () => {
    assert.deepEqual(ramRanges(256 * MIB), [{ start: 0, size: 256 * MIB }]);
  });

  it("R1.6 RAM past 3 GiB continues at 4 GiB", () => {
    assert.deepEqual(ramRanges(5 * 1024 * MIB), [
      { start: 0, size: 0xc000_0000 },
      { start: 0x1_0000_0000, size: 0x8000_0000 },
    ]);
  });

  for (const bad of [0, -4096, 4097, 1 * MIB, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
    it(`R1.6 ${bad} bytes of RAM are refused`, () => {
      assert.throws(() => ramRanges(bad), MemoryMapError);
    });
  }
});

describe("R1.6 claims", () => {
  it("R1.6 an overlap names both claimants and the ranges", () => {
    const map = newMap();
    map.claimAt(0x100000, { name: "kernel", owner: "linux", size: 0x2000 });
    assert.throws(
      () => map.claimAt(0x101000, { name: "initrd", owner: "caller", size: 0x1000 }),
      (error: unknown) =>
        error instanceof MemoryMapError &&
        error.address === 0x101000 &&
        /"initrd" of caller \(0x101000–0x102000\) over "kernel" of linux \(0x100000–0x102000\)/.test(
          error.message,
        ),
    );
  });

  it("R1.6 neighbours do not overlap", () => {
    const map = newMap();
    map.claimAt(0x1000, { name: "a", owner: "t", size: 0x1000 });
    map.claimAt(0x2000, { name: "b", owner: "t", size: 0x1000 });
    assert.equal(map.regions().length, 2);
  });

  it("R1.6 a claim outside RAM says what RAM there is", () => {
    assert.throws(
      () => newMap().claimAt(0x1_0000_0000, { name: "kernel", owner: "linux", size: 1 }),
      /expected a place inside RAM \(0x0–0x4000000\)/,
    );
  });

  it("R1.6 a claim that runs past the end of RAM is refused", () => {
    assert.throws(() => newMap().claimAt(0x3fff000, { name: "x", owner: "t", size: 0x2000 }), MemoryMapError);
  });

  it("R1.6 a misaligned address is refused", () => {
    assert.throws(
      () => newMap().claimAt(0x1800, { name: "tables", owner: "t", size: 0x1000, align: 0x1000 }),
      /guest-physical 0x1800.*alignment 4096/,
    );
  });

  it("R1.6 sizes and starts from hostile headers are refused", () => {
    for (const [start, size] of [
      [0, 0],
      [0, -1],
      [-4096, 4096],
      [0, 2 ** 64],
      [Number.MAX_SAFE_INTEGER, 4096],
      [0.5, 1],
    ]) {
      assert.throws(() => newMap().claimAt(start, { name: "x", owner: "t", size }), MemoryMapError);
    }
  });

  it("R1.6 contents longer than the region are refused", () => {
    const bytes = new Uint8Array(17);
    assert.throws(() => newMap().claimAt(0x1000, { name: "x", owner: "t", size: 16, bytes }), /spill/);
  });

  it("R1.6 a name is taken once", () => {
    const map = newMap();
    map.claimAt(0x1000, { name: "x", owner: "t", size: 16 });
    assert.throws(() => map.claimAt(0x3000, { name: "x", owner: "t", size: 16 }), /unique names/);
  });

  it("R1.6 a search for the highest place ends below the limit and keeps alignment", () => {
    const map = newMap();
    const region = map.claimBySearch(
      { name: "initrd", owner: "t", size: 0x1801, align: 0x1000 },
      { prefer: "highest", above: 0x100000, below: 0x800800 },
    );
    assert.equal(region.start, 0x7fe000);
  });

  it("R1.6 a search that fails says how large the largest gap is", () => {
    assert.throws(
      () =>
        newMap().claimBySearch(
          { name: "initrd", owner: "t", size: 128 * MIB },
          { prefer: "lowest", above: 0, below: 2 ** 32 },
        ),
      /no free 134217728 bytes .*"initrd".*largest gap has 67108864/,
    );
  });

  it("R1.6 property: searches never overlap, stay aligned and within limits", () => {
    const request = fc.record({
      size: fc.integer({ min: 1, max: 3 * MIB }),
      alignPower: fc.integer({ min: 0, max: 21 }),
      prefer: fc.constantFrom("lowest" as const, "highest" as const),
      above: fc.integer({ min: 0, max: 40 * MIB }),
      span: fc.integer({ min: 1, max: 64 * MIB }),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 30 }), (requests) => {
        const map = newMap();
        requests.forEach((r, index) => {
          const align = 2 ** r.alignPower;
          try {
            const region = map.claimBySearch(
              { name: `r${index}`, owner: "t", size: r.size, align },
              { prefer: r.prefer, above: r.above, below: r.above + r.span },
            );
            assert.equal(region.start % align, 0);
            assert.ok(region.start >= r.above && region.start + r.size <= r.above + r.span);
          } catch (error) {
            if (!(error instanceof MemoryMapError)) throw error;
            const fits = map
              .freeGaps(r.above, r.above + r.span)
              .some((gap) => Math.ceil(gap.start / align) * align + r.size <= gap.start + gap.size);
            assert.equal(fits, false);
          }
        });
        const regions = map.regions();
        for (let i = 1; i < regions.length; i++) {
          assert.ok(regions[i - 1].start + regions[i - 1].size <= regions[i].start);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("R1.6 e820", () => {
  it("R1.6 the map is derived from RAM, claims and holes", () => {
    const map = new RegionMap(ramRanges(4 * 1024 * MIB));
    map.claimHole({ name: "video", owner: "layout", start: 0xa0000, size: 0x40000 });
    map.claimAt(0xe0000, { name: "acpi", owner: "firmware", size: 0x10000, e820: "reserved" });
    map.claimAt(0xf0000, { name: "mp", owner: "firmware", size: 0x10000, e820: "reserved" });
    map.claimAt(0x100000, { name: "kernel", owner: "linux", size: 0x1000 });
    assert.deepEqual(deriveE820(map), [
      { start: 0, size: 0xa0000, type: "ram" },
      { start: 0xe0000, size: 0x20000, type: "reserved" },
      { start: 0x100000, size: 0xbff0_0000, type: "ram" },
      { start: 0x1_0000_0000, size: 0x4000_0000, type: "ram" },
    ]);
  });

  it("R1.6 property: entries are sorted, disjoint, merged and agree with every claim", () => {
    const claim = fc.record({
      page: fc.integer({ min: 0, max: 1023 }),
      pages: fc.integer({ min: 1, max: 40 }),
      type: fc.constantFrom(
        "ram" as const,
        "reserved" as const,
        "acpi" as const,
        "nvs" as const,
        "hole" as const,
      ),
    });
    fc.assert(
      fc.property(fc.array(claim, { maxLength: 40 }), (claims) => {
        const map = new RegionMap([{ start: 0, size: 1024 * 4096 }]);
        const expected = new Array<string>(1024).fill("ram");
        claims.forEach(({ page, pages, type }, index) => {
          const at = { start: page * 4096, size: pages * 4096, name: `c${index}`, owner: "t" };
          try {
            if (type === "hole") map.claimHole(at);
            else map.claimAt(at.start, { ...at, e820: type });
          } catch (error) {
            if (!(error instanceof MemoryMapError)) throw error;
            return;
          }
          expected.fill(type, page, page + pages);
        });
        const seen = new Array<string>(1024).fill("hole");
        const entries = deriveE820(map);
        entries.forEach((entry, index) => {
          seen.fill(entry.type, entry.start / 4096, (entry.start + entry.size) / 4096);
          if (index === 0) return;
          const before = entries[index - 1];
          const gap = entry.start - (before.start + before.size);
          assert.ok(gap > 0 || (gap === 0 && before.type !== entry.type));
        });
        assert.deepEqual(seen, expected);
      }),
      { numRuns: 200 },
    );
  });
});
