/**
 * The compiler's side of `InstructionBuilder`: operands are known, registers and flags live in variables, branches
 * within the region go to labels. Everything that is not plain (a miss in the TLB, a fault, a helper, a device) leaves
 * the region before the instruction has changed anything, and the interpreter executes it.
 */
import { GENERAL_REGISTERS } from "../../spec/x86-encoding.js";
import type { Statement, Value } from "../ir/ir.js";
import * as layout from "../x86/layout.js";
import * as rec from "../x86/record.js";
import { OPERATIONS } from "../x86/operands.js";
import { SEMANTICS } from "../x86/semantics/index.js";
import type { DecodedRecord } from "./decoded-record.js";
import type { CodePage } from "./code-source.js";
import { isSwitch } from "./graph.js";
import { leavesDeadFlags, type FlagEntry } from "./flag-entries.js";
import { WORDS, type Pending } from "./flags.js";
import { RegionExits, type Stub } from "./region-exits.js";
import { NotCompiled } from "./region-state.js";
import { FLAG_WORDS, type RegionVariables } from "./registers.js";

export interface Edge {
  readonly to: number;
  readonly changed: number;
  readonly defined: number;
}

/** One node as code, and what the passes need to know of it. */
export interface NodeCode {
  readonly statements: Statement[];
  readonly stubs: Stub[];
  readonly edges: Edge[];
  /** Registers read before they were written. */
  readonly used: number;
}

/** What code must know to go on at an entry of its own region by a computed address. */
export interface Dispatch {
  /** The region's place in the table of handlers, and its mode. */
  readonly slot: number;
  readonly mode: number;
  /** The page that holds all entries. */
  readonly page: CodePage;
  /** Nodes that control may go to. */
  readonly targets: readonly number[];
  /** Emits the transfer to the entry that is the record `record`. */
  go(b: RegionBuilder, record: Value): void;
}

/** How a node's code goes on to others. */
export interface Connections {
  /** Whether the region can be entered at a record. */
  isEntry(record: number): boolean;
  /** Nodes that an instruction may transfer control to; several only of a return. */
  targetsOf(record: DecodedRecord): readonly number[];
  /** Where a node begins. */
  place(node: number): { page: CodePage; offset: number };
  /** In which form a node finds the flags. */
  flagEntry(to: number): FlagEntry;
  /** Tells a node that finds them as its one way leaves them. */
  handFlags(to: number, pending: Pending): void;
  /** Emits the transfer from the current node; the flags and the budget are in their variables. */
  transfer(b: RegionBuilder, to: number): void;
  /** How control goes to an entry that is only known at run time. */
  dispatch: Dispatch | undefined;
}

export class RegionBuilder extends RegionExits {
  private edges: Edge[] = [];

  constructor(
    name: string,
    locals: RegionVariables,
    mode: number,
    private readonly connections: Connections,
  ) {
    super(name, locals, mode);
  }

  protected override isEntry(record: number): boolean {
    return this.connections.isEntry(record);
  }

  // ── nodes ─────────────────────────────────────────────────────────────────────────────────────────────

  /** The code of one node. `end` emits how it goes on behind its last instruction. */
  node(
    page: CodePage,
    records: readonly DecodedRecord[],
    repeats: boolean,
    flags: Pending,
    begin: () => void,
    end: () => void,
  ): NodeCode {
    this.page = page;
    this.repeats = repeats;
    this.pending = flags;
    this.completed = this.changed = this.defined = this.used = 0;
    this.current = [];
    this.stubs = [];
    this.head = records[0].address;
    this.chainChanged = 0;
    this.edges = [];
    const statements = this.within(() => {
      this.record = records[0];
      begin();
      records.forEach((record, i) => {
        this.flagsAreDead = leavesDeadFlags(records, i);
        this.instruction(record);
      });
      end();
    });
    return { statements, stubs: this.stubs, edges: this.edges, used: this.used };
  }

