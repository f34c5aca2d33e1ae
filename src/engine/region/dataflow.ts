/**
 * Which registers a region must load when it is entered, and which ones each way out must write back. Two passes to
 * a fixed point over bit masks. Knows no instruction.
 */
import type { NodeCode } from "./region-builder.js";
import type { Stub } from "./region-exits.js";
import { WORDS } from "./flags.js";
import { FLAG_WORDS } from "./registers.js";

export interface Dataflow {
  /** Registers that must hold their value when control comes to a node from outside. */
  readonly live: readonly number[];
  /** Registers that may differ from their home at a way out of a node. */
  dirty(node: number, stub: Stub): number;
}

/** Finds what each node must find in variables and what each way out writes back. */
export function analyse(nodes: readonly NodeCode[]): Dataflow {
  const changedBefore = forward(nodes);
  const dirty = (node: number, stub: Stub): number => {
    const mask = changedBefore[node] | stub.changed;
    return stub.pending === WORDS ? mask : mask & ~FLAG_WORDS;
  };
  return { live: backward(nodes, dirty), dirty };
}

/** Registers that may have been changed when control comes to a node. */
function forward(nodes: readonly NodeCode[]): number[] {
  const before = nodes.map(() => 0);
  for (let again = true; again;) {
    again = false;
    nodes.forEach((node, from) => {
      for (const edge of node.edges) {
        const mask = before[edge.to] | before[from] | edge.changed;
        if (mask === before[edge.to]) continue;
        before[edge.to] = mask;
        again = true;
      }
    });
  }
  return before;
}

/** Registers whose value on entry to a node matters: read, or written back, before they are written. */
function backward(nodes: readonly NodeCode[], dirty: (node: number, stub: Stub) => number): number[] {
  const live = nodes.map((node, i) =>
    node.stubs.reduce((mask, stub) => mask | (dirty(i, stub) & ~stub.defined), node.used),
  );
  for (let again = true; again;) {
    again = false;
    for (let i = nodes.length - 1; i >= 0; i--) {
      const mask = nodes[i].edges.reduce((all, edge) => all | (live[edge.to] & ~edge.defined), live[i]);
      if (mask === live[i]) continue;
      live[i] = mask;
      again = true;
    }
  }
  return live;
}
