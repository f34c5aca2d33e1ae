/**
 * From a graph of decoded instructions to one WebAssembly function. The passes, in order:
 *
 * 1. `orderGraph`: reverse postorder, dominators, loops, budget;
 * 2. `RegionBuilder.node`: each node's instructions, by their one definition in x86/semantics;
 * 3. `analyse`: what to load at entry, what to write back at each way out;
 * 4. `RegionBuilder.waysOut`: the ways out;
 * 5. `Structure.nest`: structured control flow.
 */
import type { IrFunction, Statement, Value } from "../ir/ir.js";
import { printFunction } from "../ir/print.js";
import * as layout from "../x86/layout.js";
import { RECORD_BYTES } from "../x86/record.js";
import { analyse } from "./dataflow.js";
import { codeOf } from "./flag-code.js";
import { flagEntries, type FlagEntry } from "./flag-entries.js";
import { DYNAMIC, WORDS, type Pending } from "./flags.js";
import { successors, type RegionGraph } from "./graph.js";
import { orderGraph, type Order } from "./order.js";
import { flagsText, flowText, graphText, nodesText, orderText, type PassObserver } from "./pass-text.js";
import { RegionBuilder, type NodeCode } from "./region-builder.js";
import { bitsOf, homeOf, RegionVariables } from "./registers.js";
import { readOf, Structure } from "./structure.js";

/** A graph in the order that its code will have. */
export interface RegionShape {
  readonly graph: RegionGraph;
  readonly order: Order;
  /** Records where the region can be entered, and what the entry table holds for them. */
  readonly entries: ReadonlyMap<number, number>;
}

/** Orders a graph, which tells where it can be entered. */
export function shapeRegion(graph: RegionGraph): RegionShape {
  const { nodes } = graph;
  const order = orderGraph(
    nodes.map((_, i) => successors(graph, i)),
    nodes.map((node) => node.records.length),
    nodes.flatMap((node, i) => (node.entry ? [i] : [])),
  );
  const entries = new Map<number, number>();
  order.rootTargets.forEach((index, i) => {
    const { open, records } = nodes[index];
    if (open) entries.set(records[0].address, i);
  });
  return { graph, order, entries };
}

/** log2 of record bytes per byte of the entry table, whose entries have two. */
const ENTRY_SHIFT = Math.log2(RECORD_BYTES / layout.REGION_ENTRY_BYTES);

class RegionCompiler {
  private readonly locals = new RegionVariables();
  private readonly graph: RegionGraph;
  private readonly order: Order;
  private readonly structure: Structure;
  private readonly builder: RegionBuilder;
  private readonly flagEntries: readonly FlagEntry[];
  /** Flags as the one way to a node leaves them. */
  private readonly handed = new Map<number, Pending>();
  private current = 0;

  constructor(
    name: string,
    shape: RegionShape,
    mode: number,
    slot: number,
    private readonly observe: PassObserver | undefined,
  ) {
    const { graph, order } = shape;
    const { nodes } = graph;
    this.graph = graph;
    this.order = order;
    this.flagEntries = flagEntries(graph, order);
    this.structure = new Structure(this.order, nodes.length);
    this.builder = new RegionBuilder(name, this.locals, mode, {
      isEntry: (record) => shape.entries.has(record),
      targetsOf: (record) => graph.targets.get(record) ?? [],
      flagEntry: (to) => this.flagEntries[to],
      handFlags: (to, pending) => void this.handed.set(to, pending),
      place: (node) => {
        const { page, records } = graph.nodes[node];
        return { page, offset: records[0].offset };
      },
      transfer: (b, to) => {
        const label = this.structure.transfer(this.current, to, (target) =>
          b.set(this.locals.state, b.i32(target)),
        );
        b.branch(label);
      },
      dispatch: {
        slot,
        mode,
        page: nodes[0].page,
        targets: order.rootTargets,
        go: (b, record) => {
          b.set(this.locals.state, entryNumber(b, record));
          b.branch(this.structure.dispatch());
        },
      },
    });
  }

  compile(): IrFunction {
    const { observe } = this;
    observe?.("graph", () => graphText(this.graph));
    const next = (): number[][] => this.graph.nodes.map((_, i) => successors(this.graph, i));
    observe?.("order", () => orderText(this.order, next()));
    observe?.("flags", () => flagsText(this.flagEntries));
    const nodes = this.nodes();
    observe?.("nodes", () => nodesText(nodes));
    const flow = analyse(nodes);
    observe?.("dataflow", () => flowText(flow, nodes));
    let body = this.structure.nest(nodes, readOf(this.locals.state));
    nodes.forEach((node, i) => {
      body = this.builder.waysOut(body, node.stubs, (stub) => flow.dirty(i, stub));
    });
    const live = this.order.rootTargets.reduce((mask, node) => mask | flow.live[node], 0);
    const touched = nodes.reduce((mask, node) => mask | node.used | allChanged(node), live);
    this.builder.forgetAllPages();
    const code = this.builder.finish();
    code.body.push(...this.prologue(live, touched), ...body);
    observe?.("structure", () => printFunction(code));
    return code;
  }

