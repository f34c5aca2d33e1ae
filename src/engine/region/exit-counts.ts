/**
 * Counts of what regions do, for whoever asks for statistics: a pass that puts counting code before every way out of a
 * region, and what the counts say. Regions of a run without statistics have none of it.
 */
import { FunctionBuilder } from "../ir/function-builder.js";
import { makeVariable, type IrFunction, type Statement, type Value, type Variable } from "../ir/ir.js";
import { HANDLER_SIGNATURE } from "../wasm/handler-builder.js";
import { INDIRECT } from "../wasm/lower.js";
import * as layout from "../x86/layout.js";
import { OPERATIONS } from "../x86/operands.js";
import { REC_OP } from "../x86/record.js";
import type { RegionGraph } from "./graph.js";

/** Why control left a region. */
const REASONS = [
  /** An instruction, by itself or in this case, is the interpreter's. */
  "exitsToInterpret",
  /** The budget did not cover the way to the next look at it. */
  "exitsAtBudget",
  /** On to code that is not in the region. */
  "exitsToRecord",
  /** On to an address that was computed. */
  "exitsToTarget",
  /** On to another region without the run loop. */
  "exitsChained",
] as const;
type Reason = (typeof REASONS)[number];

const COUNTER_BYTES = 8;
const INSTRUCTIONS = layout.REGION_COUNTS + REASONS.length * COUNTER_BYTES;
const MOST_OPERATIONS = 12;

const counterOf = (reason: Reason): number => layout.REGION_COUNTS + REASONS.indexOf(reason) * COUNTER_BYTES;

class CountPass {
  private readonly entered: Variable = makeVariable("entered", "i32");
  private readonly counted = new Set<Value>();

  /** `operationOf` gives the operation of a record of the region, or undefined. */
  constructor(private readonly operationOf: (record: number) => number | undefined) {}

  run(code: IrFunction): void {
    this.list(code.body, false);
    code.body.unshift(
      ...statements((b) => {
        b.set(this.entered, b.add(b.load("i32.load", b.parameter(0), layout.LEFT), b.i32(1)));
      }),
    );
  }

  private list(list: Statement[], inTail: boolean): void {
    let tail = inTail;
    for (let i = 0; i < list.length; i++) {
      const s = list[i];
      if (s.kind === "store" && s.offset === layout.REGION_TAIL) tail = true;
      const before = this.before(s, tail);
      list.splice(i, 0, ...before);
      i += before.length;
    }
  }

  private before(s: Statement, tail: boolean): Statement[] {
    switch (s.kind) {
      case "if":
        this.list(s.then, tail);
        this.list(s.else, tail);
        return [];
      case "loop":
      case "block":
        this.list(s.body, tail);
        return [];
      case "return":
        return s.value && !this.counted.has(s.value) ? this.leaves(s.value, tail) : [];
      case "define":
        return this.calls(s, tail);
      default:
        return [];
    }
  }

  private leaves(value: Value, tail: boolean): Statement[] {
    if (value.op === "call") return this.count("exitsChained");
    if (value.op !== "const") return [...this.count("exitsToInterpret"), ...countAt(value)];
    const to = Number(value.immediate);
    if (tail) return this.count("exitsAtBudget");
    if (to === 0) return this.count("exitsToTarget");
    const operation = this.operationOf(to);
    return operation === undefined ? this.count("exitsToRecord") : this.count("exitsToInterpret", operation);
  }

  /** The interpreter's handler is called by the way out itself: it has counted that instruction. */
  private calls(value: Value, tail: boolean): Statement[] {
    const indirect = value.op === "call" && String(value.target).startsWith(INDIRECT);
    if (!indirect || value.args[2].op !== "const") return [];
    this.counted.add(value);
    return this.count(
      tail ? "exitsAtBudget" : "exitsToInterpret",
      tail ? undefined : Number(value.args[2].immediate),
      1,
    );
  }

  private count(reason: Reason, operation?: number, beyond = 0): Statement[] {
    return statements((b) => {
      const zero = b.i32(0);
      const add = (at: number, value: Value): void =>
        b.store("i64.store", zero, b.add(b.load("i64.load", zero, at), value), at);
      add(counterOf(reason), b.i64(1));
      const left = b.add(b.load("i32.load", b.parameter(0), layout.LEFT), b.i32(beyond));
      add(INSTRUCTIONS, b.extendU(b.sub(b.get(this.entered), left)));
      if (operation !== undefined) add(operationCounter(operation), b.i64(1));
    });
  }
}

/** Counts the operation of the record that control goes on at, unless that is another region's entry by now. */
function countAt(record: Value): Statement[] {
  return statements((b) => {
    const operation = b.load("i32.load16_u", record, REC_OP);
    b.if(b.ltU(operation, b.i32(OPERATIONS.list.length)), () => {
      const counter = b.mul(operation, b.i32(COUNTER_BYTES));
      const at = operationCounter(0);
      b.store("i64.store", counter, b.add(b.load("i64.load", counter, at), b.i64(1)), at);
    });
  });
}

function operationCounter(operation: number): number {
  return layout.REGION_OPERATION_COUNTS + operation * COUNTER_BYTES;
}

function statements(build: (b: FunctionBuilder) => void): Statement[] {
  const b = new FunctionBuilder("count", HANDLER_SIGNATURE);
  build(b);
  return b.finish().body;
}

/** Puts counting into the code of a region's graph. */
export function addCounts(code: IrFunction, graph: RegionGraph): void {
  const records = graph.nodes.flatMap((node) => node.records);
  const operations = new Map(records.map(({ address, operation }) => [address, operation]));
  new CountPass((record) => operations.get(record)).run(code);
}

/**
 * What the counts say: ways out by reason, which part of the `executed` instructions ran in regions, and which operations left regions most
 * often.
 */
export function readCounts(view: DataView, executed: number): Record<string, number> {
  const at = (address: number): number => Number(view.getBigUint64(address, true));
  const inRegions = at(INSTRUCTIONS);
  const counts: Record<string, number> = {
    instructionsInRegions: inRegions,
    instructionsInterpreted: executed - inRegions,
  };
  for (const reason of REASONS) counts[reason] = at(counterOf(reason));
  const operations = OPERATIONS.list
    .map(({ id, key }) => ({ key, count: at(operationCounter(id)) }))
    .filter(({ count }) => count > 0)
    .sort((x, y) => y.count - x.count);
  for (const { key, count } of operations.slice(0, MOST_OPERATIONS))
    counts[`exitsToInterpret ${key}`] = count;
  return counts;
}
