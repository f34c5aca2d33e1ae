/**
 * Lowering IR to WebAssembly: what a value is worth must not depend on where it is used. Functions are built, lowered,
 * compiled and run; where the form matters, the bytes of the body are read.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { FunctionBuilder } from "../../../src/engine/ir/function-builder.js";
import { makeVariable } from "../../../src/engine/ir/ir.js";
import type { Signature, Type, Value, Variable } from "../../../src/engine/ir/ir.js";
import { INDIRECT, lowerFunction } from "../../../src/engine/wasm/lower.js";
import { ModuleBuilder } from "../../../src/engine/wasm/module-builder.js";

type Run = (...args: number[]) => number;

interface Built {
  run: Run;
  memory: DataView;
  /** Numbers that the imported function `note` was called with; it returns its argument + 100. */
  notes: number[];
}

const one = (type: Type, parameters: number): Signature => ({
  parameters: Array<Type>(parameters).fill("i32"),
  results: [type],
});

const NAMES = { functionIndex: () => 0, typeIndex: () => 0 };

/** Builds a function f(i32 × parameters) → i32 and an instance that holds it. */
function compile(parameters: number, build: (b: FunctionBuilder) => void): Built {
  const b = new FunctionBuilder("f", one("i32", parameters));
  build(b);
  const module = new ModuleBuilder();
  module.import("note", one("i32", 1));
  module.defineType("unary", one("i32", 1));
  for (const [name, factor] of [
    ["double", 2],
    ["triple", 3],
  ] as const) {
    const callee = new FunctionBuilder(name, one("i32", 1));
    callee.return(callee.mul(callee.parameter(0), callee.i32(factor)));
    module.add(callee.finish());
  }
  module.setTable(["double", "triple"]);
  module.add(b.finish());
  module.export("f");
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 0x10000 });
  const notes: number[] = [];
  const note = (value: number): number => {
    notes.push(value);
    return value + 100;
  };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.build()), {
    env: { memory, note },
  });
  return { run: instance.exports["f"] as Run, memory: new DataView(memory.buffer), notes };
}

/** The body's bytes as hex: groups of locals, then instructions. */
function body(parameters: number, build: (b: FunctionBuilder) => void): string {
  const b = new FunctionBuilder("f", one("i32", parameters));
  build(b);
  return Buffer.from(lowerFunction(b.finish(), NAMES).bytes).toString("hex");
}

/** Number of locals that a body declares. */
function locals(parameters: number, build: (b: FunctionBuilder) => void): number {
  const bytes = Buffer.from(body(parameters, build), "hex");
  return Array.from({ length: bytes[0] }, (_, group) => bytes[1 + 2 * group]).reduce((a, b) => a + b, 0);
}

// ── values keep the moment they were defined ───────────────────────────────────────────────────────────────

test("a load is not moved across a store", () => {
  const { run, memory } = compile(0, (b) => {
    const old = b.load("i32.load", b.i32(8));
    b.store("i32.store", b.i32(8), b.i32(7));
    b.return(old);
  });
  memory.setInt32(8, 5, true);
  assert.equal(run(), 5);
  assert.equal(memory.getInt32(8, true), 7);
});

test("arithmetic on a load may move, the load does not", () => {
  const { run, memory } = compile(0, (b) => {
    const sum = b.add(b.load("i32.load", b.i32(8)), b.i32(1));
    b.store("i32.store", b.i32(8), b.i32(70));
    b.return(sum);
  });
  memory.setInt32(8, 5, true);
  assert.equal(run(), 6);
});

test("the value of a variable is not moved across a change of the variable", () => {
  const { run } = compile(1, (b) => {
    const v = b.variable(b.parameter(0));
    const before = b.get(v);
    b.set(v, b.i32(1000));
    b.return(b.sub(b.get(v), before));
  });
  assert.equal(run(1), 999);
});

test("a variable may be set from itself, and a change inside a branch does not reach values read before", () => {
  const { run } = compile(1, (b) => {
    const v = b.variable(b.i32(1));
    const before = b.get(v);
    b.if(b.parameter(0), () => b.set(v, b.add(b.get(v), b.i32(10))));
    b.return(b.add(b.mul(before, b.i32(100)), b.get(v)));
  });
  assert.deepEqual([run(0), run(1)], [101, 111]);
});

test("calls run once, where they stand, whether or how often their results are used", () => {
  const { run, notes } = compile(0, (b) => {
    const first = b.call("note", "i32", [b.i32(1)]);
    b.call("note", "i32", [b.i32(2)]);
    const third = b.call("note", "i32", [b.i32(3)]);
    b.return(b.add(b.add(third, first), third));
  });
  assert.equal(run(), 103 + 101 + 103);
  assert.deepEqual(notes, [1, 2, 3]);
});

// ── where values are computed ──────────────────────────────────────────────────────────────────────────────

