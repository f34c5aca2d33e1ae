/**
 * One CPU of the wasm engine: enters generated code in slices, takes interrupts at instruction boundaries, counts
 * instructions. Knows no instruction and no device.
 */
import { FLAG_IF, FLAG_RF, FLAG_TF, VECTOR_NMI } from "../../spec/x86-privileged.js";
import type { Cpu, Exit, GuestMemory, LinearTranslation, Translations, Watchpoint } from "../contract.js";
import type { CpuState } from "../../x86/cpu-state.js";
import type { CpuContext } from "../x86/cpu-context.js";
import * as layout from "../x86/layout.js";
import {
  ACTIVITY_MONITOR_WAIT,
  ACTIVITY_RUNNING,
  ACTIVITY_WAIT_FOR_SIPI,
  initState,
  readState,
  startupState,
  writeState,
} from "../x86/state.js";
import { refreshBreakpoints, takeInstructionBreakpoint } from "../x86/system/breakpoints.js";
import { deliverDebugTrap, deliverInterrupt } from "../x86/system/delivery.js";
import { readLinear, translateLinear, writeLinear } from "../x86/system/linear.js";
import { repeatsAtRip } from "../x86/system/repetition.js";
import { NOT_THE_GUESTS } from "../x86/system/stops.js";
import { readTranslations, writeTranslations } from "../x86/system/translations.js";

/** Longest slice given to generated code at once, about a millisecond: then the run looks whether somebody kicks. */
const LONGEST_SLICE = 250_007;

/**
 * Longest slices where execution is watched for what to compile: where the interpreter and where regions are found.
 * Primes, as loops would otherwise be found in the same place each time.
 */
const WATCHED_SLICE = 4093;
const REGION_SLICE = 16381;
/** The same where everything is to be compiled, loops as well: branches have been taken then, so that regions close. */
const EAGERLY_WATCHED_SLICE = 48;

const LINEAR_BITS = 64;

/** A linear address as the engine's functions have it. */
function signedAddress(linear: bigint): number {
  return Number(BigInt.asIntN(LINEAR_BITS, linear));
}

/** The generated run loop. */
export type RunLoop = (cpuBase: number) => void;

export class WasmCpu implements Cpu {
  readonly id: number;
  private executed = 0;
  /** Instructions of the slice that is running, and what `requestExit` took out of it. */
  private slice = 0;
  private aside = 0;
  private runStart = 0;
  /** What had been executed where the time stamp was said last. */
  private stampedAt = 0;
  private stopping = false;
  private waits = false;
  private line = false;
  private nmi = false;
  private shutdownDetail: string | undefined;
  /** The breakpoint that the last run ended at. */
  private passing: { executed: number; linear: number } | undefined;
  /** What the engine threw: it cannot go on from there. */
  private failure: Exit | undefined;
  /** What had been executed when the last interrupt was acknowledged. */
  private interruptedAt = -1;
  private longest: number;
  /** A slice of at least this many instructions tells by its end where execution is. */
  private readonly telling: number;

  constructor(
    readonly context: CpuContext,
    private readonly runLoop: RunLoop,
    private readonly around: { memory: GuestMemory; kickWord: Int32Array },
    /** Called where a slice ended because its budget was used up; says whether a region was found there. */
    private readonly watch: (() => boolean) | undefined,
    eager = false,
  ) {
    this.id = context.id;
    this.telling = eager ? EAGERLY_WATCHED_SLICE : WATCHED_SLICE;
    this.longest = watch ? this.telling : LONGEST_SLICE;
  }

  get instructions(): number {
    return this.executed + this.inSlice();
  }

  /** Instructions executed since `run` was called. */
  get instructionsInRun(): number {
    return this.executed - this.runStart + this.inSlice();
  }

  /** Instructions executed in the slice that is running. */
  private inSlice(): number {
    if (this.slice === 0) return 0;
    return this.slice - this.context.i32[(this.context.base + layout.LEFT) >>> 2] - this.aside;
  }

  run(budget: number): Exit {
    if (this.failure) return this.failure;
    try {
      return this.runSlices(budget);
    } catch (cause) {
      this.endSlice();
      const rip = this.context.getBig(layout.RIP).toString(16);
      const detail = `${String(cause)} (CPU ${this.id}, instruction ${this.executed}, RIP near 0x${rip})`;
      return (this.failure = { reason: "error", detail, cause });
    }
  }

