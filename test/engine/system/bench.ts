/**
 * A CPU without generated code: a plain WebAssembly.Memory with RAM and devices around one `CpuContext`, and the few
 * builders that tests of the system half need (page tables, descriptors, records). Knows no instruction.
 */
import type { CpuHost } from "../../../src/engine/contract.js";
import { CpuContext, type EngineServices } from "../../../src/engine/x86/cpu-context.js";
import * as L from "../../../src/engine/x86/layout.js";
import * as R from "../../../src/engine/x86/record.js";
import { writeState } from "../../../src/engine/x86/state.js";
import type { CpuidLeaf } from "../../../src/x86/cpuid.js";
import type { CpuState, SegmentRegister } from "../../../src/x86/cpu-state.js";
import { applicationProcessorState } from "../../../src/x86/entry-states.js";

export const RAM_SIZE = 0x400000;
export const GPR = (number: number): number => L.GPR + number * 8;
export const RECORD = L.ARENA + 64;
const RECORD_RIP_PAGE = 0x5000;
const RECORD_OFFSET = 0x10;
const RECORD_LENGTH = 3;

/** CPUID with every feature that opens something in the system half. */
const ROWS: CpuidLeaf[] = [
  { leaf: 0, eax: 0xd, ebx: 1, ecx: 2, edx: 3 },
  {
    leaf: 1,
    eax: 0x106ca,
    ebx: 0x55000800,
    ecx: (1 << 3) | (1 << 17) | (1 << 26) | (1 << 30),
    edx: 0x07ffffff,
  },
  {
    leaf: 7,
    subleaf: 0,
    eax: 0,
    ebx: 3 | (1 << 7) | (1 << 18) | (1 << 20),
    ecx: 4,
    edx: (1 << 26) | (1 << 29),
  },
  { leaf: 0xd, subleaf: 0, eax: 3, ebx: 0, ecx: 576, edx: 0 },
  { leaf: 0xd, subleaf: 1, eax: 7, ebx: 576, ecx: 0, edx: 0 },
  { leaf: 0x80000000, eax: 0x80000008, ebx: 0, ecx: 0, edx: 0 },
  {
    leaf: 0x80000001,
    eax: 0,
    ebx: 0,
    ecx: 0,
    edx: (1 << 11) | (1 << 20) | (1 << 26) | (1 << 27) | (1 << 29),
  },
  { leaf: 0x80000008, eax: 0x3024, ebx: 0, ecx: 0, edx: 0 },
];

/** What the devices and the engine around the CPU saw. */
export interface Seen {
  reads: { address: number; size: number }[];
  writes: { address: number; size: number; value: number }[];
  ports: { port: number; size: number; value: number }[];
  invalidated: { offset: number; length: number }[];
  shutdown: string[];
  unimplemented: string[];
  exits: number;
  apic: Map<number, bigint>;
}

export interface Bench {
  cpu: CpuContext;
  seen: Seen;
  /** RAM offsets of pages that hold code. */
  codePages: Set<number>;
  tsc: { ticks: number };
  /** Guest-physical memory. */
  poke(address: number, size: 1 | 2 | 4 | 8, value: number | bigint): void;
  peek(address: number, size: 1 | 2 | 4 | 8): bigint;
}

function fakeHost(seen: Seen, tsc: { ticks: number }): CpuHost {
  return {
    readPort: (_cpu, port) => port & 0xff,
    writePort: (_cpu, port, size, value) => seen.ports.push({ port, size, value }),
    readMmio: (_cpu, address, size) => {
      seen.reads.push({ address, size });
      return size === 4 ? 0x11223344 : 0x55;
    },
    writeMmio: (_cpu, address, size, value) => seen.writes.push({ address, size, value }),
    acknowledgeInterrupt: () => -1,
    readApicMsr: (_cpu, index) => seen.apic.get(index),
    writeApicMsr: (_cpu, index, value) => {
      seen.apic.set(index, value);
      return index !== 0x8ff;
    },
    readTaskPriority: () => 5,
    writeTaskPriority: (_cpu, value) => seen.apic.set(-8, BigInt(value)),
    readTsc: () => tsc.ticks,
  };
}

