/** Modules as text. */
import assert from "node:assert/strict";
import test from "node:test";
import { FunctionBuilder } from "../../../src/engine/ir/function-builder.js";
import { disassemble } from "../../../src/engine/wasm/disassemble.js";
import { interpreterBytes } from "../../../src/engine/wasm/interpreter-binary.js";
import { ModuleBuilder } from "../../../src/engine/wasm/module-builder.js";

test("a function reads as it was written", () => {
  const b = new FunctionBuilder("f", { parameters: ["i32"], results: ["i64"] });
  b.if(b.load("i32.load8_u", b.parameter(0), 7), () => b.return(b.i64(-300n)));
  b.copyMemory(b.parameter(0), b.i32(16), b.i32(-1));
  b.return(b.extendS(b.parameter(0)));
  const module = new ModuleBuilder();
  module.add(b.finish());
  module.export("f");
  assert.deepEqual(
    disassemble(module.build()).map((line) => line.trim()),
    [
      "locals: 1 i32",
      "local.get 0",
      "i32.load8_u +7",
      "if",
      "i64.const -300",
      "return",
      "end",
      "local.get 0",
      "i32.const 16",
      "i32.const -1",
      "memory.copy",
      "local.get 0",
      "i64.extend_i32_s",
      "return",
      "unreachable",
      "end",
    ],
  );
});

test("every instruction of the interpreter is known", () => {
  const lines = disassemble(interpreterBytes());
  assert.ok(lines.length > 100_000, `${lines.length} lines`);
  assert.deepEqual(lines.filter((line) => line.includes("unknown")).slice(0, 5), []);
  assert.ok(lines.filter((line) => line === "end").length > 1000, "functions end where they should");
});