const MUL = "6c";
const occurrences = (hex: string, byte: string): number =>
  (hex.match(/../g) ?? []).filter((pair) => pair === byte).length;

test("a value used twice is computed once and kept in a local; used once it is computed where it is used", () => {
  const twice = (b: FunctionBuilder): void => {
    const product = b.mul(b.parameter(0), b.parameter(1));
    b.return(b.add(product, product));
  };
  assert.equal(occurrences(body(2, twice), MUL), 1);
  assert.equal(locals(2, twice), 1);
  assert.equal(compile(2, twice).run(6, 7), 84);
  const once = (b: FunctionBuilder): void => b.return(b.add(b.mul(b.parameter(0), b.parameter(1)), b.i32(1)));
  assert.equal(locals(2, once), 0);
  // no locals; local.get 0, local.get 1, i32.mul, i32.const 1, i32.add, return, unreachable, end
  assert.equal(body(2, once), "00" + "2000" + "2001" + MUL + "4101" + "6a" + "0f" + "00" + "0b");
});

test("what nobody uses is not computed: arithmetic and loads vanish", () => {
  assert.equal(
    body(1, (b) => {
      b.mul(b.parameter(0), b.parameter(0));
      b.load("i32.load", b.parameter(0));
      b.return(b.i32(-1));
    }),
    "00" + "417f" + "0f" + "00" + "0b",
  );
});

test("locals are used again after their last use, and after their block where a use is left", () => {
  const branch = (b: FunctionBuilder): void => {
    const loaded = b.load("i32.load", b.i32(0));
    b.store("i32.store", b.i32(4), b.add(loaded, loaded));
  };
  const four = (b: FunctionBuilder): void => {
    for (let i = 0; i < 4; i++) b.if(b.parameter(0), () => branch(b));
    b.return(b.i32(0));
  };
  assert.equal(locals(1, four), 1);
  const open = (b: FunctionBuilder): void => {
    for (let i = 0; i < 4; i++) branch(b);
    b.return(b.i32(0));
  };
  assert.equal(locals(1, open), 1);
  const unused = (b: FunctionBuilder): void => {
    for (let i = 0; i < 4; i++) b.if(b.parameter(0), () => void b.eqz(b.load("i32.load", b.i32(0))));
    b.return(b.i32(0));
  };
  assert.equal(locals(1, unused), 1);
});

test("a value that a loop uses keeps its local until the loop has ended", () => {
  const { run, memory } = compile(1, (b) => {
    const step = b.load("i32.load", b.i32(0));
    const i = b.variable(b.i32(0));
    const sum = b.variable(b.i32(0));
    b.loop((again) => {
      b.set(sum, b.add(b.get(sum), step));
      const square = b.load("i32.load", b.i32(4));
      b.set(sum, b.add(b.get(sum), b.mul(square, square)));
      b.set(i, b.add(b.get(i), b.i32(1)));
      b.branchIf(b.ltS(b.get(i), b.parameter(0)), again);
    });
    b.return(b.get(sum));
  });
  memory.setInt32(0, 100, true);
  memory.setInt32(4, 3, true);
  assert.equal(run(5), 545);
});

test("a variable that does not change in between is read where it is used, without a copy", () => {
  const address = (b: FunctionBuilder): void => {
    const v = b.variable(b.parameter(0));
    const value = b.get(v);
    b.store("i32.store", b.i32(0), value);
    b.store("i32.store", b.i32(4), value);
    b.return(b.i32(0));
  };
  assert.equal(locals(1, address), 1);
});

test("a value used at once, and only once, is not put into its local; used again it is left on the stack as well", () => {
  const TEE = "22";
  const once = (b: FunctionBuilder): void => b.return(b.add(b.load("i32.load", b.i32(0)), b.i32(1)));
  assert.equal(body(0, once), "01" + "017f" + "4100" + "280000" + "4101" + "6a" + "0f" + "00" + "0b");
  const twice = (b: FunctionBuilder): void => {
    const loaded = b.load("i32.load", b.i32(0));
    b.return(b.mul(loaded, loaded));
  };
  assert.equal(occurrences(body(0, twice), TEE), 1);
  const { run, memory } = compile(0, twice);
  memory.setInt32(0, 12, true);
  assert.equal(run(), 144);
});

test("a local that holds a value of an outer block is not given away inside", () => {
  const { run, memory } = compile(1, (b) => {
    const outer = b.load("i32.load", b.i32(0));
    b.if(b.parameter(0), () => {
      const inner = b.load("i32.load", b.i32(4));
      b.store("i32.store", b.i32(8), b.mul(inner, inner));
    });
    b.if(b.parameter(0), () => {
      const inner = b.load("i32.load", b.i32(8));
      b.store("i32.store", b.i32(12), b.add(inner, outer));
    });
    b.return(outer);
  });
  memory.setInt32(0, 3, true);
  memory.setInt32(4, 5, true);
  assert.equal(run(1), 3);
  assert.equal(memory.getInt32(12, true), 28);
});

