/** The engine compiles unless told otherwise, and never with a compiler of the host's that makes wrong code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine, type WasmEngineOptions } from "../../../src/engine/wasm/engine.js";
import { hostCompiler, prepareCompiler } from "../../../src/engine/wasm/host-compiler.js";
import { bareGuest } from "../../isolation/bare-guest.js";
import { eax } from "../../support/asm/index.js";

const MANY = 4_000_000;

/** Regions that an engine compiles of a loop that runs long enough. */
function regions(options?: WasmEngineOptions): number {
  const { vm, cpu } = bareGuest(
    (a) => a.label("again").inc(eax).jmp("again"),
    { all: 0 },
    undefined,
    undefined,
    createWasmEngine(options),
  );
  cpu.run(MANY);
  const count = vm.counters()["regions"] ?? 0;
  vm.dispose();
  return count;
}

test("R3.10 the library's engine compiles what runs often, unless told not to", () => {
  assert.ok(regions() > 0);
  assert.ok(regions({}) > 0);
  assert.equal(regions({ jit: "off" }), 0);
});

test("R3.10 a compiler that makes wrong code is told how not to, whoever makes the engine", () => {
  const told = (v8: string): string[] => {
    const flags: string[] = [];
    assert.ok(prepareCompiler({ v8, setFlag: (flag) => flags.push(flag) }));
    return flags;
  };
  assert.ok(told("11.3.244.8-node.30").includes("--no-turbo-move-optimization"));
  assert.ok(!told("12.4.254.21-node.33").includes("--no-turbo-move-optimization"));
  assert.equal(hostCompiler().v8, process.versions.v8);
});

test("R3.10 where such a compiler cannot be told, the engine interprets and says so", () => {
  const compiler = { v8: "11.3.244.8-node.16" };
  assert.equal(prepareCompiler(compiler), false);
  assert.equal(regions({ compiler }), 0);
  assert.deepEqual(createWasmEngine({ compiler }).probe(), {
    usable: true,
    detail: "interpreter, generated as WebAssembly",
  });
  assert.ok(regions({ compiler: { v8: "13.6" } }) > 0);
  assert.ok(prepareCompiler({}), "of other hosts nothing is known to be wrong");
});
