/**
 * The built-in engine: x86-64 CPUs as generated WebAssembly, guest RAM in the same memory. Ties the generated
 * interpreter, the decode cache and the system half (x86/system) together. Knows no device and no host.
 */
import { FixedSequence } from "../../bytes/fixed-sequence.js";
import { MAX_INSTRUCTION_LENGTH } from "../../spec/x86-encoding.js";
import type { CpuidLeaf } from "../../x86/cpuid.js";
import type {
  Cpu,
  CpuHost,
  Engine,
  EngineCounters,
  EngineEvents,
  EngineVerdict,
  FoundWorkingSet,
  MemorySpec,
  Vm,
  WorkingSet,
} from "../contract.js";
import { EngineLimit } from "../contract.js";
import { CpuContext, type EngineServices } from "../x86/cpu-context.js";
import * as layout from "../x86/layout.js";
import { REC_OFFSET } from "../x86/record.js";
import { HELPER_NAMES } from "../x86/semantics/delegated.js";
import { executeSseFloat } from "../x86/sse-float.js";
import { executeVectorOperation } from "../x86/vector-operations.js";
import {
  checkedAddress,
  checkedStack,
  checkedString,
  codeLinear,
  codePageAdded,
  commit,
  raise,
  runHelper,
  slowTranslate,
  translateCode,
  translateCodeBehind,
  FETCH_FAULTED,
  type Helper,
} from "../x86/system/calls.js";
import { HELPERS } from "../x86/system/delegates.js";
import { InstructionSet } from "../x86/table/instruction-set.js";
import type { RegionChecker } from "../region/checker.js";
import type * as Regions from "../region/index.js";
import type { RegionDump } from "../region/pass-text.js";
import type { RegionCache } from "../region/region-cache.js";
import type { IrFunction } from "../ir/ir.js";
import type { JitMode } from "../contract.js";
import type { Extent } from "./blocks.js";
import { CAPABILITIES } from "./capabilities.js";
import { WasmCpu, type RunLoop } from "./cpu.js";
import { unpackDecodedCode } from "./decoded-code.js";
import { DecodeCache } from "./decode-cache.js";
import { RamMap, WasmGuestMemory } from "./guest-memory.js";
import { expectRegions, hostCompiler, prepareCompiler, type HostCompiler } from "./host-compiler.js";
import { interpreterModule, type EnterQuickly } from "./interpreter-module.js";
import { MonitoredLines } from "./monitored-lines.js";
import { memoryPages } from "./limits.js";
import type { DecodeQuickly } from "./templates.js";
import { WrittenPages } from "./written-pages.js";

/** Reports of such instructions that one guest can cause. */
const MOST_REPORTS = 256;

/**
 * Times that execution is found in a block until a compiler is wanted: half of what it asks for (region-cache.ts), so that it is there by
 * then. A guest that runs one short command never comes to this, and does not wait for a compiler to be loaded.
 */
const WARM = 64;

/** One word that other threads may write, where the host shares memory. */
function kickWord(): Int32Array {
  const { BYTES_PER_ELEMENT } = Int32Array;
  const shared = typeof SharedArrayBuffer === "function";
  return new Int32Array(
    shared ? new SharedArrayBuffer(BYTES_PER_ELEMENT) : new ArrayBuffer(BYTES_PER_ELEMENT),
  );
}

/** `src/engine/region`, which need not be loaded when a machine begins. */
export type RegionCompiler = typeof Regions;