  private runSlices(budget: number): Exit {
    const start = (this.runStart = this.executed);
    this.stopping = false;
    this.waits = false;
    for (;;) {
      const wait = this.beforeSlice();
      if (wait) return wait;
      if (this.context.stops.reached) return this.watchpoint();
      if (this.waits) return { reason: "pause" };
      const rest = budget - (this.executed - start);
      if (rest <= 0) return { reason: "budget" };
      if (this.stopping) return { reason: "stop" };
      if (Atomics.load(this.around.kickWord, 0) !== 0 && Atomics.exchange(this.around.kickWord, 0, 0) !== 0)
        return { reason: "kick" };
      const exit = this.context.stops.any ? this.runBesideStops(rest) : this.runSlice(rest);
      if (this.shutdownDetail !== undefined) return { reason: "shutdown", detail: this.shutdownDetail };
      if (exit) return exit;
      if (this.context.stops.reached) return this.watchpoint();
    }
  }

  /** Linear address of the next instruction. */
  private linearRip(): number {
    const { context } = this;
    const rip = context.getAddress(layout.RIP);
    return context.code64 ? rip : (context.segmentBase(layout.CS) + rip) >>> 0;
  }

  /** Whether the last run ended at the breakpoint that is here: the instruction runs now, before any interrupt. */
  private passesHere(): boolean {
    return this.passing?.executed === this.executed && this.passing.linear === this.linearRip();
  }

  /** A slice where there are breakpoints: of one instruction in their pages. */
  private runBesideStops(rest: number): Exit | undefined {
    const { stops, tlb } = this.context;
    const linear = this.linearRip();
    if (!stops.inPage(linear)) return this.runSlice(rest);
    if (stops.stopsAt(linear) && !this.passesHere()) {
      this.passing = { executed: this.executed, linear };
      return { reason: "breakpoint", linear: BigInt.asUintN(LINEAR_BITS, BigInt(linear)) };
    }
    stops.stepping = true;
    this.runSlice(Math.min(rest, 1));
    stops.stepping = false;
    for (const page of stops.codePages) tlb.forgetCodePage(page);
    // Elements of a repeated instruction are not its beginning.
    const again = stops.stopsAt(linear) && this.linearRip() === linear && repeatsAtRip(this.context);
    this.passing = again ? { executed: this.executed, linear } : undefined;
    return undefined;
  }

  /** Ends the slice before an instruction that was not fetched; the result is what generated code takes for a fault. */
  endBeforeFetch(): 0 {
    this.requestExit();
    // A fetch that gives nothing is counted.
    this.context.i32[(this.context.base + layout.LEFT) >>> 2] = 1;
    return 0;
  }

  private watchpoint(): Exit {
    const { linear, length, write } = this.context.stops.reached!;
    this.context.stops.reached = undefined;
    const access = write ? "write" : "read";
    return { reason: "watchpoint", linear: BigInt.asUintN(LINEAR_BITS, BigInt(linear)), length, access };
  }

  /** Takes what is pending at this boundary; says why the CPU cannot go on, if it cannot. */
  private beforeSlice(): Exit | undefined {
    const { context } = this;
    if (this.shutdownDetail !== undefined) return { reason: "shutdown", detail: this.shutdownDetail };
    const activity = context.get32(layout.ACTIVITY);
    if (activity === ACTIVITY_WAIT_FOR_SIPI) return { reason: "halt", interruptible: false };
    // A trap that is pending here comes before interrupts: runSlice delivers it.
    const held = context.get32(layout.INTERRUPT_SHADOW) !== 0 || context.pendingDebug !== 0;
    if (!held && !this.passesHere()) this.takeInterrupts();
    if (this.shutdownDetail !== undefined) return { reason: "shutdown", detail: this.shutdownDetail };
    return this.waiting();
  }

  /** Why the CPU waits in HLT or MWAIT, if it does. */
  private waiting(): Exit | undefined {
    const { context } = this;
    const activity = context.get32(layout.ACTIVITY);
    if (activity === ACTIVITY_RUNNING) return undefined;
    const masked = activity === ACTIVITY_MONITOR_WAIT && context.wakesOnMasked;
    if (masked && this.line) {
      this.wake();
      return undefined;
    }
    return { reason: "halt", interruptible: masked || (context.get32(layout.FLAG_SYSTEM) & FLAG_IF) !== 0 };
  }

  private wake(): void {
    if (this.context.get32(layout.ACTIVITY) === ACTIVITY_MONITOR_WAIT)
      this.context.services.monitor.disarm(this.context);
    this.context.set32(layout.ACTIVITY, ACTIVITY_RUNNING);
  }

  /** A write reached the line that MONITOR watches for this CPU. */
  lineWritten(): void {
    if (this.context.get32(layout.ACTIVITY) !== ACTIVITY_MONITOR_WAIT) return;
    this.context.set32(layout.ACTIVITY, ACTIVITY_RUNNING);
    this.context.services.host.woken?.(this.id);
  }

