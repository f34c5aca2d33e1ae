/**
 * The ways out of a region: what they write back, and where control goes. Those that the interpreter goes on from in
 * the middle of a node are many and seldom taken: they share the code of one chain a node, in which each stores what
 * the node has changed since the way before it and falls through to that way's stores.
 *
 * ```
 *  block x1
 *    block x2
 *      …  exit = 3; branch x1 if …    (an access of the node's instruction 3)
 *      …  exit = 7; branch x2 if …    (an access of its instruction 7)
 *    store what instructions 3 to 6 changed
 *  store what was changed before
 *  store the budget and the flags; return the record of instruction `exit`
 * ```
 */
import type { Label, Statement, Value } from "../ir/ir.js";
import { HANDLER_TYPE } from "../wasm/handler-builder.js";
import { INDIRECT } from "../wasm/lower.js";
import * as layout from "../x86/layout.js";
import { RECORD_BYTES } from "../x86/record.js";
import type { DecodedRecord } from "./decoded-record.js";
import type { CodePage } from "./code-source.js";
import { codeOf, MAKE_WORDS } from "./flag-code.js";
import { WORDS, type Pending } from "./flags.js";
import { RegionOperands } from "./region-operands.js";
import { bitsOf, FLAG_WORDS, homeOf } from "./registers.js";

/** Where control goes when it leaves the region. */
export type Destination =
  /** The instruction itself, by the interpreter; `tail`: it runs the rest of the slice. */
  | { kind: "interpret"; record: DecodedRecord; tail?: boolean }
  /** Another record, whatever it is. */
  | { kind: "record"; address: number }
  /** RIP as the variable `target` says. */
  | { kind: "target" };

/** One way out: what must be written back where. */
export interface Stub {
  readonly label: Label;
  readonly page: CodePage;
  readonly destination: Destination;
  /** Control comes here whenever it comes to the instruction. */
  readonly always: boolean;
  /** Instructions of the node completed before. */
  readonly completed: number;
  readonly pending: Pending;
  /** Registers that the node may have changed, and those it has changed for certain, before this exit. */
  readonly changed: number;
  readonly defined: number;
  /** Part of a chain; its code then begins with what is behind this exit's own. */
  readonly chained: boolean;
}

/** Bits of the variable `exit` that hold the instructions of the node completed before; the flags' code is above. */
const COMPLETED_BITS = 10;
const RECORD_SHIFT = Math.log2(RECORD_BYTES);
const COMPLETED_MASK = (1 << COMPLETED_BITS) - 1;

export abstract class RegionExits extends RegionOperands {
  protected completed = 0;
  protected stubs: Stub[] = [];
  /** The node's first record. */
  protected head = 0;
  /** Registers that are changed before some way out of the node's chains. */
  protected chainChanged = 0;
  private labelCount = 0;

  /** Whether a region can be entered at a record: then its handler is the region. */
  protected abstract isEntry(record: number): boolean;

  // ── leaving ───────────────────────────────────────────────────────────────────────────────────────────

  /** Leaves the region, if `condition` holds when it is given. */
  exit(destination: Destination, condition?: Value): void {
    const always = condition === undefined && this.depth === 1;
    const stub = this.chainedStub(destination, always) ?? this.newStub(destination, always, false);
    if (stub.chained) {
      const code = this.pending.source === "dynamic" ? 0 : codeOf(this.pending);
      this.set(this.locals.exit, this.i32(this.completed | (code << COMPLETED_BITS)));
    }
    if (condition) return this.branchIf(condition, stub.label, destination.kind === "interpret");
    this.branch(stub.label);
    this.terminated = true;
  }

  private newStub(destination: Destination, always: boolean, chained: boolean): Stub {
    const { completed, pending, changed, defined, page } = this;
    const label = { name: `x${this.labelCount++}` };
    const stub = { label, page, destination, always, completed, pending, changed, defined, chained };
    this.stubs.push(stub);
    return stub;
  }

  /** The link of a chain for a way out that is seldom taken, as it is there or a new one. */
  private chainedStub(destination: Destination, always: boolean): Stub | undefined {
    if (destination.kind !== "interpret" || destination.tail || always || !this.chains(destination.record))
      return undefined;
    const { changed, pending } = this;
    const last = this.stubs[this.stubs.length - 1] as Stub | undefined;
    const same =
      last?.chained &&
      last.changed === changed &&
      (last.pending === WORDS) === (pending === WORDS) &&
      chainOf(last.pending) === chainOf(pending);
    if (same) return last;
    this.chainChanged |= changed;
    return this.newStub(destination, always, true);
  }

  /** Whether what a chain does at its end is right for an instruction, and what it stores has changed before it. */
  private chains({ address }: DecodedRecord): boolean {
    const { completed } = this;
    if (completed > COMPLETED_MASK || address !== this.head + completed * RECORD_BYTES) return false;
    return !this.isEntry(address) && (this.chainChanged & ~this.changed & ~FLAG_WORDS) === 0;
  }

  protected override interpret(condition?: Value): void {
    this.exit({ kind: "interpret", record: this.record }, condition);
  }

  // ── the code outside ──────────────────────────────────────────────────────────────────────────────────

