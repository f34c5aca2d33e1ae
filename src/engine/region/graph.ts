/**
 * Which code becomes one region: the control-flow graph of decoded instructions, from a record that is executed often,
 * along branches that were taken, into the functions it calls and over page borders, as far as limits. Knows no code
 * generation.
 *
 * A node begins where control can come from elsewhere and goes on behind conditional branches; it ends at the next
 * node's beginning, at an unconditional transfer, or before an instruction that is left to the interpreter. A function
 * that is called is a copy of its own in each place, a scope, so that its return leads back to one place.
 */
import { CALLS, NEVER_CONTINUES } from "../x86/control-flow.js";
import { OPERATIONS } from "../x86/operands.js";
import { PSEUDO } from "../wasm/interpreter.js";
import { PAGE_RIP, PAGE_SIZE } from "../x86/layout.js";
import { RECORD_BYTES } from "../x86/record.js";
import { readRecord, type DecodedRecord } from "./decoded-record.js";

/** Instructions of a region: V8's time to optimise a function grows faster than its length. */
const MOST_INSTRUCTIONS = 700;
/** Instructions of a region that are not in a function it calls. */
const MOST_OWN = 500;
/** Instructions of a called function that becomes part of its caller. */
const MOST_CALLED = 24;
/** Places that a jump to a computed address may lead to, if they are in its page. */
const MOST_STARTS = 64;
/** Places that a return compares its target with, where it may lead to several. */
const MOST_RETURNS = 4;
/** Calls within each other. */
const DEEPEST = 3;
const MOST_PAGES = 16;

/** What the graph asks of the decode cache and of the regions there are already. */
export interface CodeSource {
  readonly view: DataView;
  /** Number of the operation that a record had when it was decoded. */
  operationOf(record: number): number;
  /** Whether the record is an entry of a region. */
  isEntry(record: number): boolean;
  /** Address behind the last record of the block that holds `record`. */
  blockEnd(record: number): number;
  /** RAM offset of the page that holds a record's instruction. */
  pageOf(record: number): number;
  /** RAM offset of the page that lies `distance` bytes behind that of the seed, or -1 when that is not known. */
  pageAt(distance: number): number;
  /** The record of the instruction at a RAM offset, or 0 when it is not decoded. */
  recordAt(ramOffset: number): number;
  /** Records that blocks in the page at a RAM offset begin with: control has come there from elsewhere. */
  startsInPage(ramOffset: number): readonly number[];
  /** Whether generated code can do the instruction. */
  compiles(record: DecodedRecord): boolean;
}

/** A page that a region's code comes from. */
export interface CodePage {
  /** Its address less that of the seed's page. */
  readonly distance: number;
  readonly ramOffset: number;
}

/** How control leaves a node at its end. */
export type NodeEnd =
  /** The last instruction transferred control itself. */
  | { kind: "transferred" }
  /** On to another node. */
  | { kind: "next"; node: number }
  /** On to a record outside the region, in the same page. */
  | { kind: "leave"; record: number };

export interface RegionNode {
  readonly records: readonly DecodedRecord[];
  readonly end: NodeEnd;
  /** Control comes here from outside as well. */
  readonly entry: boolean;
  /** Control may come here from outside: the seed's page, and no copy of a called function. */
  readonly open: boolean;
  readonly page: CodePage;
}

export interface RegionGraph {
  readonly nodes: readonly RegionNode[];
  /** Nodes that an instruction transfers control to: a branch's or call's target, places where a return may lead to. */
  readonly targets: ReadonlyMap<DecodedRecord, readonly number[]>;
  readonly instructions: number;
}

const CONDITIONAL = /^j(?!mp)|^loop/;
/** Bits of a record's address in the key of a place. */
const RECORD_BITS = 2 ** 32;

const mnemonicOf = (record: DecodedRecord): string => OPERATIONS.list[record.operation].mnemonic;

/** Whether no instruction follows in the same node. */
function endsNode(mnemonic: string): boolean {
  return NEVER_CONTINUES.has(mnemonic) || CALLS.has(mnemonic);
}

/** A record as seen from one page's address. */
interface Place {
  readonly page: number;
  readonly record: number;
}

