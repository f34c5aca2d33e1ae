/**
 * Which code becomes one region: the control-flow graph of decoded instructions of one page, from a record that is
 * executed often, along branches that were taken, as far as a limit. Knows no code generation.
 *
 * A node begins where control can come from elsewhere and goes on behind conditional branches; it ends at the next
 * node's beginning, at an unconditional transfer, or before an instruction that is left to the interpreter.
 */
import { CALLS, NEVER_CONTINUES } from "../x86/control-flow.js";
import { OPERATIONS } from "../x86/operands.js";
import { PSEUDO } from "../wasm/interpreter.js";
import { RECORD_BYTES } from "../x86/record.js";
import { readRecord, type DecodedRecord } from "./decoded-record.js";

/** Instructions of a region: V8's time to optimise a function grows faster than its length. */
const MOST_INSTRUCTIONS = 700;

/** What the graph asks of the decode cache and of the regions there are already. */
export interface CodeSource {
  readonly view: DataView;
  /** Number of the operation that a record had when it was decoded. */
  operationOf(record: number): number;
  /** Whether the record is an entry of a region. */
  isEntry(record: number): boolean;
  /** Address behind the last record of the block that holds `record`. */
  blockEnd(record: number): number;
  /** The record of an offset in the page that holds `record`, or 0 when it is not decoded. */
  findInPage(record: number, offset: number): number;
  /** Whether generated code can do the instruction. */
  compiles(record: DecodedRecord): boolean;
}

/** How control leaves a node at its end. */
export type NodeEnd =
  /** The last instruction transferred control itself. */
  | { kind: "transferred" }
  /** On to another node. */
  | { kind: "next"; node: number }
  /** On to a record outside the region. */
  | { kind: "leave"; record: number };

export interface RegionNode {
  readonly records: DecodedRecord[];
  end: NodeEnd;
  /** Control comes here from outside as well. */
  entry: boolean;
}

export interface RegionGraph {
  readonly nodes: RegionNode[];
  /** Node that begins with the record at this address. */
  readonly nodeOf: Map<number, number>;
  readonly instructions: number;
}

const CONDITIONAL = /^j(?!mp)|^loop/;

const mnemonicOf = (record: DecodedRecord): string => OPERATIONS.list[record.operation].mnemonic;

/** Whether no instruction follows in the same node. */
export function endsNode(mnemonic: string): boolean {
  return NEVER_CONTINUES.has(mnemonic) || CALLS.has(mnemonic);
}

class GraphBuilder {
  private readonly entries = new Set<number>();
  /** Records that nodes may begin with, in the order they were found; grows while it is walked. */
  private readonly heads = new Set<number>();
  private readonly walked = new Map<number, DecodedRecord>();

  constructor(private readonly source: CodeSource) {}

  build(seed: number): RegionGraph {
    this.lead(seed, true);
    for (const head of this.heads) this.walk(head);
    const heads = [...this.heads].filter((head) => this.walked.has(head));
    const nodeOf = new Map(heads.map((head, i) => [head, i]));
    const nodes = heads.map((head) => this.node(head, nodeOf));
    return { nodes, nodeOf, instructions: this.walked.size };
  }

  /** Makes a record the head of a node, unless another region begins there. */
  private lead(record: number, entry: boolean): void {
    if (this.source.isEntry(record)) return;
    if (entry) this.entries.add(record);
    this.heads.add(record);
  }

  private read(record: number): DecodedRecord {
    return readRecord(this.source.view, record, this.source.operationOf(record));
  }

  /** Reads instructions from a head on and finds further heads. */
  private walk(head: number): void {
    const end = this.source.blockEnd(head);
    for (let at = head; at < end; at += RECORD_BYTES) {
      if (this.walked.has(at) || this.walked.size >= MOST_INSTRUCTIONS) return;
      if (at !== head && this.source.isEntry(at)) return;
      const record = this.read(at);
      if (record.operation === PSEUDO.continue) {
        const target = this.continuation(record);
        if (target !== 0) this.lead(target, false);
        return;
      }
      if (isPseudo(record.operation)) return;
      if (!this.source.compiles(record)) {
        if (!NEVER_CONTINUES.has(mnemonicOf(record)) && at + RECORD_BYTES < end)
          this.lead(at + RECORD_BYTES, true);
        return;
      }
      this.walked.set(at, record);
      if (!this.follow(record, at + RECORD_BYTES, end)) return;
    }
  }

  /** Heads that a transfer leads to; false when nothing follows it in its node. */
  private follow(record: DecodedRecord, next: number, end: number): boolean {
    const mnemonic = mnemonicOf(record);
    if (CONDITIONAL.test(mnemonic)) {
      if (record.link !== 0) this.lead(record.link, false);
      return true;
    }
    if (CALLS.has(mnemonic)) {
      if (mnemonic === "call" && record.link !== 0) this.lead(record.link, true);
      if (next < end) this.lead(next, true);
      return false;
    }
    if (mnemonic === "jmp" && record.link !== 0) this.lead(record.link, false);
    return !NEVER_CONTINUES.has(mnemonic);
  }

  private continuation(record: DecodedRecord): number {
    if (record.link !== 0) return record.link;
    return this.source.findInPage(record.address, Number(record.immediate));
  }

  private node(head: number, nodeOf: ReadonlyMap<number, number>): RegionNode {
    const records: DecodedRecord[] = [];
    const entry = this.entries.has(head);
    for (let at = head; ; at += RECORD_BYTES) {
      const known = at === head ? undefined : nodeOf.get(at);
      if (known !== undefined) return { records, entry, end: { kind: "next", node: known } };
      const record = this.walked.get(at);
      if (!record) return { records, entry, end: this.leave(at, nodeOf) };
      records.push(record);
      if (endsNode(mnemonicOf(record))) {
        return { records, entry, end: { kind: "transferred" } };
      }
    }
  }

  private leave(at: number, nodeOf: ReadonlyMap<number, number>): NodeEnd {
    if (this.source.operationOf(at) !== PSEUDO.continue) return { kind: "leave", record: at };
    const target = this.continuation(this.read(at));
    const node = nodeOf.get(target);
    if (node !== undefined) return { kind: "next", node };
    return { kind: "leave", record: target === 0 ? at : target };
  }
}

const PSEUDO_NUMBERS = new Set<number>(Object.values(PSEUDO));

function isPseudo(operation: number): boolean {
  return PSEUDO_NUMBERS.has(operation);
}

/** The graph of a region that begins at `seed`; without nodes when that cannot be compiled. */
export function formGraph(seed: number, source: CodeSource): RegionGraph {
  return new GraphBuilder(source).build(seed);
}

/** Nodes that control goes to from a node, in the order of its branches. */
export function successors(graph: RegionGraph, index: number): number[] {
  const node = graph.nodes[index];
  const found = new Set<number>();
  for (const record of node.records) {
    const mnemonic = mnemonicOf(record);
    const branches = CONDITIONAL.test(mnemonic) || mnemonic === "jmp" || mnemonic === "call";
    const target = branches ? graph.nodeOf.get(record.link) : undefined;
    if (target !== undefined) found.add(target);
  }
  if (node.end.kind === "next") found.add(node.end.node);
  return [...found];
}