class WasmVm implements Vm {
  readonly memory: WasmGuestMemory;
  readonly kickWord = kickWord();
  private readonly wasmMemory: WebAssembly.Memory;
  private readonly dataView: DataView;
  private readonly bytes: Uint8Array;
  private readonly ram: RamMap;
  private readonly cache: DecodeCache;
  private readonly cpus = new Map<number, WasmCpu>();
  private readonly byBase = new Map<number, CpuContext>();
  private readonly services: EngineServices;
  private readonly interpreterImports: ReturnType<WasmVm["imports"]>;
  private readonly runLoop: RunLoop;
  private readonly enterQuickly: EnterQuickly;
  private readonly helpers: readonly Helper[];
  private readonly reported = new Set<string>();
  private readonly monitored: MonitoredLines;
  private readonly written: WrittenPages;
  /** What every CPU executes; known from the first one on. */
  private instructions: InstructionSet | undefined;
  private regions: RegionCache | undefined;
  private compiler: RegionCompiler | undefined;
  private readonly handlers: WebAssembly.Table;
  private readonly statistics: WasmEngineOptions["statistics"];
  /** Time spent forming and compiling regions, where somebody asks for statistics. */
  private compileMs = 0;
  private checker: RegionChecker | undefined;
  /** Compiles what is decoded; where execution is found once. */
  private readonly atOnce: boolean;
  private readonly eager: boolean;
  /** How many CPUs there is room for. */
  private readonly cpuLimit: number;

  constructor(
    memory: MemorySpec,
    host: CpuHost,
    private readonly events: EngineEvents | undefined,
    private readonly options: WasmEngineOptions & { jit: JitMode },
    /** Told when a CPU runs what the compiler would look at. */
    private readonly compilerWanted: () => void,
  ) {
    this.atOnce = options.jit === "eager";
    this.eager = this.atOnce || options.eager === true;
    this.statistics = options.statistics;
    this.ram = new RamMap(memory.ranges);
    this.cpuLimit = memory.cpus ?? 1;
    const pages = memoryPages(this.ram.bytes, this.cpuLimit);
    const ramBase = layout.ramBase(this.ram.bytes, this.cpuLimit);
    this.wasmMemory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.dataView = new DataView(this.wasmMemory.buffer);
    this.bytes = new Uint8Array(this.wasmMemory.buffer);
    this.monitored = new MonitoredLines(
      this.wasmMemory,
      (offset) => this.ram.addressOf(offset),
      () => this.byBase.values(),
      (cpu) => this.cpu(cpu).lineWritten(),
    );
    this.cache = new DecodeCache(this.wasmMemory, ramBase, this.ram.bytes, {
      codePageAdded: (page) => codePageAdded(this.byBase.values(), page),
      blocksDropped: (blocks) => this.regions?.blocksDropped(blocks),
      flushed: () => {
        this.regions?.flushed();
        this.nextEpoch();
      },
    });
    this.written = new WrittenPages(this.wasmMemory, this.ram.bytes, () => this.byBase.values());
    this.memory = new WasmGuestMemory(this.wasmMemory.buffer, this.ram, ramBase, {
      changed: (offset, length) => this.changed(offset, length),
      pages: this.written,
      absent: this.bytes.subarray(
        layout.ABSENT_PAGES,
        layout.ABSENT_PAGES + this.ram.bytes / layout.PAGE_SIZE,
      ),
      fetchesLater: () => this.bringForChecker(),
    });
    this.services = this.makeServices(host, ramBase);
    this.helpers = HELPER_NAMES.map((name) => {
      const helper = HELPERS[name];
      if (!helper) throw new Error(`engine: no helper implements ${name}`);
      return helper;
    });
    const imports = (this.interpreterImports = this.imports());
    const instance = new WebAssembly.Instance(interpreterModule(), {
      env: { memory: this.wasmMemory, ...imports },
    });
    this.runLoop = instance.exports["run"] as RunLoop;
    this.enterQuickly = instance.exports["enterQuickly"] as EnterQuickly;
    this.cache.decodeQuickly = instance.exports["decodeQuickly"] as DecodeQuickly;
    this.handlers = instance.exports["handlers"] as WebAssembly.Table;
  }

