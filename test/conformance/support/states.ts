/**
 * Start states of conformance guests as plain `CpuState`: real mode, flat 32-bit protected mode, 64-bit mode.
 *
 * Specification: SDM vol. 3A §2.5 (control registers), §9.8.5 (long mode), §20.1 (real-address mode); vol. 3C
 * §24.4.1 (access rights).
 */
import type { CpuState, SegmentRegister } from "../../../src/x86/cpu-state.js";
import * as layout from "./layout.js";

export type StartMode = 16 | 32 | 64;

const CR0_PE = 0x1n;
const CR0_MP = 0x2n;
const CR0_ET = 0x10n;
const CR0_NE = 0x20n;
const CR0_WP = 0x10000n;
const CR0_PG = 0x80000000n;
const CR4_PAE = 0x20n;
const CR4_OSFXSR = 0x200n;
const CR4_OSXMMEXCPT = 0x400n;
const EFER_SCE = 0x1n;
const EFER_LME = 0x100n;
const EFER_LMA = 0x400n;
const EFER_NXE = 0x800n;
const RFLAGS_FIXED = 0x2n;
const DR6_RESET = 0xffff0ff0n;
const DR7_RESET = 0x400n;

const ACCESS_CODE64 = 0xa09b;
const ACCESS_CODE32 = 0xc09b;
const ACCESS_DATA = 0xc093;
const ACCESS_REAL_CODE = 0x9b;
const ACCESS_REAL_DATA = 0x93;
const ACCESS_TSS_BUSY = 0x8b;
const ACCESS_UNUSABLE = 0x10000;

const segment = (selector: number, base: number, limit: number, access: number): SegmentRegister => ({
  selector,
  base: BigInt(base),
  limit,
  access,
});

function common(): Omit<CpuState, "es" | "cs" | "ss" | "ds" | "fs" | "gs" | "cr0" | "cr3" | "cr4" | "efer"> {
  return {
    gpr: Array.from({ length: 16 }, () => 0n),
    rip: 0n,
    rflags: RFLAGS_FIXED,
    ldtr: segment(0, 0, 0, ACCESS_UNUSABLE),
    tr: segment(0, 0, 0xffff, ACCESS_TSS_BUSY),
    gdtr: { base: BigInt(layout.GDT), limit: layout.GDT_LIMIT },
    idtr: { base: 0n, limit: 0xffff },
    cr2: 0n,
    dr: [0n, 0n, 0n, 0n, 0n, 0n, DR6_RESET, DR7_RESET],
    msrs: {},
    halted: false,
    waitForSipi: false,
  };
}

function protectedState(start: number, code: number): CpuState {
  const data = (): SegmentRegister => segment(layout.KERNEL_DATA, 0, 0xffffffff, ACCESS_DATA);
  const state: CpuState = {
    ...common(),
    cs: segment(layout.KERNEL_CODE, 0, 0xffffffff, code),
    es: data(),
    ss: data(),
    ds: data(),
    fs: data(),
    gs: data(),
    cr0: CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP,
    cr3: 0n,
    cr4: CR4_OSFXSR | CR4_OSXMMEXCPT,
    efer: 0n,
  };
  state.rip = BigInt(start);
  state.gpr[4] = BigInt(layout.STACK_TOP);
  return state;
}

function realState(): CpuState {
  const data = (): SegmentRegister => segment(0, 0, 0xffff, ACCESS_REAL_DATA);
  const state: CpuState = {
    ...common(),
    cs: segment(layout.REAL_CODE >> 4, layout.REAL_CODE, 0xffff, ACCESS_REAL_CODE),
    es: data(),
    ss: data(),
    ds: data(),
    fs: data(),
    gs: data(),
    cr0: CR0_ET,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
  };
  state.gdtr = { base: 0n, limit: 0xffff };
  state.idtr = { base: 0n, limit: 0x3ff };
  state.gpr[4] = BigInt(layout.REAL_STACK_TOP);
  return state;
}

/** The state before the first instruction of a guest in `mode`. */
export function startState(mode: StartMode): CpuState {
  if (mode === 16) return realState();
  if (mode === 32) return protectedState(layout.CODE, ACCESS_CODE32);
  const state = protectedState(layout.CODE, ACCESS_CODE64);
  state.cr0 |= CR0_PG;
  state.cr3 = BigInt(layout.PAGE_TABLES);
  state.cr4 |= CR4_PAE;
  state.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
  return state;
}