  private instruction(record: DecodedRecord): void {
    this.record = record;
    this.terminated = false;
    this.spilled = 0;
    const operation = OPERATIONS.list[record.operation];
    SEMANTICS[operation.mnemonic](this, operation);
    this.completed++;
    if (this.spilled !== 0) this.reload();
  }

  private reload(): void {
    for (let register = 0; register < GENERAL_REGISTERS; register++) {
      if ((this.spilled >> register) & 1) {
        this.setCached(register, this.load("i64.load", this.cpu, layout.GPR + register * 8));
      }
    }
  }

  /** Throws `NotCompiled` when the interpreter would execute the instruction in every case. */
  attempt(record: DecodedRecord): void {
    const nothing = (): void => undefined;
    const { stubs } = this.node({ distance: 0, ramOffset: 0 }, [record], false, WORDS, nothing, nothing);
    if (stubs.some((stub) => stub.always && stub.destination.kind === "interpret")) {
      throw new NotCompiled("left to the interpreter");
    }
  }

  /** Collects statements outside of nodes. */
  collect(build: () => void): Statement[] {
    return this.within(build);
  }

  /** Continues with another node; leaves for it when its page is not where it was. */
  goTo(to: number): void {
    this.requirePage(to);
    const made = this.handFlags(to);
    this.countCompleted();
    this.edges.push({ to, changed: this.changed, defined: this.defined | made });
    this.connections.transfer(this, to);
    this.terminated = true;
  }

  /** Brings the flags into the form that a node finds them in; flag words that it sets for certain. */
  private handFlags(to: number): number {
    const entry = this.connections.flagEntry(to);
    if (entry === "dynamic") this.makeDynamic();
    else if (entry === "same") {
      const { values, ...beyondNode } = this.pending;
      this.connections.handFlags(to, values ? beyondNode : this.pending);
    } else if (this.pending !== WORDS) {
      this.makeWords();
      return FLAG_WORDS;
    }
    return 0;
  }

  /** Leaves at the head of the node when the budget does not cover `instructions`. */
  requireBudget(instructions: number): void {
    const record = this.record;
    this.exit(
      { kind: "interpret", record, tail: true },
      this.ltS(this.get(this.locals.left), this.i32(instructions)),
    );
  }

  // ── control flow ──────────────────────────────────────────────────────────────────────────────────────

  /** Leaves for a node in another page unless the instruction TLB still has that page where it was. */
  private requirePage(to: number): void {
    const { page, offset } = this.connections.place(to);
    // The region was entered in the first page: that is where it was.
    if (page === this.page || page.distance === 0) return;
    const rip = this.addressIn(page);
    const linear = this.long ? rip : this.linearOf(rip);
    const number = this.wrap(this.shrU(linear, this.i64(layout.PAGE_SHIFT)));
    const slot = this.and(number, this.i32(layout.ITLB_ENTRIES - 1));
    const entry = this.add(this.cpu, this.mul(slot, this.i32(layout.ITLB_ENTRY_SIZE)));
    const tag = this.or(linear, this.load("i64.load32_u", this.cpu, layout.CODE_ACCESS));
    const moved = this.ne(this.load("i32.load", entry, layout.ITLB + 8), this.i32(page.ramOffset));
    const gone = this.or(this.ne(this.load("i64.load", entry, layout.ITLB), tag), moved);
    this.set(this.locals.target, this.add(rip, this.i64(offset)));
    this.exit({ kind: "target" }, gone);
  }

  /** Linear address of an instruction pointer outside 64-bit mode. */
  private linearOf(rip: Value): Value {
    const base = this.load("i64.load", this.cpu, layout.SEGMENT_BASE + layout.CS * 8);
    return this.and(this.add(rip, base), this.state("i64.load", layout.LINEAR_MASK));
  }

  override nextRip(): Value {
    const { offset, length } = this.record;
    return this.addressIn(this.page, offset + length);
  }

