/**
 * Compiled regions: chosen where execution is found again and again, entered by records whose handler is the region,
 * dropped with any of the decoded instructions that they were made of. A region never runs while its code changes:
 * it does not write code, and everything that might leaves it first. Knows no instruction.
 */
import { ModuleBuilder } from "../wasm/module-builder.js";
import type { Block } from "../wasm/blocks.js";
import type { DecodeCache } from "../wasm/decode-cache.js";
import { HANDLER_SIGNATURE, HANDLER_TYPE } from "../wasm/handler-builder.js";
import { IMPORTS, isImplemented } from "../wasm/interpreter.js";
import type { CpuContext } from "../x86/cpu-context.js";
import * as layout from "../x86/layout.js";
import { MODE_CODE16, MODE_CODE_SIZE } from "../x86/mode.js";
import { OPERATIONS } from "../x86/operands.js";
import { RECORD_BYTES, REC_OP } from "../x86/record.js";
import { compileRegion, type CompiledRegion } from "./compile.js";
import { readRecord, type DecodedRecord } from "./decoded-record.js";
import { endsNode, formGraph, type CodeSource, type RegionGraph } from "./graph.js";
import { RegionBuilder } from "./region-builder.js";
import { NotCompiled } from "./region-state.js";
import type { CheckedRegion, Handler, RegionChecker } from "./checker.js";
import type { IrFunction } from "../ir/ir.js";
import { Listing } from "./listing.js";
import { RegionVariables } from "./registers.js";

/** Times that execution must be found in a block before it is compiled. */
const HOT = 3;
/** Regions of one module: each module costs time and memory of its own. */
const BATCH = 8;
/** Looks at execution until an incomplete batch is compiled. */
const PATIENCE = 64;
/** Bytes of code that are kept; above that everything is dropped. */
const MOST_BYTES = 48 * 0x100000;
/** Finds that a block which cannot be compiled is left alone for. */
const HOPELESS = 10_000;
/** Times that the regions of a block are formed anew because the interpreter runs what they contain. */
const MOST_RENEWALS = 4;
/** Kinds of one operation that are told apart: address kind, repeat prefix, link. */
const KINDS = 16;
const ENTRY_NONE = 0xffff;
/** In the entry table: part of a region, but not where it begins. */
const ENTRY_INSIDE = 0xfffe;
/** Part of a region that is being compiled. */
const ENTRY_CLAIMED = 0xfffd;

/** What regions import: a subset of what the interpreter does, and its handlers. */
const REGION_IMPORTS = ["sseFloat", "vectorOperation"] as const;

/** What stands between compiling regions and running them. */
export interface RegionOptions {
  /** Compiles where execution is found once. */
  eager?: boolean;
  /** Runs entries in place of the regions themselves. */
  checker?: RegionChecker;
  /** Changes the code of every region: tests plant faults with it. */
  rewrite?: (code: IrFunction) => void;
}

interface Region {
  slot: number;
  /** Handler of the records that enter it: the region, or the checker. */
  handler: number;
  entries: readonly number[];
  blocks: ReadonlySet<Block>;
  bytes: number;
}

interface Candidate {
  graph: RegionGraph;
  region: CompiledRegion;
}

export class RegionCache implements CodeSource {
  readonly view: DataView;
  private readonly entries: Uint16Array;
  private readonly first = layout.REGION_ENTRIES / layout.REGION_ENTRY_BYTES;
  /** Operations of records that are entries now. */
  private readonly operations = new Map<number, number>();
  private readonly regionsOf = new Map<Block, Set<Region>>();
  private readonly free: number[] = [];
  /** By mode, then by operation and kind of operands: whether it compiles. */
  private readonly verdicts = new Map<number, Map<number, boolean>>();
  /** Mode of the code that is looked at. */
  private mode = 0;
  private waiting: number[] = [];
  private patience = PATIENCE;
  readonly counters = {
    regions: 0,
    regionInstructions: 0,
    regionModules: 0,
    regionBytes: 0,
    regionsDropped: 0,
  };
  private kept = 0;

  constructor(
    private readonly cache: DecodeCache,
    private readonly memory: WebAssembly.Memory,
    private readonly table: WebAssembly.Table,
    private readonly imports: Record<string, (...args: number[]) => number | void>,
    private readonly options: RegionOptions = {},
  ) {
    this.view = new DataView(memory.buffer);
    this.entries = new Uint16Array(memory.buffer);
    this.clearEntries();
  }

  private clearEntries(): void {
    this.entries.fill(ENTRY_NONE, this.first, this.first + layout.ARENA_RECORDS);
  }

  private entryIndex(record: number): number {
    return this.first + (record - layout.ARENA) / RECORD_BYTES;
  }

