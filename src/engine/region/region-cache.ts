/**
 * Compiled regions: chosen where execution is found again and again, entered by records whose handler is the region,
 * dropped with any of the decoded instructions that they were made of. A region never runs while its code changes:
 * it does not write code, and everything that might leaves it first. Knows no instruction.
 */
import { ModuleBuilder } from "../wasm/module-builder.js";
import type { Block } from "../wasm/blocks.js";
import type { DecodeCache } from "../wasm/decode-cache.js";
import { HANDLER_SIGNATURE, HANDLER_TYPE } from "../wasm/handler-builder.js";
import { IMPORTS } from "../wasm/interpreter.js";
import { makeWordsModule } from "../wasm/interpreter-module.js";
import { NEVER_CONTINUES } from "../x86/control-flow.js";
import type { CpuContext } from "../x86/cpu-context.js";
import * as layout from "../x86/layout.js";
import { MODE_CODE16, MODE_CODE_SIZE } from "../x86/mode.js";
import { OPERATIONS } from "../x86/operands.js";
import { RECORD_BYTES, REC_OP } from "../x86/record.js";
import { CompilableCode } from "./compilable-code.js";
import { compileRegion, FIRST_ENTRY, shapeRegion, type RegionShape } from "./compile.js";
import { MAKE_WORDS, MAKE_WORDS_SIGNATURE } from "./flag-code.js";
import { formGraph } from "./graph.js";
import type { CheckedRegion, Handler, RegionChecker } from "./checker.js";
import type { IrFunction } from "../ir/ir.js";
import { addCounts } from "./exit-counts.js";
import { Listing } from "./listing.js";
import type { PassObserver, PassText, RegionDump } from "./pass-text.js";

/**
 * Times that execution must be found in a block before it is compiled: about as long as compiling takes, V8's part of it
 * included, at the interpreter's speed.
 */
const HOT = 128;
/** The same where regions are checked: the more the better. */
const HOT_IF_CHECKED = 3;
/** Regions of one module: each module costs time and memory of its own. */
const BATCH = 8;
/** Looks at execution until an incomplete batch is compiled. */
const PATIENCE = 64;
/** Bytes of code that are kept; above that everything is dropped. */
const MOST_BYTES = 48 * 0x100000;
/** Finds that a block which cannot be compiled is left alone for. */
const HOPELESS = 64;
/** Times that the regions of a block are formed anew because the interpreter runs what they contain. */
const MOST_RENEWALS = 4;
/** In the entry table, which is zeros at first: belongs to no region. Behind it come the entries of one, from `FIRST_ENTRY` on. */
const ENTRY_NONE = 0;
/** In the entry table: part of a region, but not where it begins. */
const ENTRY_INSIDE = 0xfffe;
/** Part of a region that is being compiled. */
const ENTRY_CLAIMED = 0xfffd;

/** What regions import: a subset of what the interpreter does, and its handlers. */
const { sseFloat, vectorOperation } = IMPORTS;
const REGION_IMPORTS = { sseFloat, vectorOperation };

/** What stands between compiling regions and running them. */
export interface RegionOptions {
  /** Compiles where execution is found once. */
  eager?: boolean;
  /** Runs entries in place of the regions themselves. */
  checker?: RegionChecker;
  /** Regions count their ways out, see exit-counts.ts. */
  counting?: boolean;
  /** Is told of every region that is compiled. */
  dump?: (region: RegionDump) => void;
  /** Changes the code of every region: tests plant faults with it. */
  rewrite?: (code: IrFunction) => void;
}

interface Region {
  slot: number;
  /** Handler of the records that enter it: the region, or the checker. */
  handler: number;
  entries: ReadonlyMap<number, number>;
  blocks: ReadonlySet<Block>;
  bytes: number;
}

/** A region that waits for being compiled. */
interface Candidate {
  shape: RegionShape;
  mode: number;
  /** Its place in the table of handlers. */
  slot: number;
  blocks: ReadonlySet<Block>;
}