  /** Puts the ways out of a node around `body`. `dirty` tells the registers that may differ from their home. */
  waysOut(body: Statement[], stubs: readonly Stub[], dirty: (stub: Stub) => number): Statement[] {
    let inner = body;
    const chains = new Map<number, Stub[]>();
    for (const stub of stubs) {
      if (!stub.chained) {
        inner = this.single(inner, stub, dirty(stub));
        continue;
      }
      const chain = chains.get(chainOf(stub.pending));
      if (chain) chain.push(stub);
      else chains.set(chainOf(stub.pending), [stub]);
    }
    for (const chain of chains.values()) inner = this.chain(inner, chain, dirty);
    return inner;
  }

  private chain(body: Statement[], stubs: readonly Stub[], dirty: (stub: Stub) => number): Statement[] {
    let inner = body;
    for (let i = stubs.length - 1; i >= 0; i--) {
      const before = i === 0 ? 0 : dirty(stubs[i - 1]);
      const label = stubs[i].label;
      inner = this.behind(inner, label, () => this.storeRegisters(dirty(stubs[i]) & ~before));
    }
    return this.within(() => this.endOfChain(stubs), inner);
  }

  /** `body`, and behind it what branches to `label` come to. */
  private behind(body: Statement[], label: Label, build: () => void): Statement[] {
    return this.within(build, [{ kind: "block", label, body }]);
  }

  private storeRegisters(dirty: number): void {
    for (const bit of bitsOf(dirty))
      this.store("i64.store", this.cpu, this.get(this.locals.cached[bit]), homeOf(bit));
  }

  private endOfChain(stubs: readonly Stub[]): void {
    const [first] = stubs;
    const exit = this.get(this.locals.exit);
    const completed = this.and(exit, this.i32(COMPLETED_MASK));
    this.store("i32.store", this.cpu, this.sub(this.get(this.locals.left), completed), layout.LEFT);
    this.storePage(first.page);
    this.flagsOfChain(stubs, this.shrU(exit, this.i32(COMPLETED_BITS)));
    const { address } = (first.destination as Extract<Destination, { kind: "interpret" }>).record;
    const head = this.i32(address - first.completed * RECORD_BYTES);
    this.return(this.add(this.shl(completed, this.i32(RECORD_SHIFT)), head));
  }

  /** Makes the words of flags that are pending at some ways out, by the code that `exit` holds. */
  private flagsOfChain(stubs: readonly Stub[], code: Value): void {
    const [{ pending }] = stubs;
    const inWords = stubs.filter((stub) => stub.pending === WORDS).length;
    if (inWords === stubs.length) return;
    this.pending = pending;
    const [dynamic, ...operands] = this.codeAndOperands();
    this.pending = WORDS;
    const makeWords = (): void => {
      this.callVoid(MAKE_WORDS, [this.cpu, pending.source === "dynamic" ? dynamic : code, ...operands]);
    };
    if (inWords === 0) makeWords();
    else this.if(this.ne(code, this.i32(codeOf(WORDS))), makeWords);
  }

  private storePage(page: CodePage): void {
    if (page.distance !== 0) this.store("i64.store", this.cpu, this.addressIn(page), layout.PAGE_RIP);
  }

  /** A way out of its own. */
  private single(body: Statement[], stub: Stub, dirty: number): Statement[] {
    return this.behind(body, stub.label, () => {
      const { destination } = stub;
      this.storeRegisters(dirty);
      const left = this.sub(this.get(this.locals.left), this.i32(stub.completed));
      this.store("i32.store", this.cpu, left, layout.LEFT);
      if (destination.kind === "target")
        this.store("i64.store", this.cpu, this.get(this.locals.target), layout.RIP);
      else this.storePage(stub.page);
      this.storeFlags(stub);
      if (destination.kind === "interpret") this.interpretHere(destination);
      else this.return(this.i32(destination.kind === "target" ? 0 : destination.address));
    });
  }

  /** Flags that are pending go home. Ways that are seldom taken call for it, which is less code. */
  private storeFlags({ pending, always }: Stub): void {
    if (pending === WORDS) return;
    const { values: _, ...beyondNode } = pending;
    this.pending = beyondNode;
    if (!always || pending.source === "dynamic")
      return this.callVoid(MAKE_WORDS, [this.cpu, ...this.codeAndOperands()]);
    this.makeWords();
    this.storeRegisters(FLAG_WORDS);
  }

  /** Has the interpreter execute an instruction. What is stored is not kept beyond the call for the flags. */
  private interpretHere({ record, tail }: Extract<Destination, { kind: "interpret" }>): void {
    const { address, operation } = record;
    if (tail) this.store("i32.store", this.cpu, this.i32(1), layout.REGION_TAIL);
    if (!this.isEntry(address)) return this.return(this.i32(address));
    const left = this.load("i32.load", this.cpu, layout.LEFT);
    if (tail) this.if(this.leS(left, this.i32(0)), () => this.return(this.i32(address)));
    // The record would lead back here: its handler is called instead.
    this.store("i32.store", this.cpu, this.sub(left, this.i32(1)), layout.LEFT);
    this.return(
      this.call(INDIRECT + HANDLER_TYPE, "i32", [this.cpu, this.i32(address), this.i32(operation)]),
    );
  }
}

/** Ways out of a node with the same number share a chain: flags whose code is known, or one form of dynamic ones. */
function chainOf(pending: Pending): number {
  return pending.source === "dynamic" ? 1 + codeOf(pending) : 0;
}
