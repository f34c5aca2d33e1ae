/**
 * What set the flags last, as a number, and the one function that makes the two words of x86/flags.ts from it and the
 * operands: for ways out that are seldom taken, and where control may have come with either of several.
 *
 * ```
 *  code   10..9             8..6         5..2         1..0
 *        ┌─────────────────┬────────────┬────────────┬───────────┐
 *        │ log2 changeSize │ CHANGES    │ SOURCES    │ log2 size │
 *        └─────────────────┴────────────┴────────────┴───────────┘
 * ```
 */
import { FunctionBuilder } from "../ir/function-builder.js";
import { ModuleBuilder } from "../wasm/module-builder.js";
import { makeVariable, type IrFunction, type Signature, type Value } from "../ir/ir.js";
import * as layout from "../x86/layout.js";
import {
  CHANGES,
  PendingFlags,
  SOURCES,
  WORDS,
  type Known,
  type OperandVariables,
  type Pending,
} from "./flags.js";

const SOURCE_SHIFT = 2;
const CHANGE_SHIFT = 6;
const CHANGE_SIZE_SHIFT = 9;
const SIZE_MASK = 3;
const SOURCE_MASK = 15;
const CHANGE_MASK = 7;
const SIZES = [1, 2, 4, 8];

/** Bits of a code that say what changed the flags since their source set them. */
export const CHANGE_BITS = (CHANGE_MASK << CHANGE_SHIFT) | (SIZE_MASK << CHANGE_SIZE_SHIFT);

function changeCode({ change, changeSize }: Pending): number {
  const kind = CHANGES.indexOf(change);
  return (kind << CHANGE_SHIFT) | (Math.log2(changeSize) << CHANGE_SIZE_SHIFT);
}

/** The code of pending flags; of dynamic ones only what it has of a change. */
export function codeOf(pending: Pending): number {
  if (pending.source === "dynamic") return changeCode(pending);
  return changeCode(pending) | (SOURCES.indexOf(pending.source) << SOURCE_SHIFT) | Math.log2(pending.size);
}

/** Name of the function, and its parameters: CPU, code, left, right, result, changed, overflow. */
export const MAKE_WORDS = "makeWords";
export const MAKE_WORDS_SIGNATURE: Signature = {
  parameters: ["i32", "i32", "i64", "i64", "i64", "i64", "i32"],
  results: [],
};

class Generator extends FunctionBuilder {
  private readonly operands: OperandVariables = {
    left: makeVariable("left", "i64"),
    right: makeVariable("right", "i64"),
    result: makeVariable("result", "i64"),
    changed: makeVariable("changed", "i64"),
    overflow: makeVariable("overflow", "i32"),
  };

  constructor() {
    super(MAKE_WORDS, MAKE_WORDS_SIGNATURE);
  }

  generate(): IrFunction {
    const { left, right, result, changed, overflow } = this.operands;
    [left, right, result, changed, overflow].forEach((v, i) => this.set(v, this.parameter(i + 2)));
    this.choose(SOURCE_SHIFT, SOURCE_MASK, SOURCES, (source) => {
      if (source === "words") return;
      this.choose(0, SIZE_MASK, SIZES, (size) => this.replace({ ...WORDS, source, size }));
    });
    this.choose(CHANGE_SHIFT, CHANGE_MASK, CHANGES, (change) => {
      if (change === "none") return;
      this.choose(CHANGE_SIZE_SHIFT, SIZE_MASK, SIZES, (changeSize) =>
        this.replace({ ...WORDS, source: "words", change, changeSize }),
      );
    });
    const cpu = this.parameter(0);
    this.store("i64.store", cpu, this.get(result), layout.FLAG_RESULT);
    this.store("i64.store", cpu, this.get(left), layout.FLAG_CARRY);
    return this.finish();
  }

  /** From the operands to the words, in the same variables. */
  private replace(pending: Known): void {
    const flags = new PendingFlags(this, this.operands, pending);
    const [result, carry]: Value[] = [flags.resultWord(), flags.carryWord()];
    this.set(this.operands.result, result);
    this.set(this.operands.left, carry);
  }

  /** Emits what `build` makes of the choice that a field of the code names. */
  private choose<T>(shift: number, mask: number, choices: readonly T[], build: (choice: T) => void): void {
    this.block((out) => {
      const nest = (i: number, labels: Parameters<FunctionBuilder["branchTable"]>[1]): void => {
        if (i === choices.length) {
          const field = this.and(this.shrU(this.parameter(1), this.i32(shift)), this.i32(mask));
          return this.branchTable(field, labels, out);
        }
        this.block((label) => nest(i + 1, [label, ...labels]));
        build(choices[choices.length - 1 - i]);
        this.branch(out);
      };
      nest(0, []);
    });
  }
}

/** The function as a module, for one memory: all regions call the same. It is made when the program is built, as its cases take longer than a region. */
export function generateMakeWords(): Uint8Array {
  const module = new ModuleBuilder();
  module.add(new Generator().generate());
  module.export(MAKE_WORDS);
  return module.build();
}
