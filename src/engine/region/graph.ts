/**
 * Which code becomes one region: the control-flow graph of decoded instructions, from a record that is executed often,
 * along branches that were taken, into the functions it calls and over page borders, as far as limits. Knows no code
 * generation.
 *
 * A node begins where control can come from elsewhere and goes on behind conditional branches; it ends at the next
 * node's beginning, at an unconditional transfer, or before an instruction that is left to the interpreter. A small
 * function that is called is a copy of its own in each place, so that its return leads back to one place; a larger one
 * is there once if it is executed often, and its returns compare with the places that it is called from.
 */
import { CALLS, INDIRECT_TRANSFERS, NEVER_CONTINUES } from "../x86/control-flow.js";
import { OPERATIONS } from "../x86/operands.js";
import { PSEUDO } from "../x86/pseudo-operations.js";
import { PAGE_RIP, PAGE_SIZE } from "../x86/layout.js";
import { RECORD_BYTES } from "../x86/record.js";
import type { CodePage, CodeSource } from "./code-source.js";
import { readRecord, type DecodedRecord } from "./decoded-record.js";
import { keyOf, nodesAt, placeOf, Scope, type Call, type Place } from "./scopes.js";

/** Instructions of a region: V8's time to optimise a function grows faster than its length. */
const MOST_INSTRUCTIONS = 700;
/** Instructions of a region that are not in a function it calls. */
const MOST_OWN = 500;
/** Instructions of a called function that becomes part of its caller. */
const MOST_CALLED = 24;
/** Places that a jump to a computed address may lead to, if they are in its page. */
const MOST_STARTS = 64;
/** Places that a return of a function which is no copy compares its target with. */
const MOST_RETURNS = 8;
/** Calls within each other. */
const DEEPEST = 3;
const MOST_PAGES = 16;

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

const JUMPS: ReadonlySet<string> = new Set(["jmp", "jmp_near"]);
const CONDITIONAL = /^j(?!mp)|^loop/;

const mnemonicOf = (record: DecodedRecord): string => OPERATIONS.list[record.operation].mnemonic;

/** Whether no instruction follows in the same node. */
function endsNode(mnemonic: string): boolean {
  return NEVER_CONTINUES.has(mnemonic) || CALLS.has(mnemonic);
}

class GraphBuilder {
  private readonly pages: CodePage[];
  private readonly root: Scope;
  /** Called functions that are no copies and that control cannot come into from outside. */
  private readonly shared = new Scope(undefined, undefined, undefined);
  private readonly scopes: Scope[];
  private readonly entries = new Set<number>();
  /** Calls in the order they were found, also of scopes that did not become part of the region. */
  private readonly calls: { scope: Scope; call: Call }[] = [];
  /** Copies of what calls in the region call, and the scopes of what is called without being copied. */
  private readonly copies = new Map<DecodedRecord, Scope>();
  private readonly homes = new Map<DecodedRecord, Scope>();
  private instructions = 0;

  constructor(
    private readonly source: CodeSource,
    private readonly seed: number,
  ) {
    this.pages = [{ distance: 0, ramOffset: source.pageOf(seed) }];
    const first = { page: 0, record: seed };
    this.root = new Scope(undefined, undefined, first);
    this.scopes = [this.root, this.shared];
    this.entries.add(keyOf(first));
  }

  build(): RegionGraph {
    const { root, scopes } = this;
    if (this.source.isEntry(this.seed)) return { nodes: [], targets: new Map(), instructions: 0 };
    this.walkAll(root, MOST_OWN);
    this.instructions = root.walked.size;
    for (const { scope, call } of this.calls) if (scopes.includes(scope)) this.enter(scope, call);
    const placed = scopes.flatMap((scope) =>
      [...scope.heads].filter((head) => scope.walked.has(head)).map((head) => ({ scope, head })),
    );
    placed.forEach(({ scope, head }, i) => scope.nodeOf.set(head, i));
    const nodes = placed.map(({ scope, head }) => this.node(scope, placeOf(head)));
    return { nodes, targets: this.targets(nodes), instructions: this.instructions };
  }

  /** Whether control may come to a place from outside. */
  private open(scope: Scope, page: number): boolean {
    return scope === this.root && page === 0;
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

  /** Makes a called function part of the region: a copy if it is small enough, or one for all its callers. */
  private enter(scope: Scope, call: Call): void {
    if (this.copy(scope, call)) return;
    const { root, shared } = this;
    const home = call.target.page !== 0 || this.foreign(root, call.target) ? shared : root;
    if (home === shared && !this.source.isWarm(call.target.record)) return;
    this.grow(home, call.target);
    if (!home.walked.has(keyOf(call.target))) return;
    this.homes.set(call.record, home);
    this.grow(scope, call.back);
  }

  /** Goes on reading at a place that control comes to, as far as there is room. */
  private grow(scope: Scope, place: Place): void {
    const before = scope.walked.size;
    const room = before + Math.max(0, MOST_INSTRUCTIONS - this.instructions);
    this.lead(scope, place, true);
    this.walkAll(scope, scope === this.root ? Math.min(MOST_OWN, room) : room);
    this.instructions += scope.walked.size - before;
  }

  private copy(scope: Scope, call: Call): boolean {
    if (scope.depth >= DEEPEST || scope.within(call.target)) return false;
    const room = Math.min(MOST_CALLED, MOST_INSTRUCTIONS - this.instructions);
    const callee = new Scope(scope, call.back, call.target);
    this.walkAll(callee, room + 1);
    if (callee.walked.size > room || !callee.walked.has(keyOf(call.target))) return false;
    // A copy of a function that calls itself would leave for the next call.
    const recursive = ({ scope: s, call: c }: { scope: Scope; call: Call }): boolean =>
      s === callee && c.target.record === call.target.record;
    if (this.calls.some(recursive)) return false;
    this.copies.set(call.record, callee);
    this.scopes.push(callee);
    this.instructions += callee.walked.size;
    this.grow(scope, call.back);
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
      const target = this.target(next.page, record);
      if (target) this.calls.push({ scope, call: { record, target, back: next } });
      if (this.open(scope, next.page)) this.lead(scope, next, true);
      return false;
    }
    const target = JUMPS.has(mnemonic) ? this.target(next.page, record) : undefined;
    if (target) this.lead(scope, target, false);
    if (isSwitch(record) && this.open(scope, next.page)) this.leadToStarts(scope);
    return !NEVER_CONTINUES.has(mnemonic);
  }