/** A CPU after reset, with 4 MiB of RAM at 0 and devices above. */
export function createBench(rows: readonly CpuidLeaf[] = ROWS): Bench {
  const base = L.ramBase(RAM_SIZE, 1);
  const pages = (base + RAM_SIZE) / L.WASM_PAGE;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const seen: Seen = {
    reads: [],
    writes: [],
    ports: [],
    invalidated: [],
    shutdown: [],
    unimplemented: [],
    exits: 0,
    apic: new Map(),
  };
  const tsc = { ticks: 1000 };
  const codePages = new Set<number>();
  const monitored = new Set<number>();
  const services: EngineServices = {
    memory,
    host: fakeHost(seen, tsc),
    cpuAreas: L.cpuAreas(RAM_SIZE),
    ramBase: base,
    ramLowBytes: RAM_SIZE,
    ramOffsetOf: (physical) => (physical >= 0 && physical < RAM_SIZE ? physical : -1),
    physicalOf: (offset) => offset,
    code: {
      invalidate: (offset, length) => {
        seen.invalidated.push({ offset, length });
        codePages.delete(offset & ~0xfff);
      },
      pageHoldsCode: (offset) => codePages.has(offset & ~0xfff),
    },
    monitor: {
      arm: (_cpu, offset) => void monitored.add(offset),
      disarm: () => monitored.clear(),
      isArmed: () => monitored.size > 0,
      armedAt: () => [...monitored][0] ?? -1,
    },
    enterQuickly: () => false,
    requestExit: () => seen.exits++,
    instructionsInRun: () => 0,
    random32: () => 0xcafef00d,
    pausesSpent: () => undefined,
    shutdown: (_cpu, detail) => seen.shutdown.push(detail),
    unimplemented: (_cpu, text) => seen.unimplemented.push(text),
  };
  const cpu = new CpuContext(0, services, rows);
  writeState(cpu, { ...applicationProcessorState(0), waitForSipi: false });
  return {
    cpu,
    seen,
    codePages,
    tsc,
    poke(address, size, value) {
      const at = base + address;
      if (size === 8) cpu.view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
      else if (size === 4) cpu.view.setUint32(at, Number(value), true);
      else if (size === 2) cpu.view.setUint16(at, Number(value), true);
      else cpu.view.setUint8(at, Number(value));
    },
    peek(address, size) {
      const at = base + address;
      if (size === 8) return cpu.view.getBigUint64(at, true);
      if (size === 4) return BigInt(cpu.view.getUint32(at, true));
      return BigInt(size === 2 ? cpu.view.getUint16(at, true) : cpu.view.getUint8(at));
    },
  };
}

/** Fields of the record that a test's instruction uses. */
export interface RecordFields {
  /** Number in ModRM.reg. */
  reg?: number;
  /** Number of the register in ModRM.rm. */
  rm?: number;
  /** Memory operand: displacement without base. */
  displacement?: number;
  segment?: number;
  ea?: number;
  immediate?: number;
  second?: number;
  rep?: number;
  addressSize?: number;
}

/** Writes the record of an instruction at 0x5010, 3 bytes long, and returns its address. */
export function record(cpu: CpuContext, fields: RecordFields = {}): number {
  cpu.setAddress(L.PAGE_RIP, RECORD_RIP_PAGE);
  cpu.u8.fill(0, RECORD, RECORD + L.RECORD_SIZE);
  cpu.u16[(RECORD + R.REC_OFFSET) >>> 1] = RECORD_OFFSET;
  cpu.u8[RECORD + R.REC_LENGTH] = RECORD_LENGTH;
  cpu.u8[RECORD + R.REC_EA] = fields.ea ?? R.EA_FULL;
  cpu.u16[(RECORD + R.REC_A) >>> 1] = GPR(fields.reg ?? 0);
  cpu.u16[(RECORD + R.REC_B) >>> 1] = fields.rm === undefined ? L.ZERO_SLOT : GPR(fields.rm);
  cpu.u16[(RECORD + R.REC_X) >>> 1] = L.ZERO_SLOT;
  cpu.u8[RECORD + R.REC_SEGMENT] = (fields.segment ?? L.SEGMENT_NONE) * 8;
  cpu.u8[RECORD + R.REC_REP] = fields.rep ?? 0;
  cpu.u8[RECORD + R.REC_MISC] = fields.addressSize ?? (cpu.code64 ? 8 : 4);
  cpu.i32[(RECORD + R.REC_IMMEDIATE) >>> 2] = fields.immediate ?? 0;
  cpu.i32[(RECORD + R.REC_DISPLACEMENT) >>> 2] = fields.displacement ?? 0;
  cpu.u32[(RECORD + R.REC_LINK) >>> 2] = fields.second ?? 0;
  return RECORD;
}

export const INSTRUCTION_RIP = RECORD_RIP_PAGE + RECORD_OFFSET;
export const NEXT_RIP = INSTRUCTION_RIP + RECORD_LENGTH;

// Fixed places in RAM.
export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS = 0x3000;
export const PML4 = 0x10000;
export const PDPT = 0x11000;
export const PD = 0x12000;
export const PT = 0x13000;

