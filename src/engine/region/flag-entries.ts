/**
 * In which form each node of a region finds the flags. A guess by mnemonics, which a wrong one makes slower, not wrong:
 * the builder makes the words wherever they are read.
 */
import { OPERATIONS } from "../x86/operands.js";
import { transfers, type RegionGraph } from "./graph.js";
import type { Order } from "./order.js";

/**
 * "same": as the one way there leaves them; "words": in their words, since the node reads them; "dynamic": as a code
 * says, since it overwrites them.
 */
export type FlagEntry = "same" | "words" | "dynamic";

const READS =
  /^(j(?!mp|rcxz)|set|cmov|adc|sbb|adcx|adox|rcl|rcr|rol|ror|bt|clc|stc|cmc|lahf|loopn?e|pushf|cmps|scas)/;
const SETS = /^(add|sub|cmp|test|and|or|xor|neg|shl|shr|sar|i?mul|div|cmpxchg|xadd|popcnt|andn|bsf|bsr)/;

/** Whether a node reads flags that it has not set; undefined: it does neither. */
function reads(graph: RegionGraph, node: number): boolean | undefined {
  for (const { operation } of graph.nodes[node].records) {
    const { mnemonic } = OPERATIONS.list[operation];
    if (READS.test(mnemonic)) return true;
    if (SETS.test(mnemonic)) return false;
  }
  return undefined;
}

export function flagEntries(graph: RegionGraph, order: Order): FlagEntry[] {
  const ways = graph.nodes.map(() => 0);
  const read = graph.nodes.map(() => false);
  for (let i = order.sequence.length - 1; i >= 0; i--) {
    const node = order.sequence[i];
    const next = transfers(graph, node);
    for (const to of next) ways[to]++;
    read[node] = reads(graph, node) ?? next.some((to) => read[to]);
  }
  const roots = new Set(order.rootTargets);
  return graph.nodes.map((_, node) => {
    if (ways[node] === 1 && !roots.has(node)) return "same";
    return read[node] ? "words" : "dynamic";
  });
}