  /** A jump to a computed address leads where control has come to before, as far as that is known. */
  private leadToStarts(scope: Scope): void {
    const starts = this.source.startsInPage(this.pages[0].ramOffset);
    for (const record of starts.slice(0, MOST_STARTS)) this.lead(scope, { page: 0, record }, true);
  }

  /** Where a transfer in a page leads to, if that is decoded; within the page, if it was taken. */
  private target(page: number, record: DecodedRecord): Place | undefined {
    if (INDIRECT_TRANSFERS.has(mnemonicOf(record))) return this.guess(record);
    if (record.link !== 0) return { page, record: record.link };
    if (record.narrowBranch) return undefined;
    const to = Number(record.immediate);
    const outside = to < 0 || to >= PAGE_SIZE;
    if (!outside && record.operation !== PSEUDO.continue) return undefined;
    return this.placeAt(this.pages[page].distance + to);
  }

  /** Where a transfer to a computed address led to last, if it is none that leads to many places in its page. */
  private guess(record: DecodedRecord): Place | undefined {
    if (record.immediate === 0n) return undefined;
    const place = this.placeAt(this.source.distanceTo(record.immediate));
    return place?.page === 0 && isSwitch(record) ? undefined : place;
  }

  /** The decoded instruction at a distance from the seed's page. */
  private placeAt(distance: number): Place | undefined {
    const offset = ((distance % PAGE_SIZE) + PAGE_SIZE) % PAGE_SIZE;
    const page = this.pageAt(distance - offset);
    const record = page < 0 ? 0 : this.source.recordAt(this.pages[page].ramOffset + offset);
    return record === 0 ? undefined : { page, record };
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
      entry: this.open(scope, page) && this.entries.has(keyOf({ page, record: head })),
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

  private targets(nodes: readonly RegionNode[]): Map<DecodedRecord, readonly number[]> {
    const found = new Map<DecodedRecord, readonly number[]>();
    for (const scope of this.scopes) {
      for (const [key, record] of scope.walked) {
        const targets = this.targetNodes(scope, placeOf(key).page, record);
        if (targets.length > 0) found.set(record, targets);
      }
    }
    for (const [record, backs] of this.homeReturns(nodes, found)) found.set(record, backs);
    return found;
  }

  /** Where returns of functions that are no copies lead to: behind the calls of them. */
  private homeReturns(
    nodes: readonly RegionNode[],
    targets: ReadonlyMap<DecodedRecord, readonly number[]>,
  ): Map<DecodedRecord, readonly number[]> {
    const found = new Map<DecodedRecord, readonly number[]>();
    const calls = this.calls.filter(({ scope }) => this.scopes.includes(scope));
    const backs = new Map(calls.map(({ scope, call }) => [call.record, nodesAt(scope, [call.back])]));
    const next = (record: DecodedRecord): readonly number[] => backs.get(record) ?? targets.get(record) ?? [];
    for (const { call } of calls) {
      const home = this.homes.get(call.record);
      for (const node of home ? nodesAt(home, [call.target]) : []) {
        for (const record of returnsFrom(node, nodes, next)) {
          const known = found.get(record) ?? [];
          if (known.length < MOST_RETURNS) found.set(record, [...new Set([...known, ...next(call.record)])]);
        }
      }
    }
    return found;
  }

  private targetNodes(scope: Scope, page: number, record: DecodedRecord): readonly number[] {
    const mnemonic = mnemonicOf(record);
    if (mnemonic === "ret") return scope.caller && scope.back ? nodesAt(scope.caller, [scope.back]) : [];
    if (!JUMPS.has(mnemonic) && !CALLS.has(mnemonic) && !CONDITIONAL.test(mnemonic)) return [];
    const target = this.target(page, record);
    const of = CALLS.has(mnemonic) ? (this.copies.get(record) ?? this.homes.get(record)) : scope;
    return target && of ? nodesAt(of, [target]) : [];
  }
}

/** Returns that a function leads to, which begins with a node; `next`: nodes behind an instruction, not those it calls. */
function returnsFrom(
  first: number,
  nodes: readonly RegionNode[],
  next: (record: DecodedRecord) => readonly number[],
): Set<DecodedRecord> {
  const found = new Set<DecodedRecord>();
  const seen = new Set([first]);
  for (const node of seen) {
    const { records, end } = nodes[node];
    for (const record of records) {
      if (mnemonicOf(record) === "ret") found.add(record);
      for (const to of next(record)) seen.add(to);
    }
    if (end.kind === "next") seen.add(end.node);
  }
  return found;
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
