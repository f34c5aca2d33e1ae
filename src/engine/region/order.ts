/**
 * The shape of a region's graph: reverse postorder, dominators, which edges go back and how, and how many
 * instructions can run between two looks at the budget. Knows only node numbers.
 *
 * A virtual root leads to every entry. An edge that goes back to a node which dominates its source continues a loop;
 * any other edge against the order goes through the dispatcher at the root.
 */

export type EdgeKind = "forward" | "loop" | "dispatch";

export interface Order {
  /** Nodes in reverse postorder, without the root. */
  readonly sequence: readonly number[];
  /** Position of each node in `sequence`; -1 when it cannot be reached. */
  readonly position: readonly number[];
  /** Children in the dominator tree, in reverse postorder; the root's come last. */
  readonly children: readonly (readonly number[])[];
  readonly rootChildren: readonly number[];
  /** Nodes that the root leads to: entries, and targets of dispatched edges. */
  readonly rootTargets: readonly number[];
  readonly loopHeads: ReadonlySet<number>;
  /** Nodes of loops. */
  readonly repeats: ReadonlySet<number>;
  /** Nodes that look at the budget, with the most instructions until the next look. */
  readonly checks: ReadonlyMap<number, number>;
  kind(from: number, to: number): EdgeKind;
}

function postorder(successors: readonly (readonly number[])[], entries: readonly number[]): number[] {
  const seen = new Set<number>();
  const order: number[] = [];
  for (const entry of entries) {
    if (seen.has(entry)) continue;
    seen.add(entry);
    const stack = [{ node: entry, at: 0 }];
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.at === successors[top.node].length) {
        order.push(top.node);
        stack.pop();
        continue;
      }
      const next = successors[top.node][top.at++];
      if (seen.has(next)) continue;
      seen.add(next);
      stack.push({ node: next, at: 0 });
    }
  }
  return order;
}

const ROOT = -1;

/** Immediate dominators by the algorithm of Cooper, Harvey and Kennedy; `ROOT` above all. */
function dominators(
  sequence: readonly number[],
  position: readonly number[],
  predecessors: readonly (readonly number[])[],
  roots: ReadonlySet<number>,
): number[] {
  const UNKNOWN = -2;
  const parent = position.map(() => UNKNOWN);
  const meet = (x: number, y: number): number => {
    while (x !== y) {
      if (x === ROOT || y === ROOT) return ROOT;
      if (position[x] > position[y]) x = parent[x];
      else y = parent[y];
    }
    return x;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const node of sequence) {
      let best = roots.has(node) ? ROOT : UNKNOWN;
      for (const p of predecessors[node]) {
        if (parent[p] === UNKNOWN) continue;
        best = best === UNKNOWN ? p : meet(best, p);
      }
      if (best !== parent[node]) {
        parent[node] = best;
        changed = true;
      }
    }
  }
  return parent;
}

/** Adds what lies on the ways from a loop's head to the end of its body. */
function addBody(
  body: Set<number>,
  predecessors: readonly (readonly number[])[],
  position: readonly number[],
  end: number,
  head: number,
): void {
  const seen = new Set([head]);
  const open = [end];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node) || position[node] < position[head]) continue;
    seen.add(node);
    open.push(...predecessors[node]);
  }
  for (const node of seen) body.add(node);
}

/** Orders a graph given by the successors and the instruction count of each node. */
export function orderGraph(
  successors: readonly (readonly number[])[],
  weights: readonly number[],
  entries: readonly number[],
): Order {
  const sequence = postorder(successors, entries).reverse();
  const position = successors.map(() => -1);
  sequence.forEach((node, i) => (position[node] = i));
  const predecessors: number[][] = successors.map(() => []);
  for (const node of sequence) for (const to of successors[node]) predecessors[to].push(node);
  const retreats = (from: number, to: number): boolean => position[to] <= position[from];
  // What edges go back to is entered from outside as well: the interpreter may come to a loop in the middle of its run.
  const backTargets = new Set<number>();
  for (const node of sequence) for (const to of successors[node]) if (retreats(node, to)) backTargets.add(to);
  const rootTargets = [...new Set([...entries, ...backTargets])].filter((node) => position[node] >= 0);
  rootTargets.sort((x, y) => position[x] - position[y]);
  const roots = new Set(rootTargets);
  const parent = dominators(sequence, position, predecessors, roots);
  const dominates = (above: number, node: number): boolean => {
    for (let at = node; at !== ROOT; at = parent[at]) if (at === above) return true;
    return false;
  };
  const kind = (from: number, to: number): EdgeKind => {
    if (!retreats(from, to)) return "forward";
    return dominates(to, from) ? "loop" : "dispatch";
  };
  const loopHeads = new Set<number>();
  for (const node of sequence)
    for (const to of successors[node]) if (kind(node, to) === "loop") loopHeads.add(to);
  const repeats = new Set<number>();
  for (const node of sequence)
    for (const to of successors[node])
      if (retreats(node, to)) addBody(repeats, predecessors, position, node, to);
  const children: number[][] = successors.map(() => []);
  const rootChildren: number[] = [];
  for (const node of sequence) (parent[node] === ROOT ? rootChildren : children[parent[node]]).push(node);
  const checks = new Map<number, number>();
  const longest = successors.map(() => 0);
  for (const node of [...sequence].reverse()) {
    let beyond = 0;
    for (const to of successors[node]) if (!roots.has(to)) beyond = Math.max(beyond, longest[to]);
    longest[node] = weights[node] + beyond;
    if (roots.has(node)) checks.set(node, longest[node]);
  }
  return { sequence, position, children, rootChildren, rootTargets, loopHeads, repeats, checks, kind };
}
