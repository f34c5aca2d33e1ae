/**
 * MONITOR and MWAIT as one CPU sees them: privilege, faults, extensions; CLFLUSH, whose address is checked alike.
 *
 * Specification: SDM vol. 2B, MONITOR, MWAIT; vol. 2A, CLFLUSH; vol. 3A §9.10; vol. 4, IA32_MISC_ENABLE[18].
 */
import { at, ax, bl, eax, ebx, ecx, edx, rax, rcx } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import { SCRATCH_MMIO } from "../support/host.js";
import * as layout from "../support/layout.js";
import { P, RW } from "../support/page-tables.js";

const UD = 6;
const GP = 13;
const PF = 14;
const IA32_MISC_ENABLE = 0x1a0;
const MISC_ENABLE_MONITOR = 18;
const LEAF1_ECX_MONITOR = 3;
const ABSENT = 0xffff_9000_0000_0000n;
const NON_CANONICAL = 0x8000_0000_0000n;

function faults(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const ready = (): void => void a.mov(rax, layout.DATA).xor(ecx, ecx).xor(edx, edx);
  ready();
  a.mov(ecx, 1);
  g.fault({ vector: GP, error: 0, note: "MONITOR with an extension" }, () => a.monitor());
  ready();
  a.mov(rax, ABSENT);
  g.fault({ vector: PF, error: 0, cr2: ABSENT, note: "MONITOR is a load" }, () => a.monitor());
  a.mov(rax, NON_CANONICAL);
  g.fault({ vector: GP, error: 0, note: "MONITOR of an address that is not canonical" }, () => a.monitor());
  ready();
  a.mov(ecx, 2);
  g.fault({ vector: GP, error: 0, note: "MWAIT with an extension that is not defined" }, () => a.mwait());
  a.mov(rcx, 0x1_0000_0000n);
  g.fault({ vector: GP, error: 0, note: "MWAIT, upper half of RCX" }, () => a.mwait());
  g.user(() => {
    a.xor(ecx, ecx);
    g.fault({ vector: UD, note: "MONITOR at CPL 3" }, () => a.monitor());
    g.fault({ vector: UD, note: "MWAIT at CPL 3" }, () => a.mwait());
  });
  ready();
  a.mwait().mov(ebx, 1);
  g.expect(ebx, 1, "MWAIT without MONITOR does not wait");
  g.exit();
}

/** IA32_MISC_ENABLE[18] takes both away, and CPUID says so. */
function switchedOff(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(ecx, IA32_MISC_ENABLE).rdmsr().btr(rax, MISC_ENABLE_MONITOR).wrmsr();
  a.mov(rax, layout.DATA).xor(ecx, ecx).xor(edx, edx);
  g.fault({ vector: UD, note: "MONITOR switched off" }, () => a.monitor());
  g.fault({ vector: UD, note: "MWAIT switched off" }, () => a.mwait());
  a.mov(eax, 1).cpuid().bt(rcx, LEAF1_ECX_MONITOR).set("b", bl);
  g.expect(bl, 0, "CPUID follows");
  a.mov(ecx, IA32_MISC_ENABLE).rdmsr().bts(rax, MISC_ENABLE_MONITOR).wrmsr();
  a.mov(rax, layout.DATA).xor(ecx, ecx).xor(edx, edx).monitor();
  a.mov(ax, 1);
  g.exit();
}

function halts(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rax, layout.DATA).xor(ecx, ecx).xor(edx, edx).monitor().mwait();
  g.expectHalt(false);
}

/** CLFLUSH checks its address as a load does; the device there is not asked. */
function flush(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.clflush(at(layout.DATA)).mov(rax, ABSENT);
  g.fault({ vector: PF, error: 0, cr2: ABSENT, note: "an absent page" }, () => a.clflush(at(rax)));
  a.mov(rax, NON_CANONICAL);
  g.fault({ vector: GP, error: 0, note: "not canonical" }, () => a.clflush(at(rax)));
  g.tables.map(SCRATCH_MMIO, SCRATCH_MMIO, P | RW);
  a.mov(rax, BigInt(SCRATCH_MMIO)).clflush(at(rax));
  g.exit();
}

export function monitorGuests(): Guest[] {
  const ours = "QEMU 7.2 sleeps only for interrupts, and not at all without MONITOR armed";
  return [
    guest(
      "MONITOR and MWAIT: faults and privilege",
      { cites: "SDM vol. 2B, MONITOR, MWAIT", notOnQemu: ours },
      faults,
    ),
    guest(
      "IA32_MISC_ENABLE switches MONITOR off",
      { cites: "SDM vol. 4, table 2-2", notOnQemu: "QEMU 7.2 ignores the bit; the SDM is right" },
      switchedOff,
    ),
    guest("MWAIT waits", { cites: "SDM vol. 2B, MWAIT", notOnQemu: ours }, halts),
    guest(
      "CLFLUSH is checked as a load",
      {
        cites: "SDM vol. 2A, CLFLUSH",
        notOnQemu: "QEMU 7.2 looks at no address of CLFLUSH; the SDM is right",
      },
      flush,
    ),
  ];
}
