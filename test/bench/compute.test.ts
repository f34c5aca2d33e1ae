/**
 * The compute benchmarks at a tiny size on the built-in engine: each must leave with the result that was computed in
 * TypeScript, and must notice a wrong one.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { COMPUTE_PROGRAMS } from "../../bench/compute/index.js";
import { WRONG_RESULT, computeGuest } from "../../bench/compute/program.js";
import type { ComputeProgram } from "../../bench/compute/program.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { finish, load } from "../conformance/support/on-engine.js";
import type { Ending } from "../conformance/support/guest.js";

function endingOf(program: ComputeProgram, size: number): unknown {
  const session = load(createWasmEngine(), computeGuest(program, size));
  try {
    return finish(session).ending;
  } finally {
    session.vm.dispose();
  }
}

for (const program of COMPUTE_PROGRAMS) {
  test(`R3.10 benchmark ${program.name} computes what TypeScript computes`, () => {
    const right: Ending = { kind: "exit", code: 0 };
    assert.deepEqual(endingOf(program, program.tiny), right);
  });
}

test("R3.10 a benchmark that computes something else exits with the code for that", () => {
  const [program] = COMPUTE_PROGRAMS;
  const wrong: ComputeProgram = {
    ...program,
    write: (g, size) => BigInt(program.write(g, size)) + 1n,
  };
  assert.deepEqual(endingOf(wrong, program.tiny), { kind: "exit", code: WRONG_RESULT });
});

test("R3.10 benchmarks have names of their own", () => {
  const names = COMPUTE_PROGRAMS.map((p) => p.name);
  assert.equal(new Set(names).size, names.length);
});