  /** Compiles from now on, between runs. */
  compileWith(compiler: RegionCompiler): void {
    const { options, handlers } = this;
    if (options.jit === "off") return;
    const { ramBase } = this.services;
    this.compiler = compiler;
    if (options.jit === "check") this.checker = this.makeChecker(compiler, ramBase);
    this.bringForChecker();
    this.regions = new compiler.RegionCache(this.cache, this.wasmMemory, handlers, this.interpreterImports, {
      eager: this.eager,
      counting: options.statistics !== undefined,
      ...(options.dumpRegion && { dump: this.dumper(compiler, options.dumpRegion, ramBase) }),
      ...(this.checker && { checker: this.checker }),
      ...(options.rewriteRegion && { rewrite: options.rewriteRegion }),
    });
  }

  private dumper(
    compiler: RegionCompiler,
    write: (text: string, wasm: Uint8Array) => void,
    ramBase: number,
  ): (dump: RegionDump) => void {
    return (dump) => write(compiler.dumpText(dump, this.bytes.subarray(ramBase)), dump.wasm);
  }

  private makeChecker(compiler: RegionCompiler, ramBase: number): RegionChecker {
    return new compiler.RegionChecker({
      memory: this.wasmMemory,
      ramBase,
      table: this.handlers,
      context: (cpu) => this.context(cpu),
      interpret: this.runLoop,
      standsAtRip: (cpu, record) => this.standsAtRip(cpu, record),
      eager: this.eager,
    });
  }

  /** Whether a record is that of the instruction at RIP, as far as the instruction TLB and the cache know. */
  private standsAtRip(cpu: CpuContext, record: number): boolean {
    const at = this.ramOffsetAtRip(cpu);
    const block = this.cache.blockOf(record);
    const offset = cpu.u16[(record + REC_OFFSET) >>> 1];
    if (at < 0 || !block || offset >= layout.PAGE_SIZE) return true;
    return block.page * layout.PAGE_SIZE + offset === at && block.mode === cpu.get32(layout.MODE_KEY);
  }

  /** It compares all of RAM, which then has to be there. */
  private bringForChecker(): void {
    if (this.checker !== undefined) for (const { start, size } of this.ram.ranges) this.ram.find(start, size);
  }

  private makeServices(host: CpuHost, ramBase: number): EngineServices {
    const random = new FixedSequence();
    return {
      memory: this.wasmMemory,
      host,
      cpuAreas: layout.cpuAreas(this.ram.bytes),
      ramBase,
      ramLowBytes: this.ram.lowEnd,
      ramOffsetOf: (physical) => this.ram.offsetOf(physical),
      physicalOf: (offset) => this.ram.addressOf(offset),
      code: {
        invalidate: (offset, length) => this.changed(offset, length),
        pageHoldsCode: (offset) =>
          this.cache.pageHoldsCode(offset) ||
          this.monitored.watchesPage(offset) ||
          this.written.isClean(offset),
      },
      monitor: this.monitored,
      enterQuickly: (cpu, vector, errorCode, restarts) =>
        this.enterQuickly(cpu.base, vector, errorCode, restarts ? 1 : 0) !== 0,
      requestExit: (cpu) => this.cpu(cpu).requestExit(),
      instructionsInRun: (cpu) => this.cpu(cpu).instructionsInRun,
      random32: () => host.random32?.() ?? random.next(),
      pausesSpent: (cpu) => this.cpu(cpu).pausesSpent(),
      shutdown: (cpu, detail) => this.cpu(cpu).shutdown(detail),
      unimplemented: (cpu, text) => this.reportUnimplemented(cpu, text),
    };
  }

  /** Bytes of RAM are about to change. */
  private changed(offset: number, length: number): void {
    this.cache.invalidate(offset, length);
    this.monitored.changed(offset, length);
    this.written.changed(offset, length);
  }

  private cpu(context: CpuContext): WasmCpu {
    return this.cpus.get(context.id)!;
  }

  private context(base: number): CpuContext {
    return this.byBase.get(base)!;
  }

  private nextEpoch(): void {
    for (const context of this.byBase.values())
      context.set32(layout.DECODE_EPOCH, this.cache.counters.flushes);
  }