// ── control flow ───────────────────────────────────────────────────────────────────────────────────────────

test("if and else, nested", () => {
  const { run } = compile(2, (b) => {
    const result = b.variable(b.i32(0));
    b.if(
      b.parameter(0),
      () =>
        b.if(
          b.parameter(1),
          () => b.set(result, b.i32(3)),
          () => b.set(result, b.i32(2)),
        ),
      () => b.if(b.parameter(1), () => b.set(result, b.i32(1))),
    );
    b.return(b.get(result));
  });
  assert.deepEqual([run(0, 0), run(0, 1), run(1, 0), run(1, 1)], [0, 1, 2, 3]);
});

test("a loop goes on by a branch to its label and ends by falling off", () => {
  const { run } = compile(1, (b) => {
    const left = b.variable(b.parameter(0));
    const sum = b.variable(b.i32(0));
    b.loop((again) => {
      b.set(sum, b.add(b.get(sum), b.get(left)));
      b.set(left, b.sub(b.get(left), b.i32(1)));
      b.branchIf(b.gtS(b.get(left), b.i32(0)), again);
    });
    b.return(b.get(sum));
  });
  assert.deepEqual([run(1), run(4), run(100)], [1, 10, 5050]);
});

test("a branch out of a block counts the blocks, loops and ifs between", () => {
  const { run } = compile(1, (b) => {
    const steps = b.variable(b.i32(0));
    b.block((out) => {
      b.loop((again) => {
        b.set(steps, b.add(b.get(steps), b.i32(1)));
        b.if(b.geS(b.get(steps), b.parameter(0)), () => b.block(() => b.branch(out)));
        b.branch(again);
      });
    });
    b.return(b.get(steps));
  });
  assert.deepEqual([run(1), run(9)], [1, 9]);
});

test("a branch table chooses by index, and its default beyond the last", () => {
  const { run } = compile(1, (b) => {
    const result = b.variable(b.i32(0));
    b.block((end) => {
      b.block((other) => {
        b.block((second) => {
          b.block((first) => b.branchTable(b.parameter(0), [first, second, first], other));
          b.set(result, b.i32(10));
          b.branch(end);
        });
        b.set(result, b.i32(20));
        b.branch(end);
      });
      b.set(result, b.i32(30));
    });
    b.return(b.get(result));
  });
  assert.deepEqual(
    [0, 1, 2, 3, -1].map((i) => run(i)),
    [10, 20, 10, 30, 30],
  );
});

test("an indirect call takes its function from the table by its last argument", () => {
  const { run } = compile(2, (b) =>
    b.return(b.call(`${INDIRECT}unary`, "i32", [b.parameter(0), b.parameter(1)])),
  );
  assert.deepEqual([run(7, 0), run(7, 1)], [14, 21]);
  assert.throws(() => run(7, 2), WebAssembly.RuntimeError);
});

test("constants of every size reach the guest unchanged", () => {
  for (const value of [0, 1, -1, 63, 64, -64, -65, 0x7fffffff, -0x80000000]) {
    assert.equal(compile(0, (b) => b.return(b.i32(value))).run(), value);
    const wide = BigInt(value) << 31n;
    const high = compile(0, (b) =>
      b.return(b.wrap(b.shrS(b.or(b.i64(wide), b.extendU(b.load("i32.load", b.i32(0)))), b.i64(31)))),
    );
    assert.equal(high.run(), value);
  }
});

// ── misuse ─────────────────────────────────────────────────────────────────────────────────────────────────

test("a loaded value is refused outside the block that defines it", () => {
  const misuse = (b: FunctionBuilder): void => {
    const escaped: Value[] = [];
    b.if(b.parameter(0), () => {
      const loaded = b.load("i32.load", b.i32(0));
      b.store("i32.store", b.i32(4), loaded);
      escaped.push(loaded);
    });
    b.return(escaped[0]);
  };
  assert.throws(() => body(1, misuse), /i32\.load is used outside the block/);
});

test("a variable is refused before it is set and outside the block that sets it first", () => {
  assert.throws(
    () => body(0, (b) => b.return(b.get(makeVariable("v", "i32")))),
    /variable is read before it is set/,
  );
  const outside = (b: FunctionBuilder): void => {
    const escaped: Variable[] = [];
    b.block(() => escaped.push(b.variable(b.i32(1))));
    b.return(b.get(escaped[0]));
  };
  assert.throws(() => body(0, outside), /outside its block/);
});

test("a branch to a label that is not open, and an unknown operation, are refused", () => {
  assert.throws(() => body(0, (b) => b.branch({ name: "elsewhere" })), /label elsewhere is not open/);
  assert.throws(
    () => body(0, (b) => b.return(b.operation("i32", "i32.frobnicate", [b.i32(1)]))),
    /no such operation: i32\.frobnicate/,
  );
});
