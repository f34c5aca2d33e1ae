/**
 * Lowering IR to WebAssembly, at random: functions of loads, stores, variables, branches and loops are run beside an
 * evaluator of the IR, which has no locals that could be given away too early.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { FunctionBuilder } from "../../../src/engine/ir/function-builder.js";
import type { Label, Statement, Value, Variable } from "../../../src/engine/ir/ir.js";
import { printFunction } from "../../../src/engine/ir/print.js";
import { ModuleBuilder } from "../../../src/engine/wasm/module-builder.js";

const FUNCTIONS = 400;
const WORDS = 8;
const ROUNDS = 3;

/** A fixed sequence: xorshift32. */
class Random {
  constructor(private state: number) {}

  below(limit: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % limit;
  }
}

class Generator {
  readonly b = new FunctionBuilder("f", { parameters: ["i32"], results: ["i32"] });
  private readonly variables: Variable[] = [];
  private values: Value[] = [this.b.parameter(0)];
  private readonly left: Variable;

  constructor(private readonly random: Random) {
    for (let i = 0; i < ROUNDS; i++) this.variables.push(this.b.variable(this.b.i32(i + 1)));
    this.left = this.b.variable(this.b.i32(ROUNDS));
  }

  build(): FunctionBuilder {
    this.block(0, 14);
    const { b } = this;
    b.return(this.variables.reduce((sum, v) => b.add(b.mul(sum, b.i32(31)), b.get(v)), this.value()));
    return b;
  }

  private value(): Value {
    return this.values[this.random.below(this.values.length)];
  }

  private address(): Value {
    const { b } = this;
    return b.shl(b.and(this.value(), b.i32(WORDS - 1)), b.i32(2));
  }

  private variable(): Variable {
    return this.variables[this.random.below(this.variables.length)];
  }

  private block(depth: number, statements: number): void {
    const outer = this.values;
    this.values = [...outer];
    for (let i = 0; i < statements; i++) this.statement(depth);
    this.values = outer;
  }

  private statement(depth: number): void {
    const { b, random } = this;
    const inner = (): void => this.block(depth + 1, 5);
    switch (random.below(depth < 3 ? 10 : 7)) {
      case 0:
        return void this.values.push(b.load("i32.load", this.address()));
      case 1:
        return b.store("i32.store", this.address(), this.value());
      case 2:
      case 3:
        return void this.values.push(b.get(this.variable()));
      case 4:
        return b.set(this.variable(), this.value());
      case 5:
        return void this.values.push(b.add(this.value(), this.value()));
      case 6:
        return void this.values.push(b.xor(this.value(), b.i32(random.below(99))));
      case 7:
        return b.if(this.value(), inner, random.below(2) ? inner : undefined);
      case 8:
        return b.block((out) => {
          inner();
          b.branchIf(this.value(), out);
          inner();
        });
      default:
        return b.loop((again) => {
          inner();
          b.set(this.left, b.sub(b.get(this.left), b.i32(1)));
          b.branchIf(b.gtS(b.get(this.left), b.i32(0)), again);
        });
    }
  }
}

type Flow = Label | { returned: number } | undefined;

/** Executes IR as ir.ts says, without locals. */
class Evaluator {
  private readonly known = new Map<Value, number>();
  private readonly cells = new Map<Variable, number>();

  constructor(
    private readonly parameter: number,
    private readonly memory: DataView,
  ) {}

  run(list: readonly Statement[]): Flow {
    for (const s of list) {
      const flow = this.statement(s);
      if (flow) return flow;
    }
    return undefined;
  }

  private statement(s: Statement): Flow {
    switch (s.kind) {
      case "define":
        return void this.known.set(s, this.compute(s));
      case "store":
        return this.memory.setInt32(this.of(s.address) + s.offset, this.of(s.value), true) as undefined;
      case "set":
        return void this.cells.set(s.variable, this.of(s.value));
      case "if":
        return this.run(this.of(s.condition) ? s.then : s.else);
      case "loop":
        for (;;) {
          const flow = this.run(s.body);
          if (flow !== s.label) return flow;
        }
      case "block": {
        const flow = this.run(s.body);
        return flow === s.label ? undefined : flow;
      }
      case "branch":
        return !s.condition || this.of(s.condition) ? s.label : undefined;
      case "return":
        return { returned: this.of(s.value!) };
      default:
        throw new Error(`${s.kind} is not generated here`);
    }
  }

  private of(value: Value): number {
    if (value.op === "const") return value.immediate as number;
    if (value.op === "parameter") return this.parameter;
    return this.known.get(value)!;
  }

  private compute(value: Value): number {
    const [a, c] = value.args.map((arg) => this.of(arg));
    switch (value.op) {
      case "get":
        return this.cells.get(value.target as Variable)!;
      case "i32.load":
        return this.memory.getInt32(a + (value.immediate as number), true);
      case "i32.add":
        return (a + c) | 0;
      case "i32.sub":
        return (a - c) | 0;
      case "i32.mul":
        return Math.imul(a, c);
      case "i32.and":
        return a & c;
      case "i32.xor":
        return a ^ c;
      case "i32.shl":
        return a << c;
      case "i32.gt_s":
        return a > c ? 1 : 0;
      default:
        throw new Error(`${value.op} is not generated here`);
    }
  }
}

function filled(memory: DataView): void {
  for (let i = 0; i < WORDS; i++) memory.setInt32(i * 4, i * 0x01234567, true);
}

test("random functions do in WebAssembly what their IR says", () => {
  const random = new Random(0x2545f491);
  let executed = 0;
  for (let i = 0; i < FUNCTIONS; i++) {
    const f = new Generator(random).build().finish();
    const module = new ModuleBuilder();
    module.add(f);
    module.export("f");
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 0x10000 });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module.build()), { env: { memory } });
    const own = new DataView(memory.buffer);
    const expected = new DataView(new ArrayBuffer(WORDS * 4));
    for (const parameter of [0, 1, -7]) {
      filled(own);
      filled(expected);
      const flow = new Evaluator(parameter, expected).run(f.body) as { returned: number };
      const got = (instance.exports["f"] as (p: number) => number)(parameter);
      const text = `f(${parameter}) of\n${printFunction(f)}`;
      assert.equal(got, flow.returned, text);
      for (let word = 0; word < WORDS; word++)
        assert.equal(
          own.getInt32(word * 4, true),
          expected.getInt32(word * 4, true),
          `word ${word}, ${text}`,
        );
      executed++;
    }
  }
  assert.equal(executed, FUNCTIONS * 3);
});