  /** What generated code calls: see `IMPORTS` of interpreter.ts. */
  private imports(): Record<string, (...args: number[]) => number | void> {
    return {
      slowTranslate: (cpu, record, info) => this.slowTranslate(this.context(cpu), record, info),
      commit: (cpu) => commit(this.context(cpu)),
      checkedAddress: (cpu, record, info) => checkedAddress(this.context(cpu), record, info),
      checkedStack: (cpu, record, info) => checkedStack(this.context(cpu), record, info),
      checkedString: (cpu, record, info) => checkedString(this.context(cpu), record, info),
      helper: (cpu, record, index, info) => runHelper(this.context(cpu), this.helpers[index], record, info),
      raise: (cpu, record, vector, code) => void raise(this.context(cpu), record, vector, Math.max(0, code)),
      requestExit: (cpu) => this.cpu(this.context(cpu)).requestExit(),
      translateCode: (cpu) => this.translateCode(this.context(cpu)),
      decode: (cpu, ramOffset) => {
        const record = this.cache.decode(this.context(cpu), ramOffset >>> 0, this.nextPage);
        if (record !== 0 && this.atOnce) this.regions?.compileNow(this.context(cpu), record);
        return record;
      },
      sseFloat: (cpu, operation, destination, source, immediate) =>
        executeSseFloat(
          operation,
          this.dataView,
          destination >>> 0,
          source >>> 0,
          immediate,
          cpu + layout.MXCSR,
        ),
      vectorOperation: (operation, destination, source, immediate) =>
        executeVectorOperation(operation, this.bytes, destination >>> 0, source >>> 0, immediate),
      crossing: (cpu, record) => this.cache.checkCrossing(this.context(cpu), record, this.nextPage),
    };
  }

  private slowTranslate(cpu: CpuContext, record: number, info: number): number {
    if (this.checker) return this.checker.slowTranslate(cpu, record, info);
    return slowTranslate(cpu, record, info);
  }

  private translateCode(cpu: CpuContext): number {
    const linear = codeLinear(cpu);
    if (cpu.stops.holdFetch(linear)) return this.cpu(cpu).endBeforeFetch();
    return !Number.isNaN(linear) && translateCode(cpu, linear) >= 0 ? 1 : 0;
  }

  /**
   * RAM offset of the linear page behind that of the instruction in `record`: `FETCH_FAULTED` after delivering its
   * fault, `FETCH_ONES` outside RAM.
   */
  private readonly nextPage = (cpu: CpuContext, record: number): number => {
    const rip = cpu.instructionRip(record);
    cpu.setAddress(layout.RIP, rip);
    const offset = cpu.u16[(record + 4) >>> 1];
    const linear = codeLinear(cpu, layout.PAGE_SIZE - offset);
    return Number.isNaN(linear) ? FETCH_FAULTED : translateCodeBehind(cpu, linear);
  };

  private reportUnimplemented(cpu: CpuContext, text: string): void {
    const rip = cpu.getBig(layout.RIP);
    const key = `${text} ${rip}`;
    if (this.reported.size >= MOST_REPORTS || this.reported.has(key)) return;
    this.reported.add(key);
    this.events?.unimplemented(cpu.id, rip, this.bytesAtRip(cpu), text);
  }

  /** Tells the compiler where execution is; whether that is in a region. */
  private noteExecution(cpu: CpuContext): boolean {
    const { regions } = this;
    if (regions === undefined) {
      if (this.isWarm(cpu)) this.compilerWanted();
      return false;
    }
    const tail = cpu.get32(layout.REGION_TAIL) !== 0;
    cpu.set32(layout.REGION_TAIL, 0);
    const at = this.ramOffsetAtRip(cpu);
    if (at < 0) return false;
    const start = this.statistics?.now() ?? 0;
    regions.noteExecution(cpu, at, tail);
    if (this.statistics) this.compileMs += this.statistics.now() - start;
    return tail;
  }