export const KERNEL_CODE = 0x08;
export const KERNEL_DATA = 0x10;
export const USER_DATA = 0x1b;
export const USER_CODE = 0x23;
export const TSS_SELECTOR = 0x28;
const LDT_SLOT = 0x38;
export const CALL_GATE = LDT_SLOT;

/** A code or data descriptor: VMX-style access rights, 4 GiB when G is set. */
export function descriptor(base: number, limit: number, access: number): bigint {
  const value =
    BigInt(limit & 0xffff) |
    (BigInt(base & 0xffffff) << 16n) |
    (BigInt(access & 0xff) << 40n) |
    (BigInt((limit >>> 16) & 0xf) << 48n) |
    (BigInt((access >>> 12) & 0xf) << 52n) |
    (BigInt(base >>> 24) << 56n);
  return value;
}

function flat(selector: number, access: number): SegmentRegister {
  return { selector, base: 0n, limit: 0xffffffff, access };
}

function baseState(): CpuState {
  return {
    ...applicationProcessorState(0),
    waitForSipi: false,
    rip: BigInt(INSTRUCTION_RIP),
    gdtr: { base: BigInt(GDT), limit: 0x7f },
    idtr: { base: BigInt(IDT), limit: 0xfff },
    tr: { selector: TSS_SELECTOR, base: BigInt(TSS), limit: 0x67, access: 0x8b },
  };
}

function writeGdt(bench: Bench, code64: boolean): void {
  const kernelCode = code64 ? 0xa09b : 0xc09b;
  const userCode = code64 ? 0xa0fb : 0xc0fb;
  bench.poke(GDT + 0x08, 8, descriptor(0, 0xfffff, kernelCode));
  bench.poke(GDT + 0x10, 8, descriptor(0, 0xfffff, 0xc093));
  bench.poke(GDT + 0x18, 8, descriptor(0, 0xfffff, 0xc0f3));
  bench.poke(GDT + 0x20, 8, descriptor(0, 0xfffff, userCode));
  bench.poke(GDT + 0x28, 8, descriptor(TSS, 0x67, 0x89));
  bench.poke(GDT + 0x30, 8, 0);
}

/** 64-bit mode at a privilege level: identity map of the first 2 MiB in 4 KiB pages, user-accessible and writable. */
export function longMode(bench: Bench, cpl = 0): void {
  writeGdt(bench, true);
  bench.poke(PML4, 8, PDPT | 7);
  bench.poke(PDPT, 8, PD | 7);
  bench.poke(PD, 8, PT | 7);
  for (let page = 0; page < 512; page++) bench.poke(PT + page * 8, 8, (page << 12) | 7);
  writeState(bench.cpu, {
    ...baseState(),
    cs: flat(cpl === 3 ? USER_CODE : KERNEL_CODE, cpl === 3 ? 0xa0fb : 0xa09b),
    ss: flat(cpl === 3 ? USER_DATA : KERNEL_DATA, cpl === 3 ? 0xc0f3 : 0xc093),
    cr0: 0x80010011n,
    cr3: BigInt(PML4),
    cr4: 0x620n,
    efer: 0xd01n,
    rflags: 2n,
  });
}

/** 32-bit protected mode without paging. */
export function protectedMode(bench: Bench, cpl = 0): void {
  writeGdt(bench, false);
  const data = flat(cpl === 3 ? USER_DATA : KERNEL_DATA, cpl === 3 ? 0xc0f3 : 0xc093);
  writeState(bench.cpu, {
    ...baseState(),
    cs: flat(cpl === 3 ? USER_CODE : KERNEL_CODE, cpl === 3 ? 0xc0fb : 0xc09b),
    ss: data,
    ds: { ...data },
    es: { ...data },
    cr0: 0x11n,
    rflags: 2n,
  });
}

/** A 64-bit interrupt or trap gate. */
export function gate64(
  bench: Bench,
  vector: number,
  offset: bigint,
  options: { ist?: number; dpl?: number } = {},
): void {
  const low = (offset & 0xffffn) | (BigInt(KERNEL_CODE) << 16n) | (BigInt(options.ist ?? 0) << 32n);
  const type = 0x8e00n | (BigInt(options.dpl ?? 0) << 13n);
  bench.poke(IDT + vector * 16, 8, low | (type << 32n) | (((offset >> 16n) & 0xffffn) << 48n));
  bench.poke(IDT + vector * 16 + 8, 8, (offset >> 32n) & 0xffffffffn);
}

/** A 32-bit interrupt gate. */
export function gate32(bench: Bench, vector: number, offset: number, dpl = 0): void {
  bench.poke(IDT + vector * 8, 4, (offset & 0xffff) | (KERNEL_CODE << 16));
  bench.poke(IDT + vector * 8 + 4, 4, (offset & 0xffff0000) | 0x8e00 | (dpl << 13));
}