interface Call {
  readonly record: DecodedRecord;
  readonly target: Place;
  /** Where it returns to. */
  readonly back: Place;
}

const keyOf = ({ page, record }: Place): number => page * RECORD_BITS + record;
const placeOf = (key: number): Place => ({ page: Math.floor(key / RECORD_BITS), record: key % RECORD_BITS });

/** One function's instructions, in one place where it is called. */
class Scope {
  /** Places that nodes may begin with, in the order they were found; grows while it is walked. */
  readonly heads = new Set<number>();
  readonly walked = new Map<number, DecodedRecord>();
  readonly calls: Call[] = [];
  readonly nodeOf = new Map<number, number>();
  readonly depth: number;

  constructor(
    readonly caller: Scope | undefined,
    /** Where it returns to in its caller. */
    readonly back: Place | undefined,
    readonly first: Place,
  ) {
    this.depth = caller ? caller.depth + 1 : 0;
    this.heads.add(keyOf(first));
  }

  /** Whether a function is being called already. */
  within(first: Place): boolean {
    return this.first.record === first.record || (this.caller?.within(first) ?? false);
  }
}

class GraphBuilder {
  private readonly pages: CodePage[];
  private readonly scopes: Scope[];
  private readonly entries = new Set<number>();
  /** What calls that became part of the region call. */
  private readonly called = new Map<DecodedRecord, Scope>();
  private instructions = 0;

  constructor(
    private readonly source: CodeSource,
    seed: number,
  ) {
    this.pages = [{ distance: 0, ramOffset: source.pageOf(seed) }];
    const first = { page: 0, record: seed };
    this.scopes = [new Scope(undefined, undefined, first)];
    this.entries.add(keyOf(first));
  }

  build(): RegionGraph {
    const [root] = this.scopes;
    if (this.source.isEntry(root.first.record)) return { nodes: [], targets: new Map(), instructions: 0 };
    this.walkAll(root, MOST_OWN);
    this.instructions = root.walked.size;
    for (const scope of this.scopes) for (const call of scope.calls) this.enter(scope, call);
    const placed = this.scopes.flatMap((scope) =>
      [...scope.heads].filter((head) => scope.walked.has(head)).map((head) => ({ scope, head })),
    );
    placed.forEach(({ scope, head }, i) => scope.nodeOf.set(head, i));
    const nodes = placed.map(({ scope, head }) => this.node(scope, placeOf(head)));
    return { nodes, targets: this.targets(), instructions: this.instructions };
  }

  /** Whether control may come to a place from outside. */
  private open(scope: Scope, page: number): boolean {
    return scope.depth === 0 && page === 0;
  }

  /** Another region begins there, and this one goes there by leaving. */
  private foreign(scope: Scope, { page, record }: Place): boolean {
    return this.open(scope, page) && this.source.isEntry(record);
  }

  private lead(scope: Scope, place: Place, entry: boolean): void {
    if (this.foreign(scope, place)) return;
    if (entry && this.open(scope, place.page)) this.entries.add(keyOf(place));
    scope.heads.add(keyOf(place));
  }

  private read(record: number): DecodedRecord {
    return readRecord(this.source.view, record, this.source.operationOf(record));
  }

  private walkAll(scope: Scope, most: number): void {
    for (const head of scope.heads) this.walk(scope, placeOf(head), most);
  }

  /** Makes a called function part of the region: a copy if it is small enough, or itself if it is in the same page. */
  private enter(scope: Scope, call: Call): void {
    if (this.copy(scope, call) || scope.depth > 0 || call.target.page !== 0) return;
    this.instructions -= scope.walked.size;
    this.lead(scope, call.target, true);
    this.walkAll(scope, Math.min(MOST_OWN, MOST_INSTRUCTIONS - this.instructions));
    this.instructions += scope.walked.size;
  }

