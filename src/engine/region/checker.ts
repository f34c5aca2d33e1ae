/**
 * Check mode: what a compiled region did is done again by the interpreter from the same state, and everything that
 * either has changed is compared. Records that enter regions come here first; some entries, the same ones in every
 * run, are checked:
 *
 * 1. the region runs, with a journal of its stores to guest memory, until it leaves;
 * 2. what it changed is kept and taken back: memory by the journal, the CPU area from a copy;
 * 3. the interpreter executes as many instructions as the region did, and its result stands.
 *
 * A region touches no device, so nothing outside sees that it ran. Knows no instruction.
 */
import { FunctionBuilder } from "../ir/function-builder.js";
import type { IrFunction } from "../ir/ir.js";
import { HANDLER_SIGNATURE } from "../wasm/handler-builder.js";
import { ModuleBuilder } from "../wasm/module-builder.js";
import { slowTranslate } from "../x86/system/calls.js";
import type { CpuContext } from "../x86/cpu-context.js";
import { readFlags } from "../x86/flags.js";
import * as layout from "../x86/layout.js";
import { areaDifferences, equalBytes, type Difference } from "./area-difference.js";
import { FirstWrites, type PageCopy } from "./first-writes.js";
import type { Listing } from "./listing.js";
import { addJournal, Journal, JOURNAL_IMPORTS } from "./journal.js";

/** A handler as generated code exports it. */
export type Handler = (cpu: number, record: number) => number;
type TableHandler = (cpu: number, record: number, operation: number) => number;

/** A region as the checker knows it. */
export interface CheckedRegion {
  readonly run: Handler;
  /** Operations of the records that enter it. */
  readonly entries: ReadonlyMap<number, number>;
  readonly listing: Listing;
}

/** What the checker needs of the engine. */
export interface CheckerParts {
  readonly memory: WebAssembly.Memory;
  readonly ramBase: number;
  /** Handlers by number. */
  readonly table: WebAssembly.Table;
  context(cpu: number): CpuContext;
  /** The interpreter's run loop. */
  interpret(cpu: number): void;
  /** Whether a record is that of the instruction at RIP; true where nobody knows. */
  standsAtRip(cpu: CpuContext, record: number): boolean;
  /** Checks more often. */
  readonly eager: boolean;
}

/** A region and the interpreter disagree. The engine cannot go on. */
export class RegionDiffers extends Error {
  override readonly name = "RegionDiffers";
}

/** The first entries of a region that are checked, and every how many-th after that. */
const FIRST_CHECKED = 6;
const CHECKED_EVERY = 251;
/** The same where everything is compiled at once. */
const EAGERLY_CHECKED_EVERY = 5;
/** Bytes of a CPU area in front of its TLBs. */
const AREA = layout.TLB;
const MOST_DIFFERENCES = 16;

interface Known {
  readonly region: CheckedRegion;
  executions: number;
}

/** What a region did on the way that is checked. */
interface Outcome {
  readonly rip: bigint;
  readonly instructions: number;
  readonly area: Uint8Array;
  readonly flags: number;
  readonly stores: Uint8Array[];
}

export class RegionChecker {
  readonly imports = JOURNAL_IMPORTS;
  readonly counters = { regionsChecked: 0, regionChecks: 0, instructionsChecked: 0 };
  private readonly byEntry = new Map<number, Known>();
  private readonly u8: Uint8Array;
  private readonly journal: Journal;
  private readonly firstWrites = new FirstWrites();
  private readonly before = new Uint8Array(AREA);
  private readonly every: number;
  /** Position in the table of handlers of the function that every entry calls. */
  private readonly slot: number;
  private running = false;
  private interpreting = false;
  private handedOver: { record: number; operation: number } | undefined;

  constructor(private readonly parts: CheckerParts) {
    const { memory, table } = parts;
    this.every = parts.eager ? EAGERLY_CHECKED_EVERY : CHECKED_EVERY;
    this.u8 = new Uint8Array(memory.buffer);
    this.journal = new Journal(this.u8);
    this.slot = table.grow(1);
    table.set(
      this.slot,
      asHandler(memory, (cpu, record) => this.enter(cpu, record)),
    );
  }

  /** Changes a region's code so that it can be checked. */
  instrument(code: IrFunction): void {
    addJournal(code);
  }

  /** What instrumented code imports. */
  functions(): Record<string, (...args: number[]) => number | void> {
    return {
      journal: (host, bytes) => this.journal.note(host >>> 0, bytes),
      handOver: (cpu, record, operation) => this.handOver(cpu, record, operation),
    };
  }

