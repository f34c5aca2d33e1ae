/**
 * A conformance guest: a small program with the state it starts in and what must be in memory when it ends. The
 * builder lets a test write an instruction and its expectation in one place. Knows no engine: the same guest runs
 * on ours and on a reference machine.
 */
import type { FeatureName } from "../../../src/spec/cpuid.js";
import type { CpuState } from "../../../src/x86/cpu-state.js";
import { Assembler, addressOf, dword, memory, qword } from "../../support/asm/index.js";
import * as asm from "../../support/asm/index.js";
import type { Chunk, Gpr, Immediate } from "../../support/asm/index.js";
import { environment32, environment64 } from "./environments.js";
import * as layout from "./layout.js";
import { standardTables } from "./page-tables.js";
import type { PageTables } from "./page-tables.js";
import { startState } from "./states.js";
import type { StartMode } from "./states.js";

/** An exception or interrupt as its handler must have seen it; what is absent is not compared. */
export interface ExpectedEvent {
  vector: number;
  /** Error code; 0 where the vector has none. */
  error?: number;
  /** Label or address of the RIP that was pushed. */
  rip?: string | bigint;
  cs?: number;
  ss?: number;
  cr2?: bigint;
  /** Bits of pushed RFLAGS that must be set, and clear. */
  flagsSet?: bigint;
  flagsClear?: bigint;
  rsp?: bigint;
  note?: string;
  /** What QEMU 7.2 shows instead, where it is known to be wrong. */
  onQemu?: Partial<ExpectedEvent>;
}

/** Bytes in guest memory after the end. */
export interface ExpectedMemory {
  address: number;
  size: 1 | 2 | 4 | 8;
  value: bigint;
  /** Bits compared; all when absent. */
  mask?: bigint;
  note: string;
}

export type Ending =
  { kind: "exit"; code: number } | { kind: "shutdown" } | { kind: "halt"; interruptible: boolean };

export interface Guest {
  name: string;
  /** The section of the specification that says so. */
  cites: string;
  start: CpuState;
  chunks: Chunk[];
  events: ExpectedEvent[];
  memory: ExpectedMemory[];
  ending: Ending;
  /** Address of a label, to translate expectations. */
  label(name: string): number;
  /** Why the reference machine cannot judge this guest, when it cannot. */
  notOnQemu?: string;
  /** What an engine must offer for this guest to make sense, by CPUID feature name. */
  needs?: string[];
  /** CPUID switches that differ from those of the suite. */
  features?: Partial<Record<FeatureName, boolean>>;
}

export interface GuestOptions {
  mode?: StartMode;
  cites: string;
  notOnQemu?: string;
  needs?: string[];
  features?: Partial<Record<FeatureName, boolean>>;
}

/** What is in a slot that was never written. */
const POISON_WORD = 0xa5a5a5a5a5a5a5a5n;

/** Builds one guest. `a` is the assembler of its main program. */
export class GuestBuilder {
  readonly a: Assembler;
  readonly mode: StartMode;
  readonly tables: PageTables;
  /** Changes to descriptor tables that the environment applies: selector → descriptor words. */
  readonly descriptors = new Map<number, bigint[]>();
  /** Gates other than the standard ones, by vector. */
  readonly gates = new Map<number, asm.GateFields & { label?: string }>();
  readonly start: CpuState;
  private readonly events: ExpectedEvent[] = [];
  private readonly memory: ExpectedMemory[] = [];
  private readonly extra: Chunk[] = [];
  private slots = 0;
  private selector = layout.FREE_SELECTOR;
  private inUser = false;
  private userCode = layout.USER_CODE;
  private ending: Ending = { kind: "exit", code: 0 };

  constructor(mode: StartMode) {
    this.mode = mode;
    this.a = new Assembler(mode === 16 ? layout.REAL_CODE : layout.CODE, mode);
    this.tables = standardTables();
    this.start = startState(mode);
  }

  /** Bytes in memory before the start. */
  data(address: number, bytes: Uint8Array | readonly number[]): void {
    this.extra.push({ address, bytes: Uint8Array.from(bytes) });
  }

  /** 8-byte words in memory before the start. */
  words(address: number, ...values: bigint[]): void {
    const view = new DataView(new ArrayBuffer(8 * values.length));
    values.forEach((v, i) => view.setBigUint64(8 * i, BigInt.asUintN(64, v), true));
    this.data(address, new Uint8Array(view.buffer));
  }

  /** Adds a descriptor to the GDT and returns its selector with RPL 0. */
  descriptor(...words: bigint[]): number {
    const selector = this.selector;
    this.selector += 8 * words.length;
    this.descriptors.set(selector, words);
    return selector;
  }

  /** Records a register in the next result slot, changing no flag, and expects `value` there. */
  expect(register: Gpr, value: bigint | number, note: string, mask?: bigint): void {
    const slot = this.slot();
    this.a.mov(memory(register.size, this.reach(slot)), register);
    this.expectAt(slot, (register.size / 8) as 1 | 2 | 4 | 8, BigInt(value), note, mask);
  }

