/**
 * In which form each node of a region finds the flags. A guess by mnemonics, which a wrong one makes slower, not wrong:
 * the builder makes the words wherever they are read.
 */
import { OPERATIONS } from "../x86/operands.js";
import type { DecodedRecord } from "./decoded-record.js";
import { transfers, type RegionGraph } from "./graph.js";
import type { Order } from "./order.js";

/**
 * "same": as the one way there leaves them; "words": in their words, since the node reads them; "dynamic": as a code
 * says, since it overwrites them.
 */
export type FlagEntry = "same" | "words" | "dynamic";

const READS =
  /^(j(?!mp|rcxz)|set|cmov|adc|sbb|adcx|adox|rcl|rcr|bt|clc|stc|cmc|lahf|loopn?e|pushf|cmps|scas)/;
/** Keep some of the flags. */
const ROTATES = /^ro[lr]$/;
const SETS = /^(add|sub|cmp|test|and|or|xor|neg|shl|shr|sar|i?mul|div|cmpxchg|xadd|popcnt|andn|bsf|bsr)/;

/** Set all flags from their operands alone. */
const REPLACES = /^(add|sub|cmp|test|and|or|xor|neg|imul[23])$/;
/** Neither read flags nor leave a region, between registers. */
const PASSES = /^(mov|movzx|movsx|movsxd|lea|not|bswap|shl|shr|sar|rol|ror|inc|dec|cbw|cwd|nop)$/;

/**
 * Whether nobody can see the flags that an instruction of a node leaves: control cannot leave the region before another
 * one replaces them all.
 */
export function leavesDeadFlags(records: readonly DecodedRecord[], at: number): boolean {
  const own = OPERATIONS.list[records[at].operation].mnemonic;
  if (!REPLACES.test(own) && !PASSES.test(own)) return false;
  for (let i = at + 1; i < records.length; i++) {
    const { mnemonic, isMemory } = OPERATIONS.list[records[i].operation];
    if (isMemory && mnemonic !== "lea") return false;
    if (REPLACES.test(mnemonic)) return true;
    if (!PASSES.test(mnemonic)) return false;
  }
  return false;
}

/** Whether a node reads flags that it has not set; undefined: it does neither. */
function reads(graph: RegionGraph, node: number): boolean | undefined {
  const { records } = graph.nodes[node];
  for (let i = 0; i < records.length; i++) {
    const { mnemonic } = OPERATIONS.list[records[i].operation];
    if (ROTATES.test(mnemonic)) {
      if (!leavesDeadFlags(records, i)) return true;
    } else if (READS.test(mnemonic)) return true;
    else if (SETS.test(mnemonic)) return false;
  }
  return undefined;
}

/** In which form each node of a graph finds the flags. */
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