  private copy(scope: Scope, call: Call): boolean {
    if (scope.depth >= DEEPEST || scope.within(call.target)) return false;
    const room = Math.min(MOST_CALLED, MOST_INSTRUCTIONS - this.instructions);
    const callee = new Scope(scope, call.back, call.target);
    this.walkAll(callee, room + 1);
    if (callee.walked.size > room || !callee.walked.has(keyOf(call.target))) return false;
    // A copy of a function that calls itself would leave for the next call.
    if (callee.calls.some(({ target }) => target.record === call.target.record)) return false;
    this.called.set(call.record, callee);
    this.scopes.push(callee);
    this.instructions += callee.walked.size;
    if (this.open(scope, call.back.page)) return true;
    // Only now is it known that control comes to the instruction behind the call.
    const before = scope.walked.size;
    this.lead(scope, call.back, false);
    this.walkAll(scope, before + Math.max(0, MOST_INSTRUCTIONS - this.instructions));
    this.instructions += scope.walked.size - before;
    return true;
  }

  /** Reads instructions from a head on and finds further heads. */
  private walk(scope: Scope, { page, record: head }: Place, most: number): void {
    const end = this.source.blockEnd(head);
    for (let at = head; at < end; at += RECORD_BYTES) {
      const place = { page, record: at };
      if (scope.walked.has(keyOf(place)) || scope.walked.size >= most) return;
      if (at !== head && this.foreign(scope, place)) return;
      const record = this.read(at);
      const next = { page, record: at + RECORD_BYTES };
      if (record.operation === PSEUDO.continue) {
        const target = this.target(page, record);
        if (target) this.lead(scope, target, false);
        return;
      }
      if (isPseudo(record.operation)) return;
      if (!this.source.compiles(record)) {
        const continues = !NEVER_CONTINUES.has(mnemonicOf(record)) && next.record < end;
        if (continues && this.open(scope, page)) this.lead(scope, next, true);
        return;
      }
      scope.walked.set(keyOf(place), record);
      if (!this.follow(scope, record, next, end)) return;
    }
  }

  /** Heads that a transfer leads to; false when nothing follows it in its node. */
  private follow(scope: Scope, record: DecodedRecord, next: Place, end: number): boolean {
    const mnemonic = mnemonicOf(record);
    if (CONDITIONAL.test(mnemonic)) {
      const target = this.target(next.page, record);
      if (target) this.lead(scope, target, false);
      return true;
    }
    if (CALLS.has(mnemonic)) {
      if (next.record >= end) return false;
      const target = mnemonic === "call" ? this.target(next.page, record) : undefined;
      if (target) scope.calls.push({ record, target, back: next });
      if (this.open(scope, next.page)) this.lead(scope, next, true);
      return false;
    }
    const target = mnemonic === "jmp" ? this.target(next.page, record) : undefined;
    if (target) this.lead(scope, target, false);
    if (isSwitch(record) && this.open(scope, next.page)) this.leadToStarts(scope);
    return !NEVER_CONTINUES.has(mnemonic);
  }

  /** A jump to a computed address leads where control has come to before, as far as that is known. */
  private leadToStarts(scope: Scope): void {
    const starts = this.source.startsInPage(this.pages[0].ramOffset);
    for (const record of starts.slice(0, MOST_STARTS)) this.lead(scope, { page: 0, record }, true);
  }

  /** Where a relative branch in a page leads to, if that is decoded; within the page, if it was taken. */
  private target(page: number, record: DecodedRecord): Place | undefined {
    if (record.link !== 0) return { page, record: record.link };
    if (record.narrowBranch) return undefined;
    const to = Number(record.immediate);
    const outside = to < 0 || to >= PAGE_SIZE;
    if (!outside && record.operation !== PSEUDO.continue) return undefined;
    const pages = Math.floor(to / PAGE_SIZE);
    const other = outside ? this.pageAt(this.pages[page].distance + pages * PAGE_SIZE) : page;
    if (other < 0) return undefined;
    const found = this.source.recordAt(this.pages[other].ramOffset + to - pages * PAGE_SIZE);
    return found === 0 ? undefined : { page: other, record: found };
  }

  /** Index of the page at a distance from the first, or -1. */
  private pageAt(distance: number): number {
    const known = this.pages.findIndex((page) => page.distance === distance);
    if (known >= 0 || this.pages.length >= MOST_PAGES) return known;
    const ramOffset = this.source.pageAt(distance);
    return ramOffset < 0 ? -1 : this.pages.push({ distance, ramOffset }) - 1;
  }