  /** Expects flags now: pushes them, records, restores the stack. Clobbers nothing but the stack below RSP. */
  expectFlags(set: bigint, clear: bigint, note: string): void {
    const slot = this.slot();
    this.a.pushf();
    if (this.a.mode === 16) this.a.pop(asm.word(this.reach(slot)));
    else this.a.pop(memory(this.a.mode, this.reach(slot)));
    this.expectAt(slot, 2, set, note, set | clear);
  }

  /** Expects bytes in guest memory at the end. */
  expectAt(address: number, size: 1 | 2 | 4 | 8, value: bigint, note: string, mask?: bigint): void {
    this.memory.push({ address, size, value, note, ...(mask === undefined ? {} : { mask }) });
  }

  /** Expects that this slot was never reached. */
  expectSkipped(note: string): void {
    const slot = this.slot();
    this.a.mov(dword(this.reach(slot)), 1);
    this.expectAt(slot, 8, POISON_WORD, `${note}: not reached`);
  }

  /** Expects the next event of the log, in the order in which they will happen. */
  expectEvent(event: ExpectedEvent): void {
    this.events.push(event);
  }

  /** Emits code that must fault at its (last) instruction; execution then goes on behind it. */
  fault(event: ExpectedEvent, emit: (a: Assembler) => unknown): void {
    const here = this.a.fresh("fault");
    const behind = this.a.fresh("behind");
    this.resumeAt(behind);
    this.a.label(here);
    this.expectEvent({ rip: here, ...event });
    emit(this.a);
    this.expectSkipped(event.note ?? `vector ${event.vector}`);
    this.a.label(behind);
  }

  /** Tells the handler where to go on after the next event. */
  resumeAt(label: string): void {
    this.store(layout.LOG_RESUME, addressOf(label));
  }

  /** Code of the current privilege writes an immediate to a log cell. */
  store(cell: number, value: Immediate): void {
    this.a.mov(memory(this.a.mode === 64 ? 64 : 32, this.reach(cell)), value);
  }

  /**
   * Runs `body` in user mode (64-bit unless `bits` says 32), assembled at `place`, and goes on in the kernel
   * afterwards with all registers as user code left them, except RSP, RCX and R11.
   */
  user(body: () => void, bits: 32 | 64 = 64): void {
    const place = this.userCode;
    const behind = this.a.fresh("kernel");
    const code = bits === 64 ? layout.USER_CODE64 : layout.USER_CODE32;
    this.store(layout.LOG_USER_RETURN, addressOf(behind));
    this.a.mov(qword(layout.LOG_USER_STACK), asm.rsp);
    this.a.push(layout.USER_DATA_SELECTOR).push(layout.USER_STACK_TOP).push(2).push(code).push(place).iretq();
    const kernel = this.a.here;
    this.a.org(place).bits(bits);
    this.inUser = true;
    body();
    this.a.int(layout.USER_DONE_VECTOR);
    this.inUser = false;
    this.userCode = this.a.here + 16;
    this.a.org(kernel).bits(64).label(behind);
  }

  /** Ends the guest with an exit code; what follows is only reached by jumps. */
  exit(code = 0): void {
    this.ending = { kind: "exit", code };
    this.emitExit(code);
  }

  /** Emits an end that is not the expected one. */
  emitExit(code: number): void {
    this.a.mov(asm.al, code).out(8, layout.EXIT_PORT).hlt();
  }

  /** The guest must end in shutdown (a triple fault) at this point. */
  expectShutdown(): void {
    this.ending = { kind: "shutdown" };
  }

  expectHalt(interruptible: boolean): void {
    this.ending = { kind: "halt", interruptible };
  }

  build(name: string, options: GuestOptions): Guest {
    const program = this.a.link();
    const environment =
      this.mode === 64 ? environment64(this) : this.mode === 32 ? environment32(this) : ([] as Chunk[]);
    const poison = { address: this.results, bytes: new Uint8Array(8 * this.slotLimit).fill(layout.POISON) };
    const guest: Guest = {
      name,
      cites: options.cites,
      start: this.start,
      chunks: [poison, ...environment, ...program, ...this.extra],
      events: this.events,
      memory: this.memory,
      ending: this.ending,
      label: (label) => this.a.address(label),
    };
    if (options.notOnQemu !== undefined) guest.notOnQemu = options.notOnQemu;
    if (options.needs) guest.needs = options.needs;
    if (options.features) guest.features = options.features;
    return guest;
  }

  /** Takes the next result slot and returns its physical address. */
  slot(): number {
    if (this.slots >= this.slotLimit) throw new Error("too many results");
    return this.results + 8 * this.slots++;
  }

  private get results(): number {
    return this.mode === 16 ? layout.REAL_RESULTS : layout.RESULTS;
  }

  private get slotLimit(): number {
    return this.mode === 16 ? layout.REAL_RESULT_SLOTS : layout.RESULT_SLOTS;
  }

  /** How the current code reaches a cell of the log or the results. */
  reach(physical: number): number {
    if (!this.inUser) return physical;
    if (physical >= layout.LOG) return layout.USER_ALIAS + (physical - layout.LOG);
    return layout.USER_ALIAS + 0x10000 + (physical - layout.RESULTS);
  }
}

/** Declares a guest. */
export function guest(name: string, options: GuestOptions, write: (g: GuestBuilder) => void): Guest {
  const builder = new GuestBuilder(options.mode ?? 64);
  write(builder);
  return builder.build(name, options);
}