  /** Makes a region known; returns the handler that its entries get instead of its own. */
  installed(region: CheckedRegion): number {
    const known = { region, executions: 0 };
    for (const entry of region.entries.keys()) this.byEntry.set(entry, known);
    return this.slot;
  }

  dropped(entries: Iterable<number>): void {
    for (const entry of entries) this.byEntry.delete(entry);
  }

  /** Slow translation for the interpreter: it may miss only because a check watches for writes. */
  slowTranslate(cpu: CpuContext, record: number, info: number): number {
    const host = this.interpreting ? this.firstWrites.answer(info) : 0;
    return host === 0 ? slowTranslate(cpu, record, info) : host;
  }

  // ── entering ──────────────────────────────────────────────────────────────────────────────────────────

  private enter(cpu: number, record: number): number {
    const known = this.byEntry.get(record);
    if (!known) throw new Error(`no region is entered at record 0x${record.toString(16)}`);
    if (this.interpreting) return this.handler(known.region.entries.get(record)!, cpu, record);
    if (this.running) return this.comeBack(cpu, record);
    const nth = known.executions++;
    this.running = true;
    try {
      if (nth < FIRST_CHECKED || nth % this.every === 0) return this.check(known, cpu, record);
      return known.region.run(cpu, record);
    } finally {
      this.running = false;
    }
  }

  /** A region went on to another by itself: it leaves to the run loop instead, which counts the entry again. */
  private comeBack(cpu: number, record: number): number {
    const context = this.parts.context(cpu);
    context.set32(layout.LEFT, context.get32(layout.LEFT) + 1);
    return record;
  }

  private handler(operation: number, cpu: number, record: number): number {
    return (this.parts.table.get(operation) as TableHandler)(cpu, record, operation);
  }

  /** The region leaves an instruction to the interpreter whose record would lead back to a region. */
  private handOver(cpu: number, record: number, operation: number): number {
    if (this.parts.context(cpu).get32(layout.REGION_JOURNAL) === 0)
      return this.handler(operation, cpu, record);
    this.handedOver = { record, operation };
    return this.comeBack(cpu, record);
  }

  // ── checking ──────────────────────────────────────────────────────────────────────────────────────────

  private check(known: Known, cpu: number, record: number): number {
    const context = this.parts.context(cpu);
    if (known.executions === 1) this.counters.regionsChecked++;
    this.counters.regionChecks++;
    const rip = context.getBig(layout.PAGE_RIP) + BigInt(context.u16[(record + 4) >>> 1]);
    const mask = context.getBig(layout.LINEAR_MASK);
    const left = context.get32(layout.LEFT);
    this.before.set(this.area(cpu));
    this.journal.clear();
    this.handedOver = undefined;
    context.set32(layout.REGION_JOURNAL, 1);
    const next = known.region.run(cpu, record);
    context.set32(layout.REGION_JOURNAL, 0);
    const outcome = this.outcome(context, next, left);
    this.journal.undo();
    this.area(cpu).set(this.before);
    context.setBig(layout.RIP, rip & mask);
    const epoch = context.get32(layout.DECODE_EPOCH);
    const pages = this.interpretAgain(context, outcome.instructions, left);
    const found = this.differences(context, outcome, pages);
    const same = epoch === context.get32(layout.DECODE_EPOCH);
    if (same && next !== 0 && found.length === 0) this.checkNext(context, next, found);
    if (found.length > 0) throw new RegionDiffers(this.report(known.region, rip & mask, outcome, found));
    return this.goOn(context, outcome, same ? next : 0);
  }

  /** The record that a region leaves for must be that of the instruction which comes next. */
  private checkNext(context: CpuContext, next: number, found: Difference[]): void {
    if (this.parts.standsAtRip(context, next)) return;
    const compiled = `the record at ${hex(next)}`;
    found.push({ what: "next instruction", interpreted: "another at that address", compiled });
  }

  private area(cpu: number): Uint8Array {
    return this.u8.subarray(cpu, cpu + AREA);
  }

  private outcome(context: CpuContext, next: number, left: number): Outcome {
    const rip =
      next === 0 ? context.getBig(layout.RIP) : BigInt.asUintN(64, BigInt(context.instructionRip(next)));
    // The run loop had counted the entry.
    const instructions = left + 1 - context.get32(layout.LEFT);
    const area = this.area(context.base).slice();
    return { rip, instructions, area, flags: readFlags(context), stores: this.journal.contents() };
  }

