/** SSE floating point against recorded hardware, and the approximations, which no hardware vector can fix. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  SSE_FAULTED,
  SSE_FLOAT_OPERATIONS,
  executeSseFloat,
  sseFloatOperation,
} from "../../src/engine/x86/sse-float.js";
import { parseSseCase, replaySseCase } from "./sse-vectors.js";

const FIXTURE = new URL("../../../test/fixtures/float/sse.txt", import.meta.url);

test("R6.1 every recorded SSE operation gives the result, flags and fault that hardware gave", () => {
  const lines = readFileSync(FIXTURE, "utf8").split("\n");
  const cases = lines.filter((line) => line !== "" && !line.startsWith("#")).map(parseSseCase);
  for (const one of cases) assert.deepEqual(replaySseCase(one), one.after, one.line);
  const covered = new Set(cases.map((one) => one.name));
  const uncovered = SSE_FLOAT_OPERATIONS.filter((name) => !covered.has(name));
  assert.deepEqual(uncovered, ["rcpps", "rcpss", "rsqrtps", "rsqrtss"]);
});

const view = new DataView(new ArrayBuffer(64));
const [DESTINATION, SOURCE, MXCSR] = [0, 16, 32];

/** RCPSS or RSQRTSS of one value, with everything unmasked, as nothing may be reported. */
function approximate(name: "rcpss" | "rsqrtss", value: number): number {
  view.setFloat32(SOURCE, value, true);
  view.setUint32(MXCSR, 0, true);
  assert.equal(executeSseFloat(sseFloatOperation(name), view, DESTINATION, SOURCE, 0, MXCSR), 0);
  assert.equal(view.getUint32(MXCSR, true), 0);
  return view.getFloat32(DESTINATION, true);
}

test("R6.1 RCPSS and RSQRTSS stay within 1.5 × 2^-12 of the exact value", () => {
  const bound = 1.5 * 2 ** -12;
  for (let i = 0; i < 20000; i++) {
    const value = Math.fround((1 + ((i * 0.618033988749895) % 1)) * 2 ** ((i % 250) - 125));
    assert.ok(Math.abs(approximate("rcpss", value) * value - 1) <= bound, `1 / ${value}`);
    assert.ok(Math.abs(approximate("rsqrtss", value) * Math.sqrt(value) - 1) <= bound, `1 / √${value}`);
  }
});

test("R6.1 RCPSS and RSQRTSS of special operands follow the manual's tables", () => {
  const denormal = 2 ** -130;
  for (const [operand, reciprocal, root] of [
    [0, Infinity, Infinity],
    [-0, -Infinity, -Infinity],
    [denormal, Infinity, Infinity],
    [-denormal, -Infinity, -Infinity],
    [Infinity, 0, 0],
    [-Infinity, -0, NaN],
    [2 ** 126, 2 ** -126, 2 ** -63],
    [-(2 ** 127), -0, NaN],
    [4, 0.25, 0.5],
  ]) {
    assert.equal(approximate("rcpss", operand), reciprocal);
    assert.equal(approximate("rsqrtss", operand), root);
  }
  view.setUint32(SOURCE, 0x7f812345, true);
  executeSseFloat(sseFloatOperation("rcpss"), view, DESTINATION, SOURCE, 0, MXCSR);
  assert.equal(view.getUint32(DESTINATION, true), 0x7fc12345);
});

test("R6.1 operands may overlap and a fault leaves the destination alone", () => {
  const add = sseFloatOperation("haddpd");
  view.setFloat64(DESTINATION, 1.5, true);
  view.setFloat64(DESTINATION + 8, 2, true);
  view.setUint32(MXCSR, 0x1f80, true);
  assert.equal(executeSseFloat(add, view, DESTINATION, DESTINATION, 0, MXCSR), 0);
  assert.deepEqual([view.getFloat64(0, true), view.getFloat64(8, true)], [3.5, 3.5]);
  view.setFloat64(SOURCE, 0, true);
  view.setUint32(MXCSR, 0x1d80, true);
  assert.equal(executeSseFloat(sseFloatOperation("divsd"), view, DESTINATION, SOURCE, 0, MXCSR), SSE_FAULTED);
  assert.equal(view.getFloat64(0, true), 3.5);
  assert.equal(view.getUint32(MXCSR, true), 0x1d84);
});

test("R6.1 an unknown operation name is refused", () => {
  assert.throws(() => sseFloatOperation("addxx"), RangeError);
});
