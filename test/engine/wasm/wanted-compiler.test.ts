/** When an engine that has no compiler yet asks for one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as regions from "../../../src/engine/region/index.js";
import { WasmEngine, type WasmEngineOptions } from "../../../src/engine/wasm/vm.js";
import { guest } from "../../conformance/support/guest.js";
import { load } from "../../conformance/support/on-engine.js";

/** Two instructions a turn, for ever. */
const LOOP = guest("loop", { cites: "SDM vol. 2A DEC" }, (g) => {
  g.a.label("again").db(0x48, 0xff, 0xc8).jmp("again");
  g.exit();
});
const MILLION = 1_000_000;

function wantsAfter(instructions: number, options: WasmEngineOptions): boolean {
  const engine = new WasmEngine(options);
  const { run, vm } = load(engine, LOOP);
  run(instructions);
  vm.dispose();
  return engine.wantsCompiler;
}

test("R3.10 a compiler is wanted once execution has been found in one place often, not before", () => {
  assert.equal(wantsAfter(MILLION / 10, {}), false);
  assert.equal(wantsAfter(MILLION, {}), true);
  assert.equal(wantsAfter(MILLION, { jit: "off" }), false);
  assert.equal(wantsAfter(MILLION / 10, { jit: "check" }), true);
});

test("R3.10 what was found before there was a compiler counts: a loop is compiled as early as with one", () => {
  const compiledAfter = (late: boolean): number => {
    const engine = late ? new WasmEngine() : new WasmEngine({}, regions);
    const { cpu, run, vm } = load(engine, LOOP);
    while (!vm.counters!()["regions"]) {
      run(10_000);
      if (engine.wantsCompiler) engine.compileWith(regions);
      assert.ok(cpu.instructions < 2 * MILLION);
    }
    return cpu.instructions;
  };
  assert.equal(compiledAfter(true), compiledAfter(false));
});