  /** `left` is what the run loop had left when it entered the region, whose entry it had counted. */
  private interpretAgain(context: CpuContext, instructions: number, left: number): readonly PageCopy[] {
    if (instructions === 0) return [];
    this.counters.instructionsChecked += instructions;
    context.set32(layout.LEFT, instructions);
    // The time stamp counts on from the same instruction.
    const origin = context.get32(layout.TSC_ORIGIN);
    context.set32(layout.TSC_ORIGIN, origin - (left + 1 - instructions));
    this.firstWrites.begin(context);
    this.interpreting = true;
    try {
      this.parts.interpret(context.base);
    } finally {
      this.interpreting = false;
      context.set32(layout.TSC_ORIGIN, origin);
    }
    return this.firstWrites.end();
  }

  /** Leaves as the region did: the count that was left, the page that it was in, the handler that it called. */
  private goOn(context: CpuContext, { area }: Outcome, next: number): number {
    const view = new DataView(area.buffer);
    const left = view.getInt32(layout.LEFT, true);
    context.set32(layout.LEFT, left);
    context.set32(layout.REGION_TAIL, view.getUint32(layout.REGION_TAIL, true));
    if (next === 0) return 0;
    context.setBig(layout.PAGE_RIP, view.getBigUint64(layout.PAGE_RIP, true));
    const { handedOver } = this;
    if (!handedOver || handedOver.record !== next) return next;
    context.set32(layout.LEFT, left - 1);
    return this.handler(handedOver.operation, context.base, next);
  }

  // ── comparing ─────────────────────────────────────────────────────────────────────────────────────────

  private differences(context: CpuContext, outcome: Outcome, pages: readonly PageCopy[]): Difference[] {
    const found = areaDifferences(this.area(context.base), outcome.area);
    const word = (what: string, interpreted: number | bigint, compiled: number | bigint): void => {
      if (interpreted !== compiled)
        found.push({ what, interpreted: hex(interpreted), compiled: hex(compiled) });
    };
    word("rip", context.getBig(layout.RIP), outcome.rip);
    word("rflags", readFlags(context) >>> 0, outcome.flags >>> 0);
    this.journal.entries.forEach(({ host, bytes }, i) => {
      this.compare(context, this.u8.subarray(host, host + bytes), outcome.stores[i], host, found);
    });
    for (const page of pages) {
      const expected = this.withStores(page, outcome.stores);
      this.compare(
        context,
        this.u8.subarray(page.host, page.host + layout.PAGE_SIZE),
        expected,
        page.host,
        found,
      );
    }
    return found;
  }

  /** A page as the region left it. */
  private withStores(page: PageCopy, stores: readonly Uint8Array[]): Uint8Array {
    const { bytes } = page;
    this.journal.entries.forEach(({ host }, i) => {
      const at = host - page.host;
      const from = Math.max(0, -at);
      const room = layout.PAGE_SIZE - at;
      if (at < layout.PAGE_SIZE && at + stores[i].length > 0)
        bytes.set(stores[i].subarray(from, Math.max(from, room)), Math.max(0, at));
    });
    return bytes;
  }

  private compare(
    context: CpuContext,
    interpreted: Uint8Array,
    compiled: Uint8Array,
    host: number,
    found: Difference[],
  ): void {
    if (equalBytes(interpreted, compiled)) return;
    for (let i = 0; i < compiled.length && found.length < MOST_DIFFERENCES; i++) {
      if (interpreted[i] === compiled[i]) continue;
      const what = `byte at RAM offset ${hex(host + i - context.services.ramBase)}`;
      found.push({ what, interpreted: hex(interpreted[i]), compiled: hex(compiled[i]) });
    }
  }

  private report(
    { listing }: CheckedRegion,
    entry: bigint,
    { instructions }: Outcome,
    found: readonly Difference[],
  ): string {
    const values = ({ what, interpreted, compiled }: Difference): string =>
      `  ${what}: interpreted ${interpreted}, compiled ${compiled}`;
    const ram = this.u8.subarray(this.parts.ramBase);
    return [
      `a compiled region differs from the interpreter: entered at ${hex(entry)}, ${instructions} instructions`,
      ...found.map(values),
      "its instructions:",
      ...listing.lines(ram).map((line) => `  ${line}`),
      "LOCORE_JIT_DUMP=DIR writes every region's code, after each pass, to DIR",
    ].join("\n");
  }
}

/** A function that a table of handlers can hold: the table takes no functions of TypeScript's. */
function asHandler(memory: WebAssembly.Memory, enter: Handler): unknown {
  const module = new ModuleBuilder();
  module.import("enter", HANDLER_SIGNATURE);
  const b = new FunctionBuilder("handler", HANDLER_SIGNATURE);
  b.return(b.call("enter", "i32", [b.parameter(0), b.parameter(1)]));
  module.add(b.finish());
  module.export("handler");
  const compiled = new WebAssembly.Module(module.build() as BufferSource);
  return new WebAssembly.Instance(compiled, { env: { memory, enter } }).exports["handler"];
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