  // ── what the graph asks ───────────────────────────────────────────────────────────────────────────────

  operationOf(record: number): number {
    return this.operations.get(record) ?? this.view.getUint16(record + REC_OP, true);
  }

  isEntry(record: number): boolean {
    return this.operations.has(record);
  }

  blockEnd(record: number): number {
    const block = this.cache.blockOf(record);
    return block ? block.record + block.count * RECORD_BYTES : record;
  }

  findInPage(record: number, offset: number): number {
    const block = this.cache.blockOf(record);
    if (!block || offset >= layout.PAGE_SIZE) return 0;
    return this.cache.recordAtOffset(block.extents[0].page * layout.PAGE_SIZE + offset, block.mode);
  }

  compiles(record: DecodedRecord): boolean {
    const operation = OPERATIONS.list[record.operation];
    if (!operation || !isImplemented(operation)) return false;
    let verdicts = this.verdicts.get(this.mode);
    if (!verdicts) this.verdicts.set(this.mode, (verdicts = new Map<number, boolean>()));
    const kind = record.addressKind * 4 + (record.repeat === 0 ? 0 : 2) + (record.link === 0 ? 0 : 1);
    const key = record.operation * KINDS + kind;
    let verdict = verdicts.get(key);
    if (verdict === undefined) {
      verdict = this.attempt(record);
      verdicts.set(key, verdict);
    }
    return verdict;
  }

  private attempt(record: DecodedRecord): boolean {
    const nowhere = { nodeOf: () => undefined, transfer: () => undefined };
    try {
      new RegionBuilder("attempt", new RegionVariables(), this.mode, nowhere).attempt(record);
      return true;
    } catch (error) {
      if (error instanceof NotCompiled) return false;
      throw error;
    }
  }

  // ── choosing ──────────────────────────────────────────────────────────────────────────────────────────

  /** Execution has come to the instruction at `ramOffset`, in the CPU's mode. */
  noteExecution(cpu: CpuContext, ramOffset: number): void {
    if (this.waiting.length > 0 && --this.patience <= 0) this.compileWaiting();
    const mode = cpu.get32(layout.MODE_KEY);
    if ((mode & MODE_CODE_SIZE) === MODE_CODE16) return;
    const record = this.cache.recordAtOffset(ramOffset, mode);
    if (record === 0 || this.isEntry(record)) return;
    const block = this.cache.blockOf(record);
    if (!block || block.extents.length !== 1 || ++block.heat < (this.options.eager ? 1 : HOT)) return;
    block.heat = 0;
    if (this.waiting.some((seed) => this.cache.blockOf(seed) === block)) return;
    this.waiting.push(record);
    if (this.waiting.length >= BATCH || this.options.eager) this.compileWaiting();
  }

  /** Compiles from a record on, however rarely it is executed. */
  compileNow(record: number): void {
    const mode = this.cache.blockOf(record)?.mode ?? MODE_CODE16;
    if ((mode & MODE_CODE_SIZE) === MODE_CODE16 || this.entries[this.entryIndex(record)] !== ENTRY_NONE)
      return;
    this.waiting.push(record);
    this.compileWaiting();
  }

  private compileWaiting(): void {
    const seeds = this.waiting;
    this.waiting = [];
    this.patience = PATIENCE;
    const module = new ModuleBuilder();
    module.importTable("handlers");
    for (const name of REGION_IMPORTS) {
      module.import(name, {
        parameters: Array(IMPORTS[name].parameters).fill("i32") as "i32"[],
        results: ["i32"],
      });
    }
    for (const [name, { parameters, result }] of Object.entries(this.options.checker?.imports ?? {})) {
      module.import(name, {
        parameters: Array(parameters).fill("i32") as "i32"[],
        results: result ? ["i32"] : [],
      });
    }
    module.defineType(HANDLER_TYPE, HANDLER_SIGNATURE);
    const candidates: Candidate[] = [];
    for (const seed of seeds) {
      const candidate = this.candidate(seed, `r${candidates.length}`);
      if (!candidate) continue;
      this.options.rewrite?.(candidate.region.code);
      this.options.checker?.instrument(candidate.region.code);
      module.add(candidate.region.code);
      module.export(candidate.region.code.name);
      candidates.push(candidate);
      this.claim(candidate);
    }
    if (candidates.length > 0) this.instantiate(module.build(), candidates);
  }

  /** What belongs to a region now: others stop at its entries. */
  private claim({ graph, region }: Candidate): void {
    for (const record of region.entries) this.operations.set(record, this.operationOf(record));
    for (const node of graph.nodes) {
      for (const { address } of node.records) this.entries[this.entryIndex(address)] = ENTRY_CLAIMED;
    }
  }

