/**
 * States of a CPU at the first instruction of a kernel: 32-bit flat protected mode, 64-bit long mode, 16-bit
 * real mode, and after reset. Loaders add the registers their protocol names. Knows no protocol.
 *
 * Specification: SDM vol. 3A table 9-1 (reset), §9.9 (mode switching).
 */
import { DEBUG_REGISTERS } from "../spec/x86-encoding.js";
import { wide } from "../bytes/words.js";
import {
  CR0_CD,
  CR0_ET,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR4_PAE,
  DR6_ONES,
  DR7_ONES,
  EFER_LMA,
  EFER_LME,
  FLAG_ALWAYS,
} from "../spec/x86-privileged.js";
import { GPR_NAMES, type CpuState, type SegmentRegister } from "./cpu-state.js";
import { bootGdt, type BootSelectors } from "./gdt.js";
import { realModeSegment, resetLdt, resetTask, unusableSegment } from "./segments.js";

export type GprName = (typeof GPR_NAMES)[number];
/** General registers to set; the others are zero. */
export type GprValues = Partial<Record<GprName, bigint>>;

const REAL_MODE_IDT_LIMIT = 0x3ff;
const RESET_TABLE_LIMIT = 0xffff;
const RESET_CS_SELECTOR = 0xf000;
const RESET_CS_BASE = 0xffff_0000n;
const RESET_RIP = 0xfff0n;

/** The 16 general registers in encoding order. */
export function generalRegisters(values: GprValues): bigint[] {
  return GPR_NAMES.map((name) => values[name] ?? 0n);
}

/** What 32-bit and 64-bit entries need: where the GDT lies and where to begin. */
export interface FlatEntry {
  /** Guest-physical = linear address of the first instruction. */
  entry: bigint;
  /** Guest-physical address that the GDT of `bootGdt` is placed at. */
  gdtBase: number;
  /** Of that table; absent: those of the Linux boot protocol. */
  selectors?: BootSelectors;
  registers: GprValues;
}

/** Flat 4 GiB segments, paging off, interrupts off, direction flag clear: Linux 32-bit entry, PVH, multiboot. */
export function protectedMode32(entry: FlatEntry): CpuState {
  return flatState(entry, 32, { cr0: wide(CR0_PE | CR0_ET), cr3: 0n, cr4: 0n, efer: 0n });
}

/** Long mode with the given page tables, interrupts off: Linux 64-bit entry. */
export function longMode64(entry: FlatEntry, cr3: bigint): CpuState {
  return flatState(entry, 64, {
    cr0: wide(CR0_PE | CR0_ET | CR0_PG),
    cr3,
    cr4: wide(CR4_PAE),
    efer: wide(EFER_LME | EFER_LMA),
  });
}

function flatState(
  { entry, gdtBase, selectors, registers }: FlatEntry,
  width: 32 | 64,
  control: Pick<CpuState, "cr0" | "cr3" | "cr4" | "efer">,
): CpuState {
  const gdt = bootGdt(width, selectors);
  return {
    ...baseState(gdt.data),
    ...control,
    gpr: generalRegisters(registers),
    rip: entry,
    cs: { ...gdt.code },
    ldtr: unusableSegment(),
    tr: { ...gdt.task },
    gdtr: { base: BigInt(gdtBase), limit: gdt.limit },
    idtr: { base: 0n, limit: 0 },
  };
}

/** Real mode at `cs`:`ip`, all data segments `ds`, as a boot loader enters 16-bit set-up code. */
export function realMode16(cs: number, ip: number, ds: number, registers: GprValues): CpuState {
  return {
    ...baseState(realModeSegment(ds, false)),
    gpr: generalRegisters(registers),
    rip: BigInt(ip),
    cr0: wide(CR0_ET),
    cs: realModeSegment(cs, true),
    idtr: { base: 0n, limit: REAL_MODE_IDT_LIMIT },
  };
}

/** After power-on: real mode at 0xfffffff0, `edx` holds the CPU signature (CPUID 1 EAX). */
export function resetState(signature: number): CpuState {
  return {
    ...baseState(realModeSegment(0, false)),
    gpr: generalRegisters({ rdx: BigInt(signature) }),
    rip: RESET_RIP,
    cr0: wide(CR0_ET | CR0_NW | CR0_CD),
    cs: { ...realModeSegment(RESET_CS_SELECTOR, true), base: RESET_CS_BASE },
  };
}

/** A CPU other than the first: the reset state, waiting for INIT and start-up interrupts. */
export function applicationProcessorState(signature: number): CpuState {
  return { ...resetState(signature), waitForSipi: true };
}

/** What all the states share; segment registers are separate copies. */
function baseState(data: SegmentRegister): CpuState {
  const debug = new Array<bigint>(DEBUG_REGISTERS).fill(0n);
  debug[6] = wide(DR6_ONES);
  debug[7] = wide(DR7_ONES);
  return {
    gpr: generalRegisters({}),
    rip: 0n,
    rflags: wide(FLAG_ALWAYS),
    es: { ...data },
    cs: { ...data },
    ss: { ...data },
    ds: { ...data },
    fs: { ...data },
    gs: { ...data },
    ldtr: resetLdt(),
    tr: resetTask(),
    gdtr: { base: 0n, limit: RESET_TABLE_LIMIT },
    idtr: { base: 0n, limit: RESET_TABLE_LIMIT },
    cr0: wide(CR0_ET),
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    dr: debug,
    msrs: {},
    halted: false,
    waitForSipi: false,
  };
}
