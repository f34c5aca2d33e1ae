/**
 * Runs random programs on engines side by side: interpreted, compiled at once, compiled and checked. They get the same
 * events at the same instructions and must agree wherever they are stopped.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Cpu, Engine, Vm } from "../../src/engine/contract.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { MSR_IA32_FMASK, MSR_IA32_LSTAR, MSR_IA32_STAR } from "../../src/spec/x86-msr.js";
import { CR0_WP, CR4_OSFXSR, CR4_OSXMMEXCPT, EFER_SCE } from "../../src/spec/x86-privileged.js";
import { DEFAULT_CPU_FEATURES } from "../../src/x86/cpu-features.js";
import type { CpuState } from "../../src/x86/cpu-state.js";
import { cpuidTable } from "../../src/x86/cpuid-table.js";
import { longMode64 } from "../../src/x86/entry-states.js";
import { BOOT_CS, bootGdt } from "../../src/x86/gdt.js";
import {
  Assembler,
  cr2,
  dword,
  gate64,
  memory,
  r11,
  rax,
  rcx,
  rsp,
  TYPE_INTERRUPT_GATE,
} from "../support/asm/index.js";
import { Random } from "../support/random.js";
import { silentHost } from "./bare-guest.js";
import { writeWords } from "./fuzz-paging.js";
import { CODE, COUNTS, PAGE, PAGE_TABLE, TWIN, writeProgram, type Program } from "./program-code.js";

const RAM_SIZE = 0x200000;
const GDT = 0x1000;
const IDT = 0x2000;
const HANDLERS = 0x3000;
const PML4 = 0x8000;
const PDPT = 0x9000;
const DIRECTORY = 0xa000;
const STACK = 0x60000;
const PRESENT_WRITABLE = 3;
const ENTRIES = 512;
const VECTORS = 256;
const IRQ = 0x40;
const CALLS = [3, IRQ, IRQ + 1];
const TF = 0x100;
const RF = 0x10000;
const FLAGS_AT_START = 0x202n;
/** Position of SYSCALL's selectors in IA32_STAR. */
const STAR_SYSCALL_CS = 32n;
/** Offset of RFLAGS in an interrupt frame. */
const FRAME_FLAGS = 16;

/** Where a host writes to when a program has no constants. */
const SPARE = 0x70000;

const LEGS = 60;
const LONGEST_LEG = 20_000;
const MEMORY_EVERY = 15;

/** Handlers: a page fault makes the page present and writable, steps end after a while, calls count. */
function handlers(): {
  bytes: { address: number; bytes: Uint8Array }[];
  at: Map<number, number>;
  system: number;
  other: number;
} {
  const a = new Assembler(HANDLERS, 64);
  const flags = dword(rsp, FRAME_FLAGS);
  a.label("fault").push(rax).movSystem(rax, cr2);
  a.invlpg(memory(0, rax)).shr(rax, 12).cmp(rax, ENTRIES).jcc("ae", "other");
  a.or(dword({ index: rax, scale: 8, disp: PAGE_TABLE }), PRESENT_WRITABLE);
  a.inc(dword(COUNTS)).pop(rax).add(rsp, 8).iretq();
  a.label("step")
    .inc(dword(COUNTS + 4))
    .test(dword(COUNTS + 4), 0xf)
    .jcc("ne", "on")
    .and(flags, ~TF);
  a.label("on").or(flags, RF).iretq();
  a.label("call")
    .inc(dword(COUNTS + 8))
    .iretq();
  // A system call from supervisor code: SYSRET would leave for user mode.
  a.label("system")
    .inc(dword(COUNTS + 8))
    .push(r11)
    .popf()
    .jmpAt(rcx);
  a.label("other")
    .inc(dword(COUNTS + 12))
    .hlt();
  const at = new Map<number, number>([
    [14, a.address("fault")],
    [1, a.address("step")],
    ...CALLS.map((vector): [number, number] => [vector, a.address("call")]),
  ]);
  return { bytes: a.link(), at, system: a.address("system"), other: a.address("other") };
}

interface World {
  program: Program;
  twin: Program;
  state: CpuState;
}

