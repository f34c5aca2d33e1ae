/**
 * Runs a batch as a guest of an engine: user mode under an IDT whose handlers write what the native program's signal
 * handler writes. The same linear addresses, selectors, and control-register bits as Linux has for its processes.
 *
 * Specification: SDM vol. 3A §6.12–6.15 (delivery and error codes), §4.5 (paging).
 */
import type { Cpu, Engine, Vm } from "../../src/engine/contract.js";
import type { CpuState, SegmentRegister } from "../../src/x86/cpu-state.js";
import { DEFAULT_CPU_FEATURES } from "../../src/x86/cpu-features.js";
import { cpuidTable } from "../../src/x86/cpuid-table.js";
import {
  Assembler,
  CODE_READABLE,
  DATA_EXPAND_DOWN,
  DATA_READ_ONLY,
  DATA_WRITABLE,
  GPRS,
  TYPE_INTERRUPT_GATE,
  TYPE_TSS_AVAILABLE,
  al,
  cr2,
  gate64,
  oword,
  qword,
  rax,
  rbx,
  rsp,
  segmentDescriptor,
  systemDescriptor64,
} from "../support/asm/index.js";
import { TestHost } from "../conformance/support/host.js";
import { EXIT_PORT } from "../conformance/support/layout.js";
import { NX, P, PageTables, RW, US } from "../conformance/support/page-tables.js";
import { startState } from "../conformance/support/states.js";
import type { Runnable } from "./batch.js";
import { emitCollect, emitNext, emitVariables } from "./harness.js";
import {
  BATCH,
  CODE,
  CODE_PAGES,
  CODE_STRIDE,
  FX_AT,
  INPUT,
  LDT,
  OUTPUT,
  PAGE,
  RECORD_BYTES,
  RESULT,
  SELECTOR,
  SUPERVISOR_BASE,
  VIEWS,
  viewAddress,
} from "./layout.js";
import type { LocalSegment } from "./layout.js";

/** Guest-physical addresses. Those below WINDOW are mapped at SUPERVISOR_BASE. */
const PHYSICAL = {
  GDT: 0x10000,
  IDT: 0x11000,
  TSS: 0x12000,
  STACK_TOP: 0x14000,
  LDT: 0x15000,
  HARNESS: 0x100000,
  WINDOW: 0x390000,
  CODE: 0x400000,
  INPUT: 0x800000,
  OUTPUT: 0x1000000,
  RAM: 0x1800000,
} as const;
const LARGE_PAGE = 0x200000;
const EXCEPTIONS = 32;
/** Vectors that push an error code, SDM vol. 3A table 6-1. */
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17, 21]);
/** INT3 and INTO may come from user mode. */
const FROM_USER = new Set([3, 4]);
const KERNEL_CODE = 0x10;
const TSS_SELECTOR = 0x40;
const TSS_LIMIT = 0x67;
const GDT_ENTRIES = 10;
const ACCESSED = 1;
const USER_DATA_ACCESS = 0xc0f3;
const LDT_ACCESS = 0x82;
const CR0_AM = 1n << 18n;
/** OSFXSR, OSXMMEXCPT, UMIP, FSGSBASE, OSXSAVE. */
const CR4 = (1n << 9n) | (1n << 10n) | (1n << 11n) | (1n << 16n) | (1n << 18n);
/** x87 and SSE. */
const XCR0 = 3n;
const SLICE = 1_000_000;
const SLICES = 200;

