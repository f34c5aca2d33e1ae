/**
 * Nests the code of nodes so that every transfer is a WebAssembly branch: forward edges leave blocks, loops continue
 * their head, and what fits neither goes through the dispatcher around everything. After Ramsey, "Beyond Relooper"
 * (ICFP 2022), with every node behind a label.
 */
import { readVariable } from "../ir/ir.js";
import type { Label, Statement, Value, Variable } from "../ir/ir.js";
import type { Order } from "./order.js";

export class Structure {
  private readonly blocks: readonly Label[];
  private readonly loops: readonly Label[];
  private readonly root: Label = { name: "dispatch" };
  private dispatches = false;

  constructor(
    private readonly order: Order,
    nodes: number,
  ) {
    this.blocks = Array.from({ length: nodes }, (_, i) => ({ name: `n${i}` }));
    this.loops = Array.from({ length: nodes }, (_, i) => ({ name: `loop${i}` }));
  }

  /** The branch from one node to another; `select` chooses a target for the dispatcher. */
  transfer(from: number, to: number, select: (target: number) => void): Label {
    const kind = this.order.kind(from, to);
    if (kind === "forward") return this.blocks[to];
    if (kind === "loop") return this.loops[to];
    this.dispatches = true;
    select(this.order.rootTargets.indexOf(to));
    return this.root;
  }

  /** The branch to whichever target the variable of the dispatcher names. */
  dispatch(): Label {
    this.dispatches = true;
    return this.root;
  }

  /** All nodes, behind the dispatcher that goes to the entry whose number `state` reads. The nodes' lists are used up. */
  nest(code: readonly { statements: Statement[] }[], state: Value): Statement[] {
    const targets = this.order.rootTargets.map((node) => this.blocks[node]);
    const start: Statement[] =
      targets.length === 1
        ? [{ kind: "branch", label: targets[0], condition: undefined, seldom: false }]
        : [state, dispatch(state, targets)];
    const nested = this.place(start, this.order.rootChildren, code);
    return this.dispatches ? [{ kind: "loop", label: this.root, body: nested }] : nested;
  }

  private place(
    first: Statement[],
    children: readonly number[],
    code: readonly { statements: Statement[] }[],
  ): Statement[] {
    let inner = first;
    for (const child of children) {
      const behind = this.subtree(child, code);
      behind.unshift({ kind: "block", label: this.blocks[child], body: inner });
      inner = behind;
    }
    return inner;
  }

  private subtree(node: number, code: readonly { statements: Statement[] }[]): Statement[] {
    const inner = this.place(code[node].statements, this.order.children[node], code);
    if (!this.order.loopHeads.has(node)) return inner;
    return [{ kind: "loop", label: this.loops[node], body: inner }];
  }
}

function dispatch(state: Value, targets: readonly Label[]): Statement {
  return {
    kind: "branchTable",
    index: state,
    labels: targets.slice(0, -1),
    otherwise: targets[targets.length - 1],
  };
}

/** A read of a variable, once. */
export function readOf(variable: Variable): Value {
  const value = readVariable(variable);
  value.uses = 1;
  return value;
}
