/** R5.2 the machine code that stands in the sources is what its assembly says. */
import assert from "node:assert/strict";
import test from "node:test";
import { listingBytes } from "../../src/convert/listing.js";
import { HEADER_SIZE, WRAPPER32, WRAPPER64 } from "../../src/convert/wrapper.js";
import { assembledWords, listedWords, LISTINGS } from "../../tools/arm-listings.js";
import { requireTool } from "../support/requires.js";

for (const listing of LISTINGS) {
  test(`R5.2 ${listing.name}: llvm-mc makes the words that stand beside the assembly`, (t) => {
    const assembler = requireTool(t, "llvm-mc");
    if (assembler === undefined) return;
    assert.deepEqual(listedWords(listing.text), assembledWords(listing, assembler));
  });
}

test("R5.2 a listing becomes its words, little-endian, and refuses lines that it does not understand", () => {
  assert.deepEqual(
    [
      ...listingBytes(
        "\nstart:\n          .equ  A, 1\n  e3a00001  mov   r0, #A   @ why\n          @ remark\n",
      ),
    ],
    [0x01, 0x00, 0xa0, 0xe3],
  );
  assert.throws(() => listingBytes("  e3a0000  mov r0, #1"), /not understood/);
});

test("R5.2 each trampoline fits between the parameters and the kernel", () => {
  const [trampoline32, trampoline64] = LISTINGS.map(({ text }) => listingBytes(text).length);
  assert.ok(WRAPPER32.CODE + trampoline32 <= HEADER_SIZE, `${trampoline32}`);
  assert.ok(WRAPPER64.CODE + trampoline64 <= HEADER_SIZE, `${trampoline64}`);
});