export class RegionCache {
  private readonly entries: Uint16Array;
  private readonly first = layout.REGION_ENTRIES / layout.REGION_ENTRY_BYTES;
  private readonly code: CompilableCode;
  private readonly regionsOf = new Map<Block, Set<Region>>();
  private readonly free: number[] = [];
  private waiting: Candidate[] = [];
  private patience = PATIENCE;
  readonly counters = {
    regions: 0,
    regionInstructions: 0,
    regionModules: 0,
    regionBytes: 0,
    regionsDropped: 0,
  };
  private kept = 0;

  /** What all regions call; made with the first one, as a start need not wait for it. */
  private words: Record<string, unknown> | undefined;
  private readonly hot: number;

  constructor(
    private readonly cache: DecodeCache,
    private readonly memory: WebAssembly.Memory,
    private readonly table: WebAssembly.Table,
    private readonly imports: Record<string, (...args: number[]) => number | void>,
    private readonly options: RegionOptions = {},
  ) {
    this.code = new CompilableCode(cache, memory);
    this.entries = new Uint16Array(memory.buffer);
    this.hot = options.eager ? 1 : options.checker ? HOT_IF_CHECKED : HOT;
  }

  private clearEntries(): void {
    this.entries.fill(ENTRY_NONE, this.first, this.first + layout.ARENA_RECORDS);
  }

  private entryIndex(record: number): number {
    return this.first + (record - layout.ARENA) / RECORD_BYTES;
  }

  // ── choosing ──────────────────────────────────────────────────────────────────────────────────────────

  /** Execution has come to the instruction at RIP, which is at `ramOffset`, in the CPU's mode. */
  noteExecution(cpu: CpuContext, ramOffset: number, tail: boolean): void {
    if (this.waiting.length > 0 && --this.patience <= 0) this.compileWaiting();
    const mode = cpu.get32(layout.MODE_KEY);
    if ((mode & MODE_CODE_SIZE) === MODE_CODE16) return;
    const record = this.cache.recordAtOffset(ramOffset, mode);
    if (record === 0 || this.code.isEntry(record)) return;
    // The interpreter runs the rest of a slice through regions as well.
    if (tail && this.entries[this.entryIndex(record)] !== ENTRY_NONE) return;
    const block = this.cache.blockOf(record);
    if (!block || block.rest !== undefined || ++block.heat < this.hot) return;
    block.heat = 0;
    this.choose(cpu, record, block);
    if (this.waiting.length >= BATCH || this.options.eager) this.compileWaiting();
  }

  /** Compiles from the record at RIP on, however rarely it is executed. */
  compileNow(cpu: CpuContext, record: number): void {
    const block = this.cache.blockOf(record);
    const mode = block?.mode ?? MODE_CODE16;
    const known = this.entries[this.entryIndex(record)] !== ENTRY_NONE;
    if (!block || (mode & MODE_CODE_SIZE) === MODE_CODE16 || known) return;
    this.choose(cpu, record, block);
    this.compileWaiting();
  }

  /** Forms a region while the CPU is there, so that the instruction TLB tells where calls lead to. */
  private choose(cpu: CpuContext, seed: number, block: Block): void {
    const state = this.entries[this.entryIndex(seed)];
    if (state === ENTRY_CLAIMED) return;
    this.code.lookFrom(cpu, cpu.getAddress(layout.RIP));
    if (!this.code.compiles(this.code.read(seed))) {
      block.heat = -HOPELESS;
      return;
    }
    // Control comes into the middle by a way that regions do not see, an indirect jump perhaps: it is an entry now.
    const inside = state === ENTRY_INSIDE;
    if (inside && ++block.renewals > MOST_RENEWALS) return;
    if (inside) this.blocksDropped([block]);
    const shape = shapeRegion(formGraph(inside ? seed : this.leaderBefore(seed, block), this.code));
    if (shape.graph.nodes.length === 0) return;
    const blocks = new Set<Block>();
    for (const { records, open } of shape.graph.nodes) {
      for (const { address } of records) {
        const holder = this.cache.blockOf(address);
        if (holder) blocks.add(holder);
        if (open) this.claim(address);
      }
    }
    for (const record of shape.entries.keys()) {
      this.code.operations.set(record, this.code.operationOf(record));
    }
    const slot = this.free.pop() ?? this.table.grow(1);
    this.waiting.push({ shape, mode: block.mode, slot, blocks });
  }