  /** Whether a compiler would soon have something to do. It goes on counting where this ends. */
  private isWarm(cpu: CpuContext): boolean {
    if (this.eager || this.options.jit === "check") return true;
    const at = this.ramOffsetAtRip(cpu);
    const record = at < 0 ? 0 : this.cache.recordAtOffset(at, cpu.get32(layout.MODE_KEY));
    const block = record === 0 ? undefined : this.cache.blockOf(record);
    return block !== undefined && ++block.heat >= WARM;
  }

  private regionStatistics(): EngineCounters {
    if (!this.compiler || !this.statistics) return {};
    const all = [...this.cpus.values()].reduce((sum, cpu) => sum + cpu.instructions, 0);
    return { compileMs: Math.round(this.compileMs), ...this.compiler.readCounts(this.dataView, all) };
  }

  /** RAM offset of the instruction at RIP, or -1 when its page is not in the instruction TLB. */
  private ramOffsetAtRip(cpu: CpuContext): number {
    const linear = cpu.getAddress(layout.RIP) + (cpu.code64 ? 0 : cpu.segmentBase(layout.CS));
    const page = cpu.tlb.cachedCodePage(linear);
    return page < 0 ? -1 : page + (linear & (layout.PAGE_SIZE - 1));
  }

  /** Bytes of the instruction at RIP, at most to the end of its page; none when that is no page of RAM. */
  private bytesAtRip(cpu: CpuContext): Uint8Array {
    const offset = this.ramOffsetAtRip(cpu);
    if (offset < 0) return new Uint8Array(0);
    const at = this.services.ramBase + offset;
    const inPage = offset & (layout.PAGE_SIZE - 1);
    return cpu.u8.slice(at, at + Math.min(MAX_INSTRUCTION_LENGTH, layout.PAGE_SIZE - inPage));
  }

  createCpu(id: number, cpuid: readonly CpuidLeaf[]): Cpu {
    if (id < 0 || id >= this.cpuLimit || this.cpus.has(id))
      throw new RangeError(`CPU ${id}: the machine was made for ids 0 to ${this.cpuLimit - 1}, once each`);
    const context = new CpuContext(id, this.services, cpuid);
    this.shareInstructions(id, context);
    const compiles = this.options.jit !== "off";
    const cpu = new WasmCpu(
      context,
      this.runLoop,
      { memory: this.memory, kickWord: this.kickWord },
      compiles ? (): boolean => this.noteExecution(context) : undefined,
      this.eager,
    );
    this.cpus.set(id, cpu);
    this.byBase.set(context.base, context);
    return cpu;
  }

  /** Decoded instructions are shared, so that every CPU has to have the same ones. */
  private shareInstructions(id: number, context: CpuContext): void {
    const own = new InstructionSet((feature) => context.cpuid.has(feature));
    if (this.instructions !== undefined && !this.instructions.equals(own))
      throw new EngineLimit(`CPU ${id}: the CPUs of one machine must announce the same instructions`);
    this.instructions = own;
    this.cache.useInstructions(own);
  }

  bringWorkingSet(set: WorkingSet): boolean {
    const code = unpackDecodedCode(set.code);
    if (code === undefined || this.ram.absent?.bringSet(set, this.cache.placeOf(code)) !== true) return false;
    // The other modes are about what happens when something is decoded.
    if (this.options.jit === "on" || this.options.jit === "off") this.cache.restore(code);
    return true;
  }

  /** Nobody can say once there are regions: then records are entries of theirs. */
  workingSet(mostBytes: number): FoundWorkingSet | undefined {
    const needed = this.regions === undefined ? this.ram.absent?.needed(mostBytes) : undefined;
    if (needed === undefined) return undefined;
    const { pages, ramPages, contents } = needed;
    const places = new Map(ramPages.map((page, i) => [page, i * layout.PAGE_SIZE]));
    const { ramBase } = this.services;
    const isSame = ({ page, start, end }: Extent): boolean => {
      const place = places.get(page);
      if (place === undefined) return false;
      const was = contents.subarray(place + start, place + end);
      const now = ramBase + page * layout.PAGE_SIZE + start;
      return was.every((byte, i) => byte === this.bytes[now + i]);
    };
    const { code, records } = this.cache.save(isSame);
    return { pages, code, contents: [records, contents] };
  }

