/**
 * What an engine is: something that executes CPUs against guest memory. It knows no device, no boot protocol
 * and no host. The machine implements `CpuHost`; the engine calls it synchronously.
 *
 * Every engine passes the conformance suite in `test/conformance`; what it cannot do it declares.
 */
import type { CheckedMemory } from "../memory/checked-memory.js";
import type { CpuState } from "../x86/cpu-state.js";
import type { CpuFeatures } from "../x86/cpu-features.js";
import type { CpuidLeaf } from "../x86/cpuid.js";

/** Sizes of one device access, bytes. An 8-byte access reaches a device as two of 4, low half first. */
export type AccessSize = 1 | 2 | 4;

/** Guest RAM as ranges of guest-physical addresses. Anything outside belongs to devices. */
export interface MemorySpec {
  /** Ascending, disjoint, 4 KiB aligned. */
  ranges: readonly { start: number; size: number }[];
  /** CPUs that will be made, at most `MAXIMUM_CPUS`; one unless said otherwise. Others take no memory. */
  cpus?: number;
}

/** Contents of RAM that are fetched when somebody first looks at them. */
export interface PageSource {
  /** Which 4 KiB pages there are, by their number in guest-physical memory: ascending, each in RAM. */
  readonly runs: readonly { first: number; count: number }[];
  /** So many pages, in the order of `runs`, make a block; the last may be shorter. */
  readonly blockPages: number;
  /** Fills `into` with a block. What it throws is the cause of a PageSourceError. */
  read(block: number, into: Uint8Array): void;
}

/** What a machine needed first that went on from a `PageSource`: who goes on from the same one has it at once. */
export interface FoundWorkingSet {
  /** Pages of the source, by their numbers in the order of its `runs`, ascending. */
  readonly pages: Uint32Array;
  /** The engine's own: what it knows of code in them. Of no use to another build of it. */
  readonly code: Uint8Array;
  /** Further of the engine's own, then what is in the pages. */
  readonly contents: readonly Uint8Array[];
}

/** The same, to be read. */
export interface WorkingSet extends Pick<FoundWorkingSet, "pages" | "code"> {
  /** Fills these pieces with `contents`; `false`: they are not what they were. */
  read(this: void, into: readonly Uint8Array[]): boolean;
}