  private claim(record: number): void {
    const index = this.entryIndex(record);
    if (this.entries[index] === ENTRY_NONE) this.entries[index] = ENTRY_CLAIMED;
  }

  private compileWaiting(): void {
    const candidates = this.waiting;
    this.waiting = [];
    this.patience = PATIENCE;
    if (candidates.length === 0) return;
    const module = this.emptyModule();
    candidates.forEach((candidate, i) => {
      const code = this.compile(nameOf(i), candidate);
      module.addLowered(code);
      module.export(nameOf(i));
    });
    this.instantiate(module.build(), candidates);
  }

  private emptyModule(): ModuleBuilder {
    const module = new ModuleBuilder();
    module.importTable("handlers");
    const imports = { ...REGION_IMPORTS, ...this.options.checker?.imports };
    for (const [name, { parameters, result }] of Object.entries(imports)) {
      module.import(name, {
        parameters: Array(parameters).fill("i32") as "i32"[],
        results: result ? ["i32"] : [],
      });
    }
    module.import(MAKE_WORDS, MAKE_WORDS_SIGNATURE);
    module.defineType(HANDLER_TYPE, HANDLER_SIGNATURE);
    return module;
  }

  private compile(name: string, { shape, mode, slot }: Candidate): IrFunction {
    const { dump, rewrite, counting, checker } = this.options;
    const passes: PassText[] = [];
    const observe: PassObserver = (pass, text) => void passes.push({ pass, text: text() });
    const code = compileRegion(name, shape, mode, slot, dump && observe);
    rewrite?.(code);
    if (counting) addCounts(code, shape.graph);
    checker?.instrument(code);
    if (dump) {
      const module = this.emptyModule();
      module.addLowered(code);
      module.export(name);
      dump({ passes, listing: new Listing(shape.graph), wasm: module.build() });
    }
    return code;
  }

  /** Where the straight line that `record` stands in begins, calls included: behind a jump, or another region. */
  private leaderBefore(record: number, block: Block): number {
    for (let at = record; at > block.record; at -= RECORD_BYTES) {
      const before = this.code.read(at - RECORD_BYTES);
      const ends = NEVER_CONTINUES.has(OPERATIONS.list[before.operation].mnemonic);
      if (ends || this.code.isEntry(before.address) || !this.code.compiles(before)) return at;
    }
    return block.record;
  }

  // ── installing and dropping ───────────────────────────────────────────────────────────────────────────