  /** A device that delivering an interrupt writes to may raise an NMI, so NMIs come first and last. */
  private takeInterrupts(): void {
    this.takeNmi();
    if (this.takesInterrupts() && !this.interruptedHere && !this.heldBack()) {
      this.interruptedAt = this.executed;
      const vector = this.context.services.host.acknowledgeInterrupt(this.id);
      if (vector >= 0) this.deliver(vector);
    }
    this.takeNmi();
  }

  private takeNmi(): void {
    if (!this.takesNmi() || this.heldBack()) return;
    this.nmi = false;
    this.updatePending();
    this.deliver(VECTOR_NMI);
  }

  private deliver(vector: number): void {
    this.wake();
    deliverInterrupt(this.context, vector);
  }

  /** Whether the last delivery ended in shutdown, or reached watched data: its trap comes first. */
  private heldBack(): boolean {
    return this.shutdownDetail !== undefined || this.context.pendingDebug !== 0;
  }

  private takesNmi(): boolean {
    return this.nmi && this.context.get32(layout.NMI_BLOCKED) === 0;
  }

  private takesInterrupts(): boolean {
    return this.line && (this.context.get32(layout.FLAG_SYSTEM) & FLAG_IF) !== 0;
  }

  /** One interrupt a boundary: through trap gates they could follow each other for ever. */
  private get interruptedHere(): boolean {
    return this.interruptedAt === this.executed;
  }

  /** Whether the last instruction loaded SS: debug exceptions wait, and breakpoints are as if RF were set. */
  private behindStackLoad(): boolean {
    const shadow = this.context.get32(layout.INTERRUPT_SHADOW);
    return shadow !== 0 && this.context.debugShadow === shadow;
  }

  /**
   * Delivers the #DB that is due before the next instruction, of data that the last delivery of an event reached or of
   * that instruction's own breakpoint.
   */
  private takeDebugException(watched: boolean): boolean {
    const { context } = this;
    if (context.pendingDebug !== 0) deliverDebugTrap(context, false);
    else if (!watched || !takeInstructionBreakpoint(context)) return false;
    // Counted, so that a watched handler or its stack cannot keep the run from ending.
    this.executed++;
    return true;
  }

  private runSlice(rest: number): undefined {
    const { context } = this;
    const watched = context.breakpoints.execution.length > 0;
    const shadow = context.get32(layout.INTERRUPT_SHADOW) !== 0;
    const hidden = this.behindStackLoad();
    if (!hidden && this.takeDebugException(watched)) return;
    const deliveries = context.get32(layout.DELIVERIES);
    const trapping = (context.get32(layout.FLAG_SYSTEM) & FLAG_TF) !== 0;
    const single = trapping || shadow || watched || this.takesNmi() || this.takesInterrupts();
    this.slice = single ? 1 : Math.min(rest, this.longest);
    this.aside = 0;
    context.stepAfter = undefined;
    // As if that load had been the slice's instruction before the first.
    context.debugShadow = hidden ? this.slice + 1 : 0;
    // Shorter ones end where the machine wants them to, perhaps always in the interpreter's way to a region.
    const telling = this.slice >= this.telling;
    const start = trapping || watched ? context.getAddress(layout.RIP) : NaN;
    context.set32(layout.INTERRUPT_SHADOW, 0);
    context.set32(layout.LEFT, this.slice);
    this.placeTimeStamp();
    this.runLoop(context.base);
    const left = context.get32(layout.LEFT) + this.aside;
    if (context.get32(layout.INTERRUPT_SHADOW) !== left + 1) context.set32(layout.INTERRUPT_SHADOW, 0);
    this.endSlice();
    const completed =
      left === 0 && context.get32(layout.DELIVERIES) === deliveries && this.shutdownDetail === undefined;
    const repeating = completed && context.getAddress(layout.RIP) === start && repeatsAtRip(context);
    if (repeating && watched) context.set32(layout.FLAG_SYSTEM, context.get32(layout.FLAG_SYSTEM) | FLAG_RF);
    const stepped = context.stepAfter ?? (trapping && completed);
    if (!stepped && context.pendingDebug === 0) {
      if (telling && left === 0) this.lookAround();
      return;
    }
    // Behind a load of SS a step is dropped, as the next one comes anyway, and data breakpoints wait.
    if (context.debugShadow !== left + 1) deliverDebugTrap(context, stepped, repeating);
  }

  /** Finds what to compile, and looks less often where that is done. */
  private lookAround(): void {
    if (!this.watch) return;
    const inRegion = this.watch();
    this.longest = inRegion ? REGION_SLICE : this.telling;
  }