function makeWorld(seed: number): World {
  const shape = (): Random => new Random(seed);
  const program = writeProgram(shape(), new Random(seed + 1));
  const twin = writeProgram(shape(), new Random(seed + 2));
  const start = longMode64(
    { entry: BigInt(CODE), gdtBase: GDT, registers: { rsp: BigInt(STACK) } },
    BigInt(PML4),
  );
  const state = {
    ...start,
    cr0: start.cr0 | BigInt(CR0_WP),
    cr4: start.cr4 | BigInt(CR4_OSFXSR | CR4_OSXMMEXCPT),
    efer: start.efer | BigInt(EFER_SCE),
    msrs: {
      [MSR_IA32_STAR]: BigInt(BOOT_CS) << STAR_SYSCALL_CS,
      [MSR_IA32_LSTAR]: BigInt(handlers().system),
      [MSR_IA32_FMASK]: BigInt(TF) | FLAGS_AT_START,
    },
    rflags: FLAGS_AT_START,
    idtr: { base: BigInt(IDT), limit: VECTORS * 16 - 1 },
  };
  return { program, twin, state };
}

function writeWorld(vm: Vm, { program, twin }: World): void {
  const { memory: ram } = vm;
  for (const { address, bytes } of program.chunks) ram.write(address, bytes);
  for (const { address, bytes } of twin.chunks) ram.write(address - CODE + TWIN, bytes);
  const gdt = bootGdt(64);
  ram.write(GDT, gdt.bytes);
  const { bytes, at, other } = handlers();
  for (const chunk of bytes) ram.write(chunk.address, chunk.bytes);
  const gates = Array.from({ length: VECTORS }, (_, vector) =>
    gate64({ selector: gdt.code.selector, offset: at.get(vector) ?? other, type: TYPE_INTERRUPT_GATE }),
  );
  writeWords(ram, IDT, gates.flat());
  for (const [table, next] of [
    [PML4, PDPT],
    [PDPT, DIRECTORY],
    [DIRECTORY, PAGE_TABLE],
  ])
    writeWords(ram, table, [BigInt(next | PRESENT_WRITABLE)]);
  writeWords(
    ram,
    PAGE_TABLE,
    Array.from({ length: ENTRIES }, (_, i) => BigInt((i * PAGE) | PRESENT_WRITABLE)),
  );
}

function plain(state: CpuState): Record<string, string> {
  const text = (value: unknown): string =>
    JSON.stringify(value, (_key, v: unknown) =>
      typeof v === "bigint" ? v.toString(16) : v instanceof Uint8Array ? Buffer.from(v).toString("hex") : v,
    ) ?? "";
  const registers = state.gpr.map((value, i): [string, string] => [`gpr${i}`, value.toString(16)]);
  return {
    ...Object.fromEntries(registers),
    ...Object.fromEntries(Object.entries(state).map(([k, v]) => [k, text(v)])),
  };
}

/** One engine's machine. */
class Side {
  readonly vm: Vm;
  readonly cpu: Cpu;
  private line = false;

  constructor(engine: Engine, world: World) {
    const host = {
      ...silentHost(),
      acknowledgeInterrupt: (): number => {
        if (!this.line) return -1;
        this.line = false;
        this.cpu.setInterruptLine(false);
        return IRQ;
      },
    };
    this.vm = engine.createVm({ ranges: [{ start: 0, size: RAM_SIZE }] }, host);
    this.cpu = this.vm.createCpu(
      0,
      cpuidTable({ features: DEFAULT_CPU_FEATURES, cpus: 1, tscHz: 1e9, apicHz: 1e9 }),
    );
    writeWorld(this.vm, world);
    this.cpu.writeState(world.state);
  }

  interrupt(): void {
    this.line = true;
    this.cpu.setInterruptLine(true);
  }

  /** Runs exactly so many instructions in pieces; false when the machine has stopped for good. */
  run(instructions: number, piece: (rest: number) => number): boolean {
    const end = this.cpu.instructions + instructions;
    while (this.cpu.instructions < end) {
      const exit = this.cpu.run(piece(end - this.cpu.instructions));
      if (exit.reason === "error") throw new Error(exit.detail, { cause: exit.cause });
      if (exit.reason !== "budget") return false;
    }
    return true;
  }

  memory(): string {
    return createHash("sha1").update(this.vm.memory.read(0, RAM_SIZE)).digest("hex");
  }
}