  private candidate(seed: number, name: string): Candidate | undefined {
    const block = this.cache.blockOf(seed);
    if (!block || this.isEntry(seed) || this.entries[this.entryIndex(seed)] === ENTRY_CLAIMED)
      return undefined;
    this.mode = block.mode;
    if (!this.compiles(this.read(seed))) {
      block.heat = -HOPELESS;
      return undefined;
    }
    // Control comes into the middle by a way that regions do not see, an indirect jump perhaps: it is an entry now.
    const inside = this.entries[this.entryIndex(seed)] === ENTRY_INSIDE;
    if (inside && ++block.renewals > MOST_RENEWALS) return undefined;
    if (inside) this.blocksDropped([block]);
    const graph = formGraph(inside ? seed : this.leaderBefore(seed, block), this);
    return { graph, region: compileRegion(name, graph, block.mode) };
  }

  private read(record: number): DecodedRecord {
    return readRecord(this.view, record, this.operationOf(record));
  }

  /** Where the straight line that `record` stands in begins: behind what ends a node, or another region. */
  private leaderBefore(record: number, block: Block): number {
    for (let at = record; at > block.record; at -= RECORD_BYTES) {
      const before = at - RECORD_BYTES;
      if (this.isEntry(before) || endsNode(OPERATIONS.list[this.operationOf(before)].mnemonic)) return at;
      if (!this.compiles(this.read(before))) return at;
    }
    return block.record;
  }

  // ── installing and dropping ───────────────────────────────────────────────────────────────────────────

  private instantiate(bytes: Uint8Array, candidates: readonly Candidate[]): void {
    const checking = this.options.checker?.functions();
    const env = { memory: this.memory, handlers: this.table, ...this.imports, ...checking };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource), { env });
    this.counters.regionModules++;
    this.counters.regionBytes += bytes.length;
    this.kept += bytes.length;
    for (const candidate of candidates) {
      this.install(instance.exports[candidate.region.code.name], candidate, bytes.length / candidates.length);
    }
    if (this.kept > MOST_BYTES) this.dropAll();
  }

  private install(run: WebAssembly.ExportValue, candidate: Candidate, bytes: number): void {
    const { graph, region } = candidate;
    const slot = this.free.pop() ?? this.table.grow(1);
    this.table.set(slot, run);
    const handler = this.options.checker?.installed(this.checked(run as Handler, candidate)) ?? slot;
    const blocks = new Set<Block>();
    for (const node of graph.nodes) {
      for (const { address } of node.records) {
        const block = this.cache.blockOf(address);
        if (block) blocks.add(block);
        const index = this.entryIndex(address);
        if (this.entries[index] >= ENTRY_CLAIMED) this.entries[index] = ENTRY_INSIDE;
      }
    }
    const installed: Region = { slot, handler, entries: region.entries, blocks, bytes };
    region.entries.forEach((record, i) => {
      this.entries[this.entryIndex(record)] = i;
      this.view.setUint16(record + REC_OP, handler, true);
    });
    for (const block of blocks) {
      const known = this.regionsOf.get(block);
      if (known) known.add(installed);
      else this.regionsOf.set(block, new Set([installed]));
    }
    this.counters.regions++;
    this.counters.regionInstructions += graph.instructions;
  }

  private checked(run: Handler, { graph, region }: Candidate): CheckedRegion {
    const entries = new Map(region.entries.map((record) => [record, this.operationOf(record)]));
    const listing = new Listing(graph, (record) => this.cache.blockOf(record)?.extents[0].page ?? 0);
    return { run, entries, listing };
  }

  /** Blocks are about to be dropped, or looked at anew: so are the regions made of them. */
  blocksDropped(blocks: readonly Block[]): void {
    for (const block of blocks) {
      for (const region of this.regionsOf.get(block) ?? []) this.drop(region);
    }
  }

  private drop(region: Region): void {
    this.counters.regionsDropped++;
    this.kept -= region.bytes;
    this.options.checker?.dropped(region.entries);
    for (const record of region.entries) this.restore(record, region.handler);
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
    const operation = this.operations.get(record);
    if (operation === undefined || this.view.getUint16(record + REC_OP, true) !== handler) return;
    this.view.setUint16(record + REC_OP, operation, true);
    this.operations.delete(record);
    this.entries[this.entryIndex(record)] = ENTRY_NONE;
  }

  private dropAll(): void {
    this.blocksDropped([...this.regionsOf.keys()]);
  }

  /** Every decoded instruction was dropped. */
  flushed(): void {
    this.dropAll();
    this.waiting = [];
    this.clearEntries();
  }
}
