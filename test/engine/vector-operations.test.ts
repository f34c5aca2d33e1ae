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

test("PHMINPOSUW names the first of the least words", () => {
  const { bytes } = run("phminposuw", new Uint8Array(16), hex("ffff0500030004000300090008000700"));
  assert.equal(bytes, "03000200000000000000000000000000");
});

test("PCMPISTRI finds a word in a text: equal ordered, the first index", () => {
  const { result } = run("pcmpistr", ascii("cat"), ascii("the cat sat"), 0x0c);
  assert.equal(result >> INDEX_SHIFT, 4);
  assert.equal(result & ((1 << INDEX_SHIFT) - 1), FLAG_CF | FLAG_ZF | FLAG_SF);
});