/** A breakpoint on an instruction, or none: with one a CPU runs by single instructions. */
function setBreakpoint(cpu: Cpu, at: bigint | undefined): void {
  const state = cpu.readState();
  const dr = state.dr.map((old, i) => {
    if (i === 7) return at === undefined ? old & ~1n : old | 1n;
    return i === 0 && at !== undefined ? at : old;
  });
  cpu.writeState({ ...state, dr });
}

/** What happens between two legs. */
function event(random: Random, { program, state }: World): (side: Side) => void {
  const where = random.pick([...program.constants, SPARE]) + random.pick([0, TWIN - CODE]);
  const value = Uint8Array.from({ length: 4 }, () => random.below(128));
  const head = BigInt(random.pick(program.heads));
  switch (random.below(8)) {
    case 0:
    case 1:
      return (side) => side.interrupt();
    case 2:
      return (side) => side.vm.memory.write(where, value);
    case 3:
      return ({ cpu }) => setBreakpoint(cpu, head);
    case 4:
      return ({ cpu }) => cpu.writeState({ ...cpu.readState(), rip: BigInt(CODE), gpr: state.gpr });
    default:
      return () => undefined;
  }
}

export interface ProgramReport {
  instructions: number;
  /** Of the engine that checks. */
  counters: Record<string, number>;
  /** What handlers counted: faults, steps, calls, others. */
  counts: number[];
}

/** One program on all engines; the first is the reference. Throws where another differs. */
export function runProgram(seed: number, engines: readonly Engine[]): ProgramReport {
  const world = makeWorld(seed);
  const random = new Random(seed + 3);
  const cuts = new Random(seed + 4);
  const sides = engines.map((engine) => new Side(engine, world));
  const [reference] = sides;
  try {
    for (let leg = 0; leg < LEGS; leg++) {
      const length = 1 + random.below(random.pick([20, 300, LONGEST_LEG]));
      const alive = sides.map((side, i) =>
        side.run(length, (rest) => (i === 0 ? Math.min(rest, 1 + cuts.below(500)) : rest)),
      );
      compare(sides, `seed ${seed}, leg ${leg}`, leg % MEMORY_EVERY === 0);
      if (!alive[0]) break;
      const change = event(random, world);
      for (const side of sides) {
        setBreakpoint(side.cpu, undefined);
        change(side);
      }
    }
    compare(sides, `seed ${seed}, at the end`, true);
    const words = new Uint32Array(reference.vm.memory.read(COUNTS, 16).buffer);
    const counters = sides[sides.length - 1].vm.counters();
    return { instructions: reference.cpu.instructions, counters, counts: [...words] };
  } finally {
    for (const { vm } of sides) vm.dispose();
  }
}

function compare([reference, ...others]: readonly Side[], where: string, memory: boolean): void {
  const expected = plain(reference.cpu.readState());
  others.forEach((side, i) => {
    const name = `${where}: engine ${i + 1} after ${reference.cpu.instructions} instructions`;
    assert.deepEqual(plain(side.cpu.readState()), expected, name);
    assert.equal(side.cpu.instructions, reference.cpu.instructions, name);
    if (memory) assert.equal(side.memory(), reference.memory(), `${name}: memory`);
  });
}

/** What many programs did, added up. */
export interface FuzzSum {
  instructions: number;
  inRegions: number;
  checked: number;
  dropped: number;
  faults: number;
  steps: number;
  calls: number;
}

const SEED_STEP = 7919;

/** Runs programs interpreted, compiled, and compiled and checked. */
export function runPrograms(first: number, programs: number): FuzzSum {
  const engines = [
    createWasmEngine({ jit: "off" }),
    createWasmEngine({ jit: "eager" }),
    createWasmEngine({ jit: "check", eager: true, statistics: { now: () => 0 } }),
  ];
  const sum = { instructions: 0, inRegions: 0, checked: 0, dropped: 0, faults: 0, steps: 0, calls: 0 };
  for (let seed = first; seed < first + programs; seed++) {
    const { instructions, counters, counts } = runProgram(seed * SEED_STEP, engines);
    sum.instructions += instructions;
    sum.inRegions += counters["instructionsInRegions"];
    sum.checked += counters["instructionsChecked"];
    sum.dropped += counters["regionsDropped"];
    sum.faults += counts[0];
    sum.steps += counts[1];
    sum.calls += counts[2];
  }
  return sum;
}