  private node(scope: Scope, { page, record: head }: Place): RegionNode {
    const records: DecodedRecord[] = [];
    const about = {
      records,
      page: this.pages[page],
      entry: scope.depth === 0 && this.entries.has(keyOf({ page, record: head })),
      open: this.open(scope, page),
    };
    for (let at = head; ; at += RECORD_BYTES) {
      const key = keyOf({ page, record: at });
      const known = at === head ? undefined : scope.nodeOf.get(key);
      if (known !== undefined) return { ...about, end: { kind: "next", node: known } };
      const record = scope.walked.get(key);
      if (!record) return { ...about, end: this.leave(scope, { page, record: at }) };
      records.push(record);
      if (endsNode(mnemonicOf(record))) return { ...about, end: { kind: "transferred" } };
    }
  }

  private leave(scope: Scope, { page, record: at }: Place): NodeEnd {
    if (this.source.operationOf(at) !== PSEUDO.continue) return { kind: "leave", record: at };
    const target = this.target(page, this.read(at));
    const node = target && scope.nodeOf.get(keyOf(target));
    if (node !== undefined) return { kind: "next", node };
    return { kind: "leave", record: target?.page === page ? target.record : at };
  }

  private targets(): Map<DecodedRecord, readonly number[]> {
    const found = new Map<DecodedRecord, readonly number[]>();
    const home = this.homeReturns();
    for (const scope of this.scopes) {
      for (const [key, record] of scope.walked) {
        const nodes = this.targetNodes(scope, placeOf(key).page, record, home);
        if (nodes.length > 0) found.set(record, nodes);
      }
    }
    return found;
  }

  /** Nodes behind calls of functions that are no copies, all in the first page. */
  private homeReturns(): readonly number[] {
    const [root] = this.scopes;
    const own = root.calls.filter(({ record, back }) => !this.called.has(record) && back.page === 0);
    const calls = own.filter(({ target }) => root.nodeOf.has(keyOf(target)));
    return nodesAt(
      root,
      calls.map(({ back }) => back),
    ).slice(0, MOST_RETURNS);
  }

  private targetNodes(
    scope: Scope,
    page: number,
    record: DecodedRecord,
    home: readonly number[],
  ): readonly number[] {
    const mnemonic = mnemonicOf(record);
    if (mnemonic === "ret") {
      if (scope.caller && scope.back) return nodesAt(scope.caller, [scope.back]);
      return page === 0 ? home : [];
    }
    const callee = this.called.get(record);
    if (callee) return nodesAt(callee, [callee.first]);
    if (mnemonic !== "jmp" && mnemonic !== "call" && !CONDITIONAL.test(mnemonic)) return [];
    const target = this.target(page, record);
    return target ? nodesAt(mnemonic === "call" ? this.scopes[0] : scope, [target]) : [];
  }
}

function nodesAt(scope: Scope, places: readonly Place[]): number[] {
  return places.flatMap((place) => scope.nodeOf.get(keyOf(place)) ?? []);
}

/** Whether an instruction jumps to one of many places: not by way of one fixed place in memory. */
export function isSwitch(record: DecodedRecord): boolean {
  return mnemonicOf(record) === "jmp_near" && record.b !== PAGE_RIP;
}

const PSEUDO_NUMBERS = new Set<number>(Object.values(PSEUDO));

function isPseudo(operation: number): boolean {
  return PSEUDO_NUMBERS.has(operation);
}

/** The graph of a region that begins at `seed`; without nodes when that cannot be compiled. */
export function formGraph(seed: number, source: CodeSource): RegionGraph {
  return new GraphBuilder(source, seed).build();
}

/** Nodes that control goes to from a node, in the order of its branches; some perhaps by several. */
export function transfers(graph: RegionGraph, index: number): number[] {
  const node = graph.nodes[index];
  const found: number[] = [];
  for (const record of node.records) {
    found.push(...(graph.targets.get(record) ?? []));
  }
  if (node.end.kind === "next") found.push(node.end.node);
  return found;
}

/** The same, each once. */
export function successors(graph: RegionGraph, index: number): number[] {
  return [...new Set(transfers(graph, index))];
}
