/** Random programs with a debugger at them, interpreted and compiled: they come to where they come without one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { debuggedEngine } from "../support/debugged-engine.js";
import { runProgram } from "./program-fuzz.js";
import { PROGRAM_MODES } from "./program-modes.js";

/** Makes a test for each mode. @param seed of the first program, @param programs for each mode */
export function testDebugged(seed: number, programs: number): void {
  for (const [i, mode] of PROGRAM_MODES.entries())
    test(`isolation: a guest does not notice breakpoints and watchpoints of a debugger: ${mode.name}`, (t) => {
      const interpreted = debuggedEngine(createWasmEngine({ jit: "off" }), seed + i);
      const compiled = debuggedEngine(createWasmEngine({ jit: "eager" }), seed + 2 * i);
      const engines = [createWasmEngine({ jit: "off" }), interpreted.engine, compiled.engine];
      for (let n = 0; n < programs; n++) runProgram(mode, seed * (n + 1) + i, engines);
      t.diagnostic(JSON.stringify([interpreted.report, compiled.report]));
      for (const { report } of [interpreted, compiled])
        assert.ok(report.breakpoints > programs && report.watchpoints > programs, JSON.stringify(report));
    });
}