/** RAM could not be fetched; why, says `cause`. It comes out of the call, or is the cause of the exit, that needed the page. */
export class PageSourceError extends Error {
  override readonly name = "PageSourceError";
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** What an engine asks of the machine around it. All calls are synchronous. */
export interface CpuHost {
  /** Reads an I/O port. Absent devices read all ones. Returns an unsigned value of `size` bytes. */
  readPort(cpu: number, port: number, size: AccessSize): number;
  writePort(cpu: number, port: number, size: AccessSize, value: number): void;
  /** Reads guest-physical memory that is not RAM. Absent devices read all ones. */
  readMmio(cpu: number, address: number, size: AccessSize): number;
  writeMmio(cpu: number, address: number, size: AccessSize, value: number): void;
  /**
   * Called when the CPU's interrupt line is raised and it can take an interrupt: acknowledges and returns the
   * vector (0–255), or -1 when there is none after all.
   */
  acknowledgeInterrupt(cpu: number): number;
  /** MSRs of the local APIC: IA32_APIC_BASE, 0x800–0x8ff, IA32_TSC_DEADLINE. `undefined` or `false` raise #GP(0). */
  readApicMsr(cpu: number, index: number): bigint | undefined;
  writeApicMsr(cpu: number, index: number, value: bigint): boolean;
  /** CR8: the task-priority class, 0–15. */
  readTaskPriority(cpu: number): number;
  writeTaskPriority(cpu: number, value: number): void;
  /**
   * The time-stamp counter without TSC_ADJUST, in ticks. `instructions` is what the CPU has executed so far in
   * the current `run`, so that a deterministic clock can be exact in the middle of it. A safe integer.
   */
  readTsc(cpu: number, instructions: number): number;
  /**
   * A write, by another CPU or from outside, has ended a CPU's MWAIT: it gave a `halt` exit and has something to execute
   * again. Called while another CPU runs, or between runs.
   */
  woken?(cpu: number): void;
  /** 32 random bits, unsigned, for RDRAND and RDSEED; a deterministic machine gives a fixed sequence. Absent: fixed. */
  random32?(): number;
}

/** Parts of a tick that the rate of a time stamp is counted in. */
export const TICK_PARTS = 2 ** 24;

/** Why `Cpu.run` came back. */
export type Exit =
  /** The budget is used up. */
  | { reason: "budget" }
  /** `Cpu.stop` was called, from a device or a timer. */
  | { reason: "stop" }
  /** The CPU has executed as many PAUSE instructions as `Cpu.limitPauses` allowed: it waits for another one, or for time. */
  | { reason: "pause" }
  /** HLT (or MWAIT) and no interrupt to take; `interruptible` is RFLAGS.IF. */
  | { reason: "halt"; interruptible: boolean }
  /** Triple fault. `first` is the vector that started it. */
  | { reason: "shutdown"; detail: string }
  /** A breakpoint of `Cpu.setBreakpoints`: the instruction at `linear` is next and has not run. The next `run` executes it. */
  | { reason: "breakpoint"; linear: bigint }
  /** A watchpoint of `Cpu.setWatchpoints`: the instruction before the present one accessed watched bytes, first at `linear`. */
  | { reason: "watchpoint"; linear: bigint; length: number; access: "read" | "write" }
  /** Somebody has called `kick`. */
  | { reason: "kick" }
  /** A bug of the engine, or of the host it called: `cause` is what was thrown. The CPU needs a new state to go on. */
  | { reason: "error"; detail: string; cause?: unknown };

/**
 * Translations that a CPU remembers, flat lists of numbers. The architecture lets a CPU forget any of them at any time, but what a
 * guest sees can depend on it: a machine that goes on exactly like one that never stopped takes them along. Their meaning is the
 * engine's own.
 */
export interface Translations {
  /** Linear page, access mode, physical page, flags: of data. */
  data: number[];
  /** Linear page, access, physical page, flags: of instructions. */
  code: number[];
  /** Where large pages may be remembered in parts; those of 1 GiB as bits. */
  large: number[];
  gigabytes: number;
}

/** Where a linear address leads in the CPU's present mode, and what the tables allow there. */
export interface LinearTranslation {
  /** Guest-physical address; it need not be RAM. */
  physical: number;
  writable: boolean;
  user: boolean;
  executable: boolean;
}

/** Bytes that a debugger watches. */
export interface Watchpoint {
  linear: bigint;
  /** 1 or more, within one page of 4 KiB. */
  length: number;
  /** Reads count too, not only writes. */
  reads: boolean;
}

/** One CPU. Not re-entrant. */
export interface Cpu {
  readonly id: number;
  /** Runs until `budget` instructions are executed or something else ends it. */
  run(budget: number): Exit;
  /** Instructions executed since creation, exact at every exit. A safe integer. */
  readonly instructions: number;
  /**
   * How the time-stamp counter goes on: it is `ticks` here and grows by `rate` / `TICK_PARTS` with each instruction, rounded
   * down, so that an engine need not ask for it. Said anew for every `run`, and from `CpuHost` calls. Engines may lack it, and
   * machines may not say it: then `readTsc` is asked.
   */
  setTimeStamp?(ticks: number, rate: number): void;
  /**
   * Ends a `run` behind the `count`th PAUSE from here on, in this run or a later one; 0: none ends it. Engines may lack it:
   * then a CPU that spins uses its turn up.
   */
  limitPauses?(count: number): void;
  /** How many PAUSEs are left before one ends a run; 0: any number. Exact at every exit. */
  readonly pausesLeft?: number;
  /** Makes a `run` in progress return at the next instruction boundary. Callable from `CpuHost` calls. */
  stop(): void;
  /** Level of the maskable-interrupt line (INTR). Callable at any time, also from `CpuHost` calls. */
  setInterruptLine(raised: boolean): void;
  /** Latches a non-maskable interrupt. */
  raiseNmi(): void;
  /** Copies the whole state out: with the memory, all that decides what the CPU does next but `readTranslations`. */
  readState(): CpuState;
  /**
   * Replaces the whole state; the CPU remembers no translation then. Neither the count of instructions nor the level of the
   * interrupt line changes: the caller sets the line.
   */
  writeState(state: CpuState): void;
  /** Translations that the CPU remembers. Absent where the engine cannot tell. */
  readTranslations?(): Translations;
  /**
   * Replaces them, after `writeState`. They may come from a file: a RangeError says what cannot be, and whatever they hold leads
   * to guest-physical addresses only.
   */
  writeTranslations?(translations: Translations): void;
  /**
   * Linear memory for debuggers, by the tables as they stand and the CPU's present mode: no accessed or dirty bit is set, nothing
   * faults, no device is asked. Undefined where nothing is mapped. Absent, with the next four, without `capabilities.debugging`.
   */
  translate?(linear: bigint): LinearTranslation | undefined;
  /** Copies `[linear, +length)` out, across pages; undefined unless all of it is mapped to RAM. */
  readLinear?(linear: bigint, length: number): Uint8Array | undefined;
  /** Writes bytes whatever the rights; false, with nothing written, unless all of it is mapped to RAM. */
  writeLinear?(linear: bigint, bytes: Uint8Array): boolean;
  /**
   * Replaces this CPU's breakpoints, linear addresses of instructions. The guest sees nothing of them. A run that begins where a
   * breakpoint just ended one executes that instruction, before any interrupt. Code in pages with breakpoints runs slowly, all
   * other code as fast as ever. Between runs only; remembered translations may go.
   */
  setBreakpoints?(linear: readonly bigint[]): void;
  /**
   * Replaces this CPU's watchpoints. They see what instructions access explicitly and what events push, not page walks, descriptors
   * or other CPUs. Accesses to their pages are slow. Between runs only; remembered translations go.
   */
  setWatchpoints?(watchpoints: readonly Watchpoint[]): void;
  /** INIT: the state of SDM vol. 3A §9.1.1 after INIT, waiting for a start-up IPI. */
  init(): void;
  /** Start-up IPI: begins in real mode at `vector` × 4096. Ignored unless waiting for it. */
  startup(vector: number): void;
}

/**
 * Guest RAM, addressed guest-physically. Two kinds of access, for two kinds of caller:
 *
 * - Parts follow addresses that a guest chose: `contains`, `view`, `writable` and the typed loads and stores answer out of
 *   range with a value, throw nothing and, but for the views, allocate nothing.
 * - Loaders know where they write: `write`, `read` and `fill` throw a RangeError out of range.
 *
 * A range of bytes is in RAM when it lies in one of `ranges` as a whole: those that touch do not count as one. Addresses
 * and lengths are whole numbers; of a length of 0, the address lies in a range or at its end. Values are little-endian,
 * unsigned, of any alignment.
 *
 * The engine allocates. Views are of the very bytes that the guest executes, before it starts as well as later.
 */
export interface GuestMemory extends CheckedMemory {
  readonly ranges: readonly { start: number; size: number }[];
  /**
   * From now on pages are noted that are written: by CPUs, by a device or caller through this interface. Every page is clean then.
   * Writes are somewhat slower while there is a mark. Between runs only, not from `CpuHost` calls; so of the next two. Absent,
   * with them, where `capabilities.dirtyPages` is false.
   */
  markClean?(): void;
  /**
   * Guest-physical addresses of the 4 KiB pages written since the mark, ascending; undefined without a mark. None is missing; one
   * that an instruction meant to write when it faulted, or that got the bytes it had, may be among them.
   */
  dirtyPages?(): number[] | undefined;
  /** Pages are no longer noted. */
  dropMark?(): void;
  /**
   * RAM, all of it zeros, has these contents from now on; no CPU has run yet. The source is asked until everything is there.
   * Absent where an engine needs all of RAM at once: then it has to be written.
   */
  fetchLater?(source: PageSource): void;
  /** Fetches some blocks of what is not there yet; whether there is more. Between runs only. */
  fetchMore?(blocks: number): boolean;
  /** Copies bytes in, from the host or a device; decoded or compiled code there is invalidated. */
  write(address: number, bytes: Uint8Array): void;
  /** Copies bytes out. */
  read(address: number, length: number): Uint8Array;
  /** Fills with a byte value. */
  fill(address: number, length: number, value: number): void;
}

/** Counters an engine keeps for diagnosis; every value is a plain number. */
export type EngineCounters = Record<string, number>;

/** Events worth telling a person about, each reported once per distinct cause. */
export interface EngineEvents {
  /** An instruction the engine does not implement raised #UD. `bytes` start at it. */
  unimplemented(cpu: number, rip: bigint, bytes: Uint8Array, text: string): void;
}

/**
 * Makes a run in progress on any CPU of a VM return with `kick`, or the next one: from any thread that has its `kickWord`. A
 * kick before the last one was answered is the same one.
 */
export function kick(kickWord: Int32Array): void {
  Atomics.store(kickWord, 0, 1);
}

export interface Vm {
  readonly memory: GuestMemory;
  /**
   * Where `kick` writes; over shared memory where the host has any, so that it can be sent to other threads. A run looks at it
   * every millisecond or so. Absent without `capabilities.kick`.
   */
  readonly kickWord?: Int32Array;
  createCpu(id: number, cpuid: readonly CpuidLeaf[]): Cpu;
  /** Fetches what such a machine needed first, right behind `memory.fetchLater`; whether that was of any use. */
  bringWorkingSet?(set: WorkingSet): boolean;
  /**
   * What was needed first of what `memory.fetchLater` left, of at most so many bytes of RAM; undefined where nobody can say, or a working
   * set had most of it.
   */
  workingSet?(mostBytes: number): FoundWorkingSet | undefined;
  counters(): EngineCounters;
  dispose(): void;
}

/** Whether an engine works on this host, and if not, why. */
export type EngineVerdict = { usable: true; detail: string } | { usable: false; reason: string };

/**
 * Whether an engine that can compile guest code does, and when: "eager" compiles everything at once, for tests; "check"
 * also interprets what was compiled, on sampled executions, and ends the run with an error where the two differ.
 */
export const JIT_MODES = ["on", "off", "eager", "check"] as const;
export type JitMode = (typeof JIT_MODES)[number];

/** What an engine throws from `createVm` for a machine that it cannot hold, with the limit in its message. */
export class EngineLimit extends Error {
  override readonly name = "EngineLimit";
}

/** What an engine can do. What it cannot, the machine does without or refuses by name. */
export interface EngineCapabilities {
  /** A budget of n executes exactly n instructions, and counts are exact at every exit. */
  readonly countsExactly: boolean;
  /** Equal calls and answers of the host give equal runs, on every host. */
  readonly deterministic: boolean;
  /** A state with its translations goes on exactly like a CPU that never stopped. */
  readonly exactState: boolean;
  /** Guest memory can be the caller's own: otherwise the engine allocates, and the caller gets views. */
  readonly adoptsMemory: boolean;
  /** `GuestMemory.markClean` and its kin. */
  readonly dirtyPages: boolean;
  /** `Cpu.translate`, `readLinear`, `writeLinear`, breakpoints and watchpoints. */
  readonly debugging: boolean;
  /** `Vm.kickWord`. */
  readonly kick: boolean;
  readonly maxCpus: number;
  /** RAM of one VM, bytes. */
  readonly maxRamBytes: number;
  /** What CPUID may announce: a plan for this engine switches nothing else on, see `offeredFeatures`. */
  readonly cpuFeatures: CpuFeatures;
}

export interface Engine {
  readonly name: string;
  readonly capabilities: EngineCapabilities;
  probe(): EngineVerdict;
  createVm(memory: MemorySpec, host: CpuHost, events?: EngineEvents): Vm;
}