  /** Counts what the slice executed. */
  private endSlice(): void {
    if (this.slice === 0) return;
    this.executed += this.slice - this.context.i32[(this.context.base + layout.LEFT) >>> 2] - this.aside;
    this.slice = 0;
  }

  /** Ends the slice at the next instruction boundary; what was left of it is kept for the count. */
  requestExit(): void {
    const index = (this.context.base + layout.LEFT) >>> 2;
    if (this.slice === 0) return;
    this.aside += this.context.i32[index];
    this.context.i32[index] = 0;
    this.placeTimeStamp();
  }

  setTimeStamp(ticks: number, rate: number): void {
    const { context } = this;
    this.stampedAt = this.instructions;
    context.setAddress(layout.TSC_BASE, ticks);
    context.setAddress(layout.TSC_RATE, rate);
    this.placeTimeStamp();
  }

  /** Generated code counts by LEFT, which begins anew with each slice. */
  private placeTimeStamp(): void {
    this.context.set32(layout.TSC_ORIGIN, this.executed - this.stampedAt + this.slice - this.aside);
  }

  limitPauses(count: number): void {
    this.context.set32(layout.PAUSES_LEFT, count);
  }

  get pausesLeft(): number {
    return this.context.get32(layout.PAUSES_LEFT);
  }

  /** The last PAUSE that is allowed runs. */
  pausesSpent(): void {
    this.waits = true;
    this.requestExit();
  }

  stop(): void {
    this.stopping = true;
    this.requestExit();
  }

  shutdown(detail: string): void {
    this.shutdownDetail = detail;
    this.requestExit();
  }

  private updatePending(): void {
    this.context.set32(
      layout.INTERRUPT_PENDING,
      (this.line ? layout.PENDING_INTR : 0) | (this.nmi ? layout.PENDING_NMI : 0),
    );
  }

  setInterruptLine(raised: boolean): void {
    this.line = raised;
    this.updatePending();
    if (raised && this.context.get32(layout.FLAG_SYSTEM) & FLAG_IF) this.requestExit();
  }

  raiseNmi(): void {
    this.nmi = true;
    this.updatePending();
    this.requestExit();
  }

  readState(): CpuState {
    return {
      ...readState(this.context),
      ...(this.nmi && { nmiPending: true }),
      ...(this.interruptedHere && { interruptTaken: true }),
      ...(this.shutdownDetail !== undefined && { shutdown: this.shutdownDetail }),
    };
  }

  writeState(state: CpuState): void {
    this.passing = undefined;
    this.shutdownDetail = state.shutdown;
    this.failure = undefined;
    this.nmi = state.nmiPending === true;
    this.interruptedAt = state.interruptTaken ? this.executed : -1;
    this.updatePending();
    writeState(this.context, state);
  }

  translate(linear: bigint): LinearTranslation | undefined {
    return translateLinear(this.context, linear);
  }

  readLinear(linear: bigint, length: number): Uint8Array | undefined {
    return readLinear(this.context, this.around.memory, linear, length);
  }

  writeLinear(linear: bigint, bytes: Uint8Array): boolean {
    return writeLinear(this.context, this.around.memory, linear, bytes);
  }

  setBreakpoints(linear: readonly bigint[]): void {
    const { stops, tlb } = this.context;
    stops.setBreakpoints(linear.map(signedAddress));
    this.context.set32(layout.STOPS_CODE, stops.any ? 1 : 0);
    for (const page of stops.codePages) tlb.forgetCodePage(page);
  }

  setWatchpoints(watchpoints: readonly Watchpoint[]): void {
    const { stops } = this.context;
    for (const { linear, length } of watchpoints)
      if (!(length >= 1 && Number(linear % BigInt(layout.PAGE_SIZE)) + length <= layout.PAGE_SIZE))
        throw new RangeError(
          `watchpoint 0x${linear.toString(16)} +${length}: 1 byte or more, within one page of 4 KiB`,
        );
    stops.watches = watchpoints.map(({ linear, length, reads }) => ({
      bit: NOT_THE_GUESTS,
      linear: signedAddress(linear),
      length,
      reads,
    }));
    stops.reached = undefined;
    refreshBreakpoints(this.context);
  }

  readTranslations(): Translations {
    return readTranslations(this.context);
  }

  writeTranslations(translations: Translations): void {
    writeTranslations(this.context, translations);
  }

  init(): void {
    this.nmi = false;
    this.shutdownDetail = undefined;
    initState(this.context);
    this.updatePending();
    this.requestExit();
  }

  startup(vector: number): void {
    startupState(this.context, vector);
  }
}