  counters(): EngineCounters {
    const { flushes, blocks, instructions, invalidations } = this.cache.counters;
    return {
      decodedBlocks: blocks,
      decodedInstructions: instructions,
      decodeInvalidations: invalidations,
      decodeFlushes: flushes,
      slowTranslations: this.tlbMisses(),
      ...this.regions?.counters,
      ...this.regionStatistics(),
      ...this.checker?.counters,
    };
  }

  /** Accesses that the data TLB did not answer. */
  private tlbMisses(): number {
    let misses = 0;
    for (const context of this.byBase.values()) misses += context.get32(layout.TLB_MISSES);
    return misses;
  }

  dispose(): void {
    this.cpus.clear();
    this.byBase.clear();
  }
}

/** How the engine executes. */
export interface WasmEngineOptions {
  /** Absent: "on". Where the host's compiler is known to be wrong and cannot be told so, as "off". */
  jit?: JitMode;
  /** The compiler of the host, where the caller knows more of it than the global object says. */
  compiler?: HostCompiler;
  /** Compiles where execution is found once, and looks often: for tests. */
  eager?: boolean;
  /** Counts what costs time to count: regions' ways out, time spent compiling. `now` in ms. */
  statistics?: { now: () => number };
  /** Is given every region that is compiled, pass by pass as text, and as a module. */
  dumpRegion?: (text: string, wasm: Uint8Array) => void;
  /** Changes every region's code before it is compiled: tests plant faults with it. */
  rewriteRegion?: (code: IrFunction) => void;
}

/** The built-in engine. Without a compiler of regions it interprets until it is given one. */
export class WasmEngine implements Engine {
  readonly name = "wasm";
  readonly capabilities = CAPABILITIES;
  readonly #options: WasmEngineOptions & { jit: JitMode };
  readonly #host: HostCompiler;
  /** Machines that have no compiler yet. */
  readonly #interpreting = new Set<WasmVm>();
  #compiler: RegionCompiler | undefined;
  #wanted = false;

  constructor(options: WasmEngineOptions = {}, compiler?: RegionCompiler) {
    const { jit: wanted = "on", compiler: host = hostCompiler() } = options;
    const jit = wanted === "off" || prepareCompiler(host) ? wanted : "off";
    this.#options = { ...options, jit };
    this.#host = host;
    if (compiler !== undefined) this.compileWith(compiler);
  }

  /** Whether a machine runs what a compiler would look at, and there is none. */
  get wantsCompiler(): boolean {
    return this.#wanted && this.#compiler === undefined;
  }

  /** Every machine compiles from now on, unless the options say otherwise. Between runs only. */
  compileWith(compiler: RegionCompiler): void {
    if (this.#options.jit !== "off") expectRegions(this.#host);
    this.#compiler = compiler;
    for (const vm of this.#interpreting) vm.compileWith(compiler);
    this.#interpreting.clear();
  }

  probe(): EngineVerdict {
    try {
      interpreterModule();
      const how = this.#options.jit === "off" ? "interpreter" : "interpreter and compiler of what runs often";
      return { usable: true, detail: `${how}, generated as WebAssembly` };
    } catch (error) {
      return { usable: false, reason: `WebAssembly with SIMD is needed: ${(error as Error).message}` };
    }
  }

  createVm(memory: MemorySpec, host: CpuHost, events?: EngineEvents): Vm {
    const vm = new WasmVm(memory, host, events, this.#options, () => (this.#wanted = true));
    if (this.#compiler !== undefined) vm.compileWith(this.#compiler);
    else this.#interpreting.add(vm);
    return vm;
  }
}