  /** The code of all nodes. None for those that control cannot come to, as behind a branch that is never taken. */
  private nodes(): NodeCode[] {
    const nodes = this.graph.nodes.map((): NodeCode => ({ statements: [], stubs: [], edges: [], used: 0 }));
    const reached = new Set(this.order.rootTargets);
    // Ways to a node come before it, unless it is entered from outside as well.
    for (const i of this.order.sequence) {
      if (!reached.has(i)) continue;
      nodes[i] = this.node(i);
      for (const { to } of nodes[i].edges) reached.add(to);
    }
    return nodes;
  }

  private node(index: number): NodeCode {
    const { records, end, page } = this.graph.nodes[index];
    const budget = this.order.checks.get(index);
    this.current = index;
    return this.builder.node(
      page,
      records,
      this.order.repeats.has(index),
      this.flagsAt(index),
      () => {
        if (budget !== undefined) this.builder.requireBudget(budget);
      },
      () => {
        if (end.kind === "next") this.builder.goTo(end.node);
        else if (end.kind === "leave") this.builder.exit({ kind: "record", address: end.record });
      },
    );
  }

  private flagsAt(index: number): Pending {
    const entry = this.flagEntries[index];
    if (entry !== "same") return entry === "words" ? WORDS : DYNAMIC;
    const pending = this.handed.get(index);
    if (!pending) throw new Error(`node ${index} comes before the way to it`);
    return pending;
  }

  /** Loads what lives in variables. The run loop has counted the entry as an instruction; nodes count their own. */
  private prologue(live: number, touched: number): Statement[] {
    const b = this.builder;
    const { locals } = this;
    const cpu = b.parameter(0);
    return b.collect(() => {
      b.set(locals.left, b.add(b.load("i32.load", cpu, layout.LEFT), b.i32(1)));
      b.set(locals.tlb, b.load("i32.load", cpu, layout.TLB_CURRENT));
      b.set(locals.pageRip, b.load("i64.load", cpu, layout.PAGE_RIP));
      for (const bit of bitsOf(touched)) {
        const value = (live >> bit) & 1 ? b.load("i64.load", cpu, homeOf(bit)) : b.i64(0);
        b.set(locals.cached[bit], value);
      }
      b.set(locals.target, b.i64(0));
      b.set(locals.exit, b.i32(0));
      for (const [offset, field] of locals.fields) b.set(field, b.load(`${field.type}.load`, cpu, offset));
      b.noPages();
      this.flagOperands();
      b.set(locals.state, entryNumber(b, b.parameter(1)));
    });
  }

  /** Operands of flags that were set before the region was entered: the words. */
  private flagOperands(): void {
    const b = this.builder;
    const { operands, flagCode } = this.locals;
    const home = this.flagEntries.includes("dynamic");
    const word = (offset: number): Value => (home ? b.load("i64.load", b.parameter(0), offset) : b.i64(0));
    b.set(operands.left, word(layout.FLAG_CARRY));
    b.set(operands.result, word(layout.FLAG_RESULT));
    b.set(operands.right, b.i64(0));
    b.set(operands.changed, b.i64(0));
    b.set(operands.overflow, b.i32(0));
    b.set(flagCode, b.i32(codeOf(WORDS)));
  }
}

/** What the entry table holds for the first entry of a region; 0 is none. */
export const FIRST_ENTRY = 1;

/** Which entry of its region a record is, by the entry table. */
function entryNumber(b: RegionBuilder, record: Value): Value {
  const index = b.shrU(b.sub(record, b.i32(layout.ARENA)), b.i32(ENTRY_SHIFT));
  return b.sub(b.load("i32.load16_u", index, layout.REGION_ENTRIES), b.i32(FIRST_ENTRY));
}

function allChanged(node: NodeCode): number {
  const exits = node.stubs.reduce((mask, stub) => mask | stub.changed, 0);
  return node.edges.reduce((mask, edge) => mask | edge.changed, exits);
}

/** Compiles a region for a mode and a place in the table of handlers. `observe` hears what each pass made. */
export function compileRegion(
  name: string,
  shape: RegionShape,
  mode: number,
  slot: number,
  observe?: PassObserver,
): IrFunction {
  return new RegionCompiler(name, shape, mode, slot, observe).compile();
}