  private instantiate(bytes: Uint8Array, candidates: readonly Candidate[]): void {
    const checking = this.options.checker?.functions();
    this.words ??= new WebAssembly.Instance(makeWordsModule(), { env: { memory: this.memory } }).exports;
    const env = { memory: this.memory, handlers: this.table, ...this.words, ...this.imports, ...checking };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource), { env });
    this.counters.regionModules++;
    this.counters.regionBytes += bytes.length;
    this.kept += bytes.length;
    candidates.forEach((candidate, i) => {
      this.install(instance.exports[nameOf(i)], candidate, bytes.length / candidates.length);
    });
    if (this.kept > MOST_BYTES) this.dropAll();
  }

  private install(run: WebAssembly.ExportValue, candidate: Candidate, bytes: number): void {
    const { shape, blocks, slot } = candidate;
    this.table.set(slot, run);
    const handler = this.options.checker?.installed(this.checked(run as Handler, candidate)) ?? slot;
    const { graph, entries } = shape;
    for (const { records, open } of graph.nodes) {
      if (!open) continue;
      for (const { address } of records) {
        const index = this.entryIndex(address);
        const state = this.entries[index];
        if (state === ENTRY_NONE || state >= ENTRY_CLAIMED) this.entries[index] = ENTRY_INSIDE;
      }
    }
    for (const [record, index] of entries) {
      this.entries[this.entryIndex(record)] = FIRST_ENTRY + index;
      this.code.view.setUint16(record + REC_OP, handler, true);
    }
    const installed: Region = { slot, handler, entries, blocks, bytes };
    for (const block of blocks) {
      const known = this.regionsOf.get(block);
      if (known) known.add(installed);
      else this.regionsOf.set(block, new Set([installed]));
    }
    this.counters.regions++;
    this.counters.regionInstructions += graph.instructions;
  }

  private checked(run: Handler, { shape }: Candidate): CheckedRegion {
    const entries = new Map(
      [...shape.entries.keys()].map((record) => [record, this.code.operationOf(record)]),
    );
    return { run, entries, listing: new Listing(shape.graph) };
  }

  /** Blocks are about to be dropped, or looked at anew: so are the regions made of them. */
  blocksDropped(blocks: readonly Block[]): void {
    for (const block of blocks) {
      for (const region of this.regionsOf.get(block) ?? []) this.drop(region);
    }
    const gone = this.waiting.filter((candidate) => blocks.some((block) => candidate.blocks.has(block)));
    if (gone.length === 0) return;
    this.waiting = this.waiting.filter((candidate) => !gone.includes(candidate));
    for (const candidate of gone) this.abandon(candidate);
  }

  /** Takes back what `choose` claimed. */
  private abandon({ shape, slot }: Candidate): void {
    this.free.push(slot);
    for (const record of shape.entries.keys()) this.code.operations.delete(record);
    for (const { records, open } of shape.graph.nodes) {
      if (!open) continue;
      for (const { address } of records) {
        const index = this.entryIndex(address);
        if (this.entries[index] === ENTRY_CLAIMED) this.entries[index] = ENTRY_NONE;
      }
    }
  }

  private drop(region: Region): void {
    this.counters.regionsDropped++;
    this.kept -= region.bytes;
    this.options.checker?.dropped(region.entries.keys());
    for (const record of region.entries.keys()) this.restore(record, region.handler);
    for (const block of region.blocks) {
      const regions = this.regionsOf.get(block);
      regions?.delete(region);
      if (regions?.size === 0) this.regionsOf.delete(block);
      // What is still executed may become hot again.
      block.heat = 0;
      const from = this.entryIndex(block.record);
      for (let i = from; i < from + block.count; i++) {
        if (this.entries[i] === ENTRY_INSIDE) this.entries[i] = ENTRY_NONE;
      }
    }
    this.table.set(region.slot, null);
    this.free.push(region.slot);
  }

  private restore(record: number, handler: number): void {
    const operation = this.code.operations.get(record);
    if (operation === undefined || this.code.view.getUint16(record + REC_OP, true) !== handler) return;
    this.code.view.setUint16(record + REC_OP, operation, true);
    this.code.operations.delete(record);
    this.entries[this.entryIndex(record)] = ENTRY_NONE;
  }

  private dropAll(): void {
    this.blocksDropped([...this.regionsOf.keys()]);
  }

  /** Every decoded instruction was dropped. */
  flushed(): void {
    this.dropAll();
    for (const { slot } of this.waiting) this.free.push(slot);
    this.waiting = [];
    this.code.operations.clear();
    this.clearEntries();
  }
}

/** Name that a module exports its region of this number by. */
function nameOf(index: number): string {
  return `r${index}`;
}