function words(values: readonly bigint[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  values.forEach((v, i) => view.setBigUint64(8 * i, v, true));
  return new Uint8Array(view.buffer);
}

/** Linux's order: 32-bit kernel code, kernel code, kernel data, 32-bit user code, user data, user code; then the TSS. */
function gdt(): Uint8Array {
  const table = new Array<bigint>(GDT_ENTRIES).fill(0n);
  const code = CODE_READABLE | ACCESSED;
  const data = DATA_WRITABLE | ACCESSED;
  table[1] = segmentDescriptor({ type: code, big: true });
  table[2] = segmentDescriptor({ type: code, long: true });
  table[3] = segmentDescriptor({ type: data, big: true });
  table[4] = segmentDescriptor({ type: code, big: true, dpl: 3 });
  table[5] = segmentDescriptor({ type: data, big: true, dpl: 3 });
  table[6] = segmentDescriptor({ type: code, long: true, dpl: 3 });
  const task = systemDescriptor64({
    base: SUPERVISOR_BASE + PHYSICAL.TSS,
    limit: TSS_LIMIT,
    type: TYPE_TSS_AVAILABLE,
  });
  table.splice(TSS_SELECTOR / 8, 2, ...task);
  return words(table);
}

const TYPES: Record<LocalSegment["kind"], number> = {
  data: DATA_WRITABLE,
  "read-only": DATA_READ_ONLY,
  "expand-down": DATA_EXPAND_DOWN,
  code: CODE_READABLE,
};

function ldt(): Uint8Array {
  const descriptor = ({ base, limit, kind, big }: LocalSegment): bigint =>
    segmentDescriptor({ base, limit, type: TYPES[kind] | ACCESSED, dpl: 3, big, granular: false });
  return words(LDT.map(descriptor));
}

function tss(): Uint8Array {
  const bytes = new Uint8Array(TSS_LIMIT + 1);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(4, BigInt(SUPERVISOR_BASE + PHYSICAL.STACK_TOP), true);
  view.setUint16(0x66, TSS_LIMIT + 1, true);
  return bytes;
}

function pageTables(): PageTables {
  const tables = new PageTables();
  const via = P | RW | US;
  for (let at = 0; at < PHYSICAL.WINDOW; at += PAGE) tables.map(SUPERVISOR_BASE + at, at, P | RW, 1, via);
  for (let page = 0; page < CODE_PAGES; page++)
    tables.map(CODE + page * CODE_STRIDE, PHYSICAL.CODE + page * PAGE, P | US, 1, via);
  for (let at = 0; at < BATCH * RECORD_BYTES; at += LARGE_PAGE) {
    tables.map(INPUT + at, PHYSICAL.INPUT + at, P | RW | NX, 2, via);
    tables.map(OUTPUT + at, PHYSICAL.OUTPUT + at, P | RW | NX, 2, via);
  }
  VIEWS.forEach((pair, view) =>
    pair.forEach((access, page) => {
      if (access === "-") return;
      const flags = P | US | NX | (access === "rw" ? RW : 0n);
      tables.map(viewAddress(view) + page * PAGE, PHYSICAL.WINDOW + page * PAGE, flags, 1, via);
    }),
  );
  return tables;
}

/** Entry points of the handlers, and the common one: stack frame and registers into the result record. */
function emitHandlers(a: Assembler): number[] {
  const entries: number[] = [];
  for (let vector = 0; vector < EXCEPTIONS; vector++) {
    entries.push(a.here);
    if (!WITH_ERROR_CODE.has(vector)) a.push(0);
    a.push(vector).jmp("common");
  }
  a.label("common").push(rax).mov(rax, qword("resultPointer"));
  for (const register of GPRS[64])
    if (register !== rax && register !== rsp) a.mov(qword(rax, 8 * register.code), register);
  a.mov(rbx, rax).pop(qword(rbx));
  for (const at of [RESULT.VECTOR, RESULT.ERROR, RESULT.RIP, RESULT.CS, RESULT.RFLAGS, 8 * rsp.code])
    a.pop(qword(rbx, at));
  a.movSystem(rax, cr2).mov(qword(rbx, RESULT.CR2), rax).fxsave64(oword(rbx, FX_AT));
  emitCollect(a);
  return entries;
}

/** A VM that runs one batch after the other. */
export class EngineRunner {
  private readonly host = new TestHost();
  private readonly vm: Vm;
  private readonly cpu: Cpu;
  private readonly start: CpuState;
  private readonly variables: number;

  constructor(engine: Engine) {
    this.vm = engine.createVm({ ranges: [{ start: 0, size: PHYSICAL.RAM }] }, this.host);
    const cpuid = cpuidTable({ features: DEFAULT_CPU_FEATURES, cpus: 1, tscHz: 1e9, apicHz: 1e9 });
    this.cpu = this.vm.createCpu(0, cpuid);
    this.host.cpu = this.cpu;
    const a = new Assembler(SUPERVISOR_BASE + PHYSICAL.HARNESS, 64);
    emitNext(a);
    a.label("done").mov(al, 0).out(8, EXIT_PORT).hlt();
    const entries = emitHandlers(a);
    emitVariables(a, 0, 0, 0);
    const { memory } = this.vm;
    for (const chunk of a.link()) memory.write(chunk.address - SUPERVISOR_BASE, chunk.bytes);
    for (const chunk of pageTables().chunks()) memory.write(chunk.address, chunk.bytes);
    const gates = entries.flatMap((offset, vector) =>
      gate64({
        selector: KERNEL_CODE,
        offset,
        type: TYPE_INTERRUPT_GATE,
        dpl: FROM_USER.has(vector) ? 3 : 0,
      }),
    );
    memory.write(PHYSICAL.GDT, gdt());
    memory.write(PHYSICAL.IDT, words(gates));
    memory.write(PHYSICAL.TSS, tss());
    memory.write(PHYSICAL.LDT, ldt());
    this.variables = a.address("casePointer") - SUPERVISOR_BASE;
    this.start = state(a.address("next"), gates.length * 8 - 1);
  }

  /** The result records of a batch. */
  run(batch: Runnable): Uint8Array {
    const { memory } = this.vm;
    memory.fill(PHYSICAL.WINDOW, 2 * PAGE, 0);
    memory.write(PHYSICAL.CODE, batch.pages());
    memory.write(PHYSICAL.INPUT, batch.records());
    memory.write(this.variables, words([BigInt(INPUT), BigInt(OUTPUT), BigInt(batch.cases)]));
    this.host.exitCode = undefined;
    this.cpu.writeState(this.start);
    for (let slice = 0; this.host.exitCode === undefined; slice++) {
      const exit = this.cpu.run(SLICE);
      const ended = this.host.exitCode !== undefined;
      if (!ended && (exit.reason !== "budget" || slice >= SLICES)) this.fail(JSON.stringify(exit));
    }
    return memory.read(PHYSICAL.OUTPUT, batch.cases * RECORD_BYTES);
  }

  dispose(): void {
    this.vm.dispose();
  }

  private fail(why: string): never {
    const done = new DataView(this.vm.memory.read(this.variables, 24).buffer).getBigUint64(8, true);
    const at = Number(done - BigInt(OUTPUT)) / RECORD_BYTES;
    throw new Error(
      `the guest stopped in case ${at} of its batch, RIP 0x${this.cpu.readState().rip.toString(16)}: ${why}`,
    );
  }
}

function state(rip: number, idtLimit: number): CpuState {
  const user = (): SegmentRegister => ({
    selector: SELECTOR.DATA,
    base: 0n,
    limit: 0xffffffff,
    access: USER_DATA_ACCESS,
  });
  const begin = startState(64);
  return {
    ...begin,
    rip: BigInt(rip),
    cs: { ...begin.cs, selector: KERNEL_CODE },
    ss: { ...begin.ss, selector: KERNEL_CODE + 8 },
    ds: user(),
    es: user(),
    fs: user(),
    gs: user(),
    tr: {
      ...begin.tr,
      selector: TSS_SELECTOR,
      base: BigInt(SUPERVISOR_BASE + PHYSICAL.TSS),
      limit: TSS_LIMIT,
    },
    ldtr: {
      selector: KERNEL_CODE,
      base: BigInt(SUPERVISOR_BASE + PHYSICAL.LDT),
      limit: LDT.length * 8 - 1,
      access: LDT_ACCESS,
    },
    gdtr: { base: BigInt(SUPERVISOR_BASE + PHYSICAL.GDT), limit: GDT_ENTRIES * 8 - 1 },
    idtr: { base: BigInt(SUPERVISOR_BASE + PHYSICAL.IDT), limit: idtLimit },
    cr0: begin.cr0 | CR0_AM,
    cr4: begin.cr4 | CR4,
    xcr0: XCR0,
  };
}
