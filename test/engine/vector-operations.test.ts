/** Known answers of the rare vector operations, for hosts that cannot compare them with their own CPU. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { INDEX_SHIFT } from "../../src/engine/x86/vector/string-compare.js";
import {
  executeVectorOperation,
  vectorOperationNumber,
  type VectorOperationName,
} from "../../src/engine/x86/vector-operations.js";
import { FLAG_CF, FLAG_SF, FLAG_ZF } from "../../src/spec/x86-privileged.js";

const SOURCE = 16;

/** Runs an operation on two operands given as bytes: the result's bytes in hexadecimal and the returned value. */
function run(
  name: VectorOperationName,
  destination: Uint8Array,
  source: Uint8Array,
  immediate = 0,
): { bytes: string; result: number } {
  const memory = new Uint8Array(32);
  memory.set(destination);
  memory.set(source, SOURCE);
  const result = executeVectorOperation(vectorOperationNumber(name), memory, 0, SOURCE, immediate);
  assert.deepEqual(memory.subarray(SOURCE, SOURCE + source.length), source, "the source stays");
  return { bytes: Buffer.from(memory.subarray(0, SOURCE)).toString("hex"), result };
}

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "ascii"));

test("AESENC and AESENCLAST give the states of FIPS 197 appendix B", () => {
  const first = run(
    "aesenc",
    hex("193de3bea0f4e22b9ac68d2ae9f84808"),
    hex("a0fafe1788542cb123a339392a6c7605"),
  );
  assert.equal(first.bytes, "a49c7ff2689f352b6b5bea43026a5049");
  const last = run(
    "aesenclast",
    hex("eb40f21e592e38848ba113e71bc342d2"),
    hex("d014f9a8c9ee2589e13f0cc8b6630ca6"),
  );
  assert.equal(last.bytes, "3925841d02dc09fbdc118597196a0b32");
});

test("AESDECLAST undoes AESENCLAST without a key, AESIMC and AESDEC undo AESENC", () => {
  const state = hex("00112233445566778899aabbccddeeff");
  const none = new Uint8Array(16);
  const last = run("aesenclast", state, none).bytes;
  assert.equal(run("aesdeclast", hex(last), none).bytes, "00112233445566778899aabbccddeeff");
  const round = run("aesenc", state, none).bytes;
  const unmixed = run("aesimc", none, hex(round)).bytes;
  assert.equal(unmixed, last);
});

test("AESKEYGENASSIST gives the words of FIPS 197 appendix A.1", () => {
  const { bytes } = run("aeskeygenassist", new Uint8Array(16), hex("2b7e151628aed2a6abf7158809cf4f3c"), 1);
  assert.equal(bytes.slice(24), "8b84eb01");
});

test("PCLMULQDQ multiplies without carries: (x+1)² is x²+1, x⁶³·x⁶³ is x¹²⁶", () => {
  const two = hex("03000000000000000000000000000080");
  assert.equal(run("pclmulqdq", two, two, 0x00).bytes, "05000000000000000000000000000000");
  assert.equal(run("pclmulqdq", two, two, 0x11).bytes, "00000000000000000000000000000040");
});

test("PHMINPOSUW names the first of the least words", () => {
  const { bytes } = run("phminposuw", new Uint8Array(16), hex("ffff0500030004000300090008000700"));
  assert.equal(bytes, "03000200000000000000000000000000");
});

test("PCMPISTRI finds a word in a text: equal ordered, the first index", () => {
  const { result } = run("pcmpistr", ascii("cat"), ascii("the cat sat"), 0x0c);
  assert.equal(result >> INDEX_SHIFT, 4);
  assert.equal(result & ((1 << INDEX_SHIFT) - 1), FLAG_CF | FLAG_ZF | FLAG_SF);
});
