/** PAUSE as the machine counts it: a CPU that spins says so, at an exact instruction, and only where it was asked to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../../src/engine/wasm/engine.js";
import type { JitMode } from "../../../src/engine/contract.js";
import { guest } from "../../conformance/support/guest.js";
import { load, type Session } from "../../conformance/support/on-engine.js";

/** Three instructions a turn: PAUSE, DEC, JMP. */
const IN_TURN = 3;

function spinning(jit: JitMode): Session {
  const made = guest("spin", { cites: "SDM vol. 2B PAUSE" }, (g) => {
    g.a.label("spin").db(0xf3, 0x90).db(0x48, 0xff, 0xc8).jmp("spin");
    g.exit();
  });
  return load(createWasmEngine({ jit }), made);
}

for (const jit of ["off", "eager", "check"] as const) {
  test(`R3.4 a run ends behind the last PAUSE that is allowed, however it is cut (JIT ${jit})`, () => {
    for (const budget of [1, 2, 7, 1000]) {
      const { cpu, run, vm } = spinning(jit);
      // Where regions are compiled, the loop is one by now.
      run(100_000 * IN_TURN);
      cpu.limitPauses?.(5);
      const before = cpu.instructions;
      let exit = run(budget);
      while (exit.reason === "budget") exit = run(budget);
      assert.deepEqual(exit, { reason: "pause" });
      assert.equal(cpu.instructions - before, 4 * IN_TURN + 1);
      // Said once: it goes on until it is asked anew.
      assert.equal(run(1_000_000).reason, "budget");
      cpu.limitPauses?.(1);
      assert.equal(run(10).reason, "pause");
      cpu.limitPauses?.(3);
      cpu.limitPauses?.(0);
      assert.equal(run(1_000_000).reason, "budget");
      vm.dispose();
    }
  });
}
