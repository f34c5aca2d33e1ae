// Identity page tables, checked by reading them back.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  decodePageTables,
  identityPageTables,
  identityPageTableSize,
  type PageSize,
} from "../../src/x86/page-tables.js";

const reader = (bytes: Uint8Array, base: number) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return (address: bigint): bigint | undefined => {
    const at = Number(address) - base;
    return at >= 0 && at + 8 <= bytes.length ? view.getBigUint64(at, true) : undefined;
  };
};

describe("R1.9 identity page tables", () => {
  const cases: [PageSize, number, number][] = [
    [0x1000, 0x40_0000, 5],
    [0x20_0000, 0x1_0000_0000, 6],
    [0x4000_0000, 0x80_0000_0000, 2],
    [0x4000_0000, 0x100_0000_0000, 3],
    [0x1000, 0x3000, 4],
  ];
  for (const [pageSize, mapped, pages] of cases) {
    it(`R1.9 0x${mapped.toString(16)} bytes in pages of 0x${pageSize.toString(16)} take ${pages} tables`, () => {
      const { bytes, cr3 } = identityPageTables(0x9000, mapped, pageSize);
      assert.equal(bytes.length, pages * 4096);
      assert.equal(identityPageTableSize(mapped, pageSize), bytes.length);
      assert.deepEqual(decodePageTables(reader(bytes, 0x9000), cr3), [
        {
          linear: 0n,
          physical: 0n,
          size: BigInt(mapped),
          pageSize,
          writable: true,
          user: false,
          executable: true,
        },
      ]);
    });
  }

  it("R1.9 the first entries are as the manual draws them", () => {
    const { bytes } = identityPageTables(0x9000, 0x1_0000_0000, 0x20_0000);
    const at = reader(bytes, 0);
    assert.equal(at(0n), 0xa003n, "PML4E: first PDPT, present, writable");
    assert.equal(at(0x1000n), 0xb003n, "PDPTE: first page directory");
    assert.equal(at(0x2008n), 0x200083n, "PDE: second 2 MiB page, PS");
    assert.equal(at(0x5ff8n), 0xffe00083n, "PDE: last 2 MiB page below 4 GiB");
  });

  it("R1.9 a base off a page and sizes off the page size are refused", () => {
    assert.throws(() => identityPageTables(0x9010, 0x1000, 0x1000), RangeError);
    assert.throws(() => identityPageTables(0x9000, 0x1000, 0x20_0000), RangeError);
    assert.throws(() => identityPageTables(0x9000, 0, 0x1000), RangeError);
  });

  it("R1.9 decoding combines rights over levels, sign-extends and stops at its limit", () => {
    const bytes = new Uint8Array(3 * 4096);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(511 * 8, 0x1000n | 7n, true);
    view.setBigUint64(0x1000 + 510 * 8, 0x2000n | 5n, true);
    view.setBigUint64(0x2000, 0x4000_0000n | 0x87n | (1n << 63n), true);
    view.setBigUint64(0x2008, 0x8000_0000n | 0x83n, true);
    const runs = decodePageTables(reader(bytes, 0), 0n);
    assert.deepEqual(runs[0], {
      linear: 0xffff_ffff_8000_0000n,
      physical: 0x4000_0000n,
      size: 0x20_0000n,
      pageSize: 0x20_0000,
      writable: false,
      user: true,
      executable: false,
    });
    assert.equal(runs.length, 2);
    assert.equal(decodePageTables(reader(bytes, 0), 0n, 1).length, 1);
  });
});