  override jump(target: Value, size: number): void {
    const full = this.extendU(this.truncate(target, Math.min(size, 8)));
    this.set(this.locals.target, full);
    for (const node of this.connections.targetsOf(this.record)) {
      const { page, offset } = this.connections.place(node);
      const back = this.eq(this.get(this.locals.target), this.addressIn(page, offset));
      this.if(back, () => this.afterThis(() => this.saving(() => this.goTo(node))));
    }
    const { dispatch } = this.connections;
    if (dispatch && dispatch.targets.length > 1 && isSwitch(this.record)) this.dispatch(dispatch);
    this.afterThis(() => this.exit({ kind: "target" }));
  }

  /** Goes on in the region if the target is an entry of it. The lookup is that of the interpreter's resolver. */
  private dispatch({ slot, mode, page, targets, go }: Dispatch): void {
    const offset = this.sub(this.get(this.locals.target), this.addressIn(page));
    this.if(this.ltU(offset, this.i64(layout.PAGE_SIZE)), () => {
      const place = this.add(this.wrap(offset), this.i32(page.ramOffset));
      const mixed = this.xor(this.xor(place, this.shrU(place, this.i32(16))), this.i32(mode << 5));
      const index = this.and(mixed, this.i32(layout.LOOKUP_ENTRIES - 1));
      const found = this.mul(index, this.i32(layout.LOOKUP_ENTRY_SIZE));
      const samePlace = this.eq(this.load("i32.load", found, layout.LOOKUP), place);
      const sameMode = this.eq(this.load("i32.load", found, layout.LOOKUP + 4), this.i32(mode));
      this.if(this.and(samePlace, sameMode), () => {
        const record = this.load("i32.load", found, layout.LOOKUP + 8);
        const handler = this.load("i32.load16_u", record, rec.REC_OP);
        this.if(this.eq(handler, this.i32(slot)), () =>
          this.afterThis(() => this.saving(() => this.goToEntry(targets, () => go(this, record)))),
        );
      });
    });
  }

  /** Goes to one of several nodes: the flags are both in their words and as a code says. */
  private goToEntry(targets: readonly number[], go: () => void): void {
    this.makeWords();
    this.makeDynamic();
    this.countCompleted();
    for (const to of targets) this.edges.push({ to, changed: this.changed, defined: this.defined });
    go();
    this.terminated = true;
  }

  private countCompleted(): void {
    if (this.completed === 0) return;
    const { left } = this.locals;
    this.set(left, this.sub(this.get(left), this.i32(this.completed)));
  }

  /** Emits what comes after the current instruction as completed. */
  private afterThis(emit: () => void): void {
    this.completed++;
    emit();
    this.completed--;
  }

  override requireRelativeTarget(): void {
    if (this.record.link === 0) this.requireFlatCode();
  }

  /** Unless no branch can violate CS, targets that were not checked when they were linked are the interpreter's. */
  private requireFlatCode(): void {
    if (!this.flatCode || this.record.narrowBranch) throw new NotCompiled("checked branch");
  }

  override jumpRelative(): void {
    const [node] = this.connections.targetsOf(this.record) as readonly (number | undefined)[];
    const { link, immediate } = this.record;
    if (node !== undefined) return this.afterThis(() => this.saving(() => this.goTo(node)));
    if (link !== 0) return this.afterThis(() => this.exit({ kind: "record", address: link }));
    this.requireFlatCode();
    this.set(this.locals.target, this.addressIn(this.page, Number(immediate)));
    this.afterThis(() => this.exit({ kind: "target" }));
  }

  /** Emits a transfer, with the flags as they were for the code that follows. */
  private saving(transfer: () => void): void {
    const { changed, defined, pending } = this;
    transfer();
    Object.assign(this, { changed, defined, pending });
  }

  override raise(): void {
    this.interpret();
  }

  override helper(): void {
    this.interpret();
  }

  override again(): void {
    throw new NotCompiled("repeated string instruction");
  }

  override interruptWindow(): void {
    this.interpret(this.state("i32.load", layout.INTERRUPT_PENDING));
  }

  /** As the run loop counts: without this instruction. */
  override remaining(): Value {
    return this.sub(this.get(this.locals.left), this.i32(this.completed + 1));
  }

  override consume(): void {
    throw new NotCompiled("the budget");
  }
}
