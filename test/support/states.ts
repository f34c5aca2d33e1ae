/** CPU states for tests that do not care what is in them. */
import type { CpuState, SegmentRegister } from "../../src/x86/cpu-state.js";

const segment = (): SegmentRegister => ({ selector: 0, base: 0n, limit: 0xffff, access: 0x93 });

/** All zero, interrupts off, running. */
export function emptyState(): CpuState {
  return {
    gpr: new Array<bigint>(16).fill(0n),
    rip: 0n,
    rflags: 2n,
    es: segment(),
    cs: segment(),
    ss: segment(),
    ds: segment(),
    fs: segment(),
    gs: segment(),
    ldtr: segment(),
    tr: segment(),
    gdtr: { base: 0n, limit: 0 },
    idtr: { base: 0n, limit: 0 },
    cr0: 0n,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    dr: new Array<bigint>(8).fill(0n),
    msrs: {},
    halted: false,
    waitForSipi: false,
  };
}
