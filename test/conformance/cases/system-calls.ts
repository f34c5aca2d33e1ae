/**
 * SYSCALL and SYSRET, SYSENTER and SYSEXIT, SWAPGS, FSGSBASE.
 *
 * Specification: SDM vol. 2B (SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS), vol. 3A §5.8.7–5.8.8.
 */
import {
  addressOf,
  byte,
  cr4,
  eax,
  ecx,
  edx,
  gs,
  r11,
  rax,
  rbx,
  rcx,
  rdx,
  rsp,
  ss,
  ax,
  cs,
  memory,
} from "../../support/asm/index.js";
import type { Assembler, Immediate } from "../../support/asm/index.js";
import { CF, ZF } from "../../support/model/flags.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const MSR_SYSENTER_CS = 0x174;
const MSR_SYSENTER_ESP = 0x175;
const MSR_SYSENTER_EIP = 0x176;
const MSR_EFER = 0xc0000080;
const MSR_STAR = 0xc0000081;
const MSR_LSTAR = 0xc0000082;
const MSR_CSTAR = 0xc0000083;
const MSR_FMASK = 0xc0000084;
const MSR_FS_BASE = 0xc0000100;
const MSR_GS_BASE = 0xc0000101;
const MSR_KERNEL_GS_BASE = 0xc0000102;
const UD = 6;
const GP = 13;
const IF = 0x200n;
const DF = 0x400n;
const CR4_FSGSBASE = 1 << 16;
const EFER_SCE = 1;

/** Writes a label's address or a 64-bit value. Clobbers RAX, RCX, RDX. */
function writeMsr(a: Assembler, msr: number, value: Immediate): void {
  a.mov(ecx, msr).movabs(rax, value).mov(rdx, rax).shr(rdx, 32).wrmsr();
}

function setUp(g: GuestBuilder): void {
  prologue(g.a);
  const star = (BigInt((layout.USER_CODE32 & ~3) | 3) << 48n) | (BigInt(layout.KERNEL_CODE) << 32n);
  writeMsr(g.a, MSR_STAR, star);
  writeMsr(g.a, MSR_LSTAR, addressOf("lstar"));
  writeMsr(g.a, MSR_FMASK, IF | DF);
}

function enterUser(g: GuestBuilder, flags: number): void {
  g.store(layout.LOG_USER_RETURN, addressOf("finished"));
  g.a.mov(memory(64, layout.LOG_USER_STACK), rsp);
  g.a
    .push(layout.USER_DATA_SELECTOR)
    .push(layout.USER_STACK_TOP)
    .push(flags)
    .push(layout.USER_CODE64)
    .push(layout.USER_CODE)
    .iretq();
}

function syscallPair(g: GuestBuilder): void {
  setUp(g);
  const { a } = g;
  enterUser(g, 0x202 | Number(DF));
  a.label("lstar");
  g.expect(rcx, BigInt(layout.USER_CODE + 3), "RCX is the address behind SYSCALL");
  g.expect(r11, IF | DF | CF, "R11 holds the flags", IF | DF | CF);
  g.expectFlags(0n, IF | DF, "FMASK clears flags");
  a.movFromSegment(rax, cs).movFromSegment(rbx, ss);
  g.expect(ax, layout.KERNEL_CODE, "CS from STAR[47:32]");
  g.expect(rbx, layout.KERNEL_CODE + 8, "SS is CS + 8");
  g.expect(rsp, layout.USER_STACK_TOP, "RSP is untouched");
  a.mov(rsp, layout.STACK_TOP - 256);
  g.fault(
    { vector: UD, cs: layout.KERNEL_CODE, ss: layout.KERNEL_DATA, note: "the kernel works as usual" },
    () => a.ud2(),
  );
  a.mov(rsp, layout.USER_STACK_TOP)
    .mov(r11, 0x202 | Number(ZF))
    .sysret(64);
  const kernel = a.here;
  a.org(layout.USER_CODE).stc().syscall();
  a.movFromSegment(rax, cs)
    .mov(memory(64, layout.USER_DATA), rax)
    .movFromSegment(rax, ss)
    .mov(memory(64, layout.USER_DATA + 8), rax);
  a.pushf()
    .pop(rax)
    .mov(memory(64, layout.USER_DATA + 16), rax)
    .int(layout.USER_DONE_VECTOR);
  a.org(kernel).label("finished");
  g.expectAt(layout.USER_DATA, 8, BigInt(layout.USER_CODE64), "SYSRET: CS is STAR[63:48] + 16 with RPL 3");
  g.expectAt(layout.USER_DATA + 8, 8, BigInt(layout.USER_DATA_SELECTOR), "SS is STAR[63:48] + 8 with RPL 3");
  g.expectAt(layout.USER_DATA + 16, 8, IF | ZF, "flags from R11", IF | ZF | CF | DF);
  g.exit();
}

function syscallFlags(g: GuestBuilder): void {
  setUp(g);
  const { a } = g;
  enterUser(g, 2);
  a.label("lstar");
  g.expectFlags(CF, IF | DF, "flags outside FMASK stay");
  g.exit();
  a.label("finished").org(layout.USER_CODE).stc().syscall();
}

function syscallFaults(g: GuestBuilder): void {
  setUp(g);
  const { a } = g;
  a.mov(rcx, 0x0000_8000_0000_0000n).mov(rbx, rsp);
  g.user(() => g.fault({ vector: GP, note: "SYSRET at CPL 3" }, () => a.sysret(64)));
  a.mov(ecx, MSR_EFER).rdmsr().and(eax, ~EFER_SCE).wrmsr();
  g.fault({ vector: UD, note: "SYSRET with EFER.SCE=0" }, () => a.sysret(64));
  g.user(() => g.fault({ vector: UD, note: "SYSCALL with EFER.SCE=0" }, () => a.syscall()));
  g.exit();
  a.label("lstar").ud2();
}

/** SYSRET to 32-bit code, SYSCALL from it is for 64-bit kernels of AMD only: Intel raises #UD. */
function sysretTo32(g: GuestBuilder): void {
  setUp(g);
  const { a } = g;
  g.store(layout.LOG_USER_RETURN, addressOf("finished"));
  a.mov(memory(64, layout.LOG_USER_STACK), rsp).mov(ecx, layout.USER_CODE).mov(r11, 2).sysret(32);
  const kernel = a.here;
  a.org(layout.USER_CODE).bits(32);
  // In 32-bit code 40 is INC EAX, in 64-bit code a REX prefix: this shows which one runs.
  a.mov(eax, 0x40).db(0x40).movFromSegment(ecx, cs).movFromSegment(edx, ss).int(layout.USER_DONE_VECTOR);
  a.bits(64).org(kernel).label("finished").label("lstar");
  g.expect(eax, 0x41, "32-bit code ran");
  g.expect(ecx, layout.USER_CODE32, "CS is STAR[63:48] with RPL 3");
  g.expect(edx, layout.USER_DATA_SELECTOR, "SS is STAR[63:48] + 8");
  g.exit();
}

function sysretNonCanonical(g: GuestBuilder): void {
  setUp(g);
  const { a } = g;
  a.mov(rcx, 0x0000_8000_0000_0000n).mov(r11, 2);
  g.fault(
    {
      vector: GP,
      error: 0,
      cs: layout.KERNEL_CODE,
      note: "SYSRET to a non-canonical address faults at CPL 0",
    },
    () => a.sysret(64),
  );
  g.exit();
  a.label("lstar").ud2();
}

function sysenterPair(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  writeMsr(a, MSR_SYSENTER_CS, layout.KERNEL_CODE);
  writeMsr(a, MSR_SYSENTER_ESP, layout.STACK_TOP - 512);
  writeMsr(a, MSR_SYSENTER_EIP, addressOf("entry"));
  enterUser(g, 0x202);
  a.label("entry").movFromSegment(rax, cs).movFromSegment(rbx, ss);
  g.expect(ax, layout.KERNEL_CODE, "CS from SYSENTER_CS");
  g.expect(rbx, layout.KERNEL_DATA, "SS is CS + 8");
  g.expect(rsp, layout.STACK_TOP - 512, "RSP from SYSENTER_ESP");
  g.expectFlags(0n, IF, "IF is cleared");
  a.mov(rdx, layout.USER_CODE + 64)
    .mov(rcx, layout.USER_STACK_TOP - 64)
    .sysexit(64);
  const kernel = a.here;
  a.org(layout.USER_CODE)
    .sysenter()
    .padTo(layout.USER_CODE + 64);
  a.movFromSegment(rax, cs).movFromSegment(rbx, ss).mov(rcx, rsp).int(layout.USER_DONE_VECTOR);
  a.org(kernel).label("finished");
  g.expect(rax, layout.USER_CODE64, "SYSEXIT with REX.W: CS is SYSENTER_CS + 32 with RPL 3");
  g.expect(rbx, layout.USER_DATA2, "SS is SYSENTER_CS + 40 with RPL 3");
  g.expect(rcx, layout.USER_STACK_TOP - 64, "RSP from RCX");
  writeMsr(a, MSR_SYSENTER_CS, 0);
  g.user(() => {
    g.fault({ vector: GP, note: "SYSENTER with a null SYSENTER_CS" }, () => a.sysenter());
    g.fault({ vector: GP, note: "SYSEXIT at CPL 3" }, () => a.sysexit(64));
  });
  g.exit();
}

function swapgs(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  // With a null selector the base survives a return to user mode (SDM leaves it open for other selectors).
  a.xor(eax, eax).movToSegment(gs, eax);
  g.data(layout.DATA, [0x11]);
  g.data(layout.DATA + 0x100, [0x22]);
  writeMsr(a, MSR_GS_BASE, layout.DATA);
  writeMsr(a, MSR_KERNEL_GS_BASE, layout.DATA + 0x100);
  a.mov(rax, 0)
    .mov(ax, 0)
    .movzx(eax, byte({ disp: 0, segment: gs }));
  g.expect(eax, 0x11, "GS base");
  a.swapgs().movzx(eax, byte({ disp: 0, segment: gs }));
  g.expect(eax, 0x22, "SWAPGS exchanges with KERNEL_GS_BASE");
  a.mov(ecx, MSR_KERNEL_GS_BASE).rdmsr();
  g.expect(eax, layout.DATA, "KERNEL_GS_BASE holds the other");
  g.user(() => g.fault({ vector: GP, note: "SWAPGS at CPL 3" }, () => a.swapgs()));
  a.movSystem(rax, cr4).or(rax, CR4_FSGSBASE).movSystem(cr4, rax);
  a.mov(rbx, 0xffff_8000_1234_5678n).wrfsbase(rbx).xor(eax, eax).rdfsbase(rax);
  g.expect(rax, 0xffff_8000_1234_5678n, "WRFSBASE, RDFSBASE");
  a.mov(ecx, MSR_FS_BASE).rdmsr();
  g.expect(edx, 0xffff_8000, "the MSR is the same register");
  a.rdgsbase(eax);
  g.expect(rax, layout.DATA + 0x100, "RDGSBASE r32 clears the upper half");
  a.movSystem(rax, cr4).and(rax, ~CR4_FSGSBASE).movSystem(cr4, rax);
  g.fault({ vector: UD, note: "RDFSBASE without CR4.FSGSBASE" }, () => a.rdfsbase(rax));
  g.exit();
}

function canonicalBases(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.movSystem(rax, cr4).or(rax, CR4_FSGSBASE).movSystem(cr4, rax).mov(rbx, 0x0001_0000_0000_0000n);
  g.fault({ vector: GP, note: "WRGSBASE of a non-canonical value" }, () => a.wrgsbase(rbx));
  for (const msr of [MSR_GS_BASE, MSR_LSTAR, MSR_CSTAR, MSR_SYSENTER_EIP]) {
    a.mov(ecx, msr).mov(eax, 0).mov(edx, 0x8000);
    g.fault({ vector: GP, error: 0, note: `WRMSR of a non-canonical value to 0x${msr.toString(16)}` }, () =>
      a.wrmsr(),
    );
  }
  g.exit();
}

export function systemCallGuests(): Guest[] {
  return [
    guest("SYSCALL and SYSRET", { cites: "SDM vol. 2B, SYSCALL, SYSRET" }, syscallPair),
    guest(
      "SYSCALL and SYSRET fault without SCE or privilege",
      { cites: "SDM vol. 2B, SYSCALL" },
      syscallFaults,
    ),
    guest("SYSRET to 32-bit code", { cites: "SDM vol. 2B, SYSRET" }, sysretTo32),
    guest(
      "SYSRET to a non-canonical address",
      { cites: "SDM vol. 2B, SYSRET", notOnQemu: "QEMU 7.2 does as AMD: it returns and faults at CPL 3" },
      sysretNonCanonical,
    ),
    guest("SYSENTER and SYSEXIT", { cites: "SDM vol. 2B, SYSENTER, SYSEXIT" }, sysenterPair),
    guest("SWAPGS and FSGSBASE", { cites: "SDM vol. 2B, SWAPGS, WRFSBASE" }, swapgs),
    guest(
      "bases and entry points must be canonical",
      { cites: "SDM vol. 2B, WRMSR, WRGSBASE", notOnQemu: "QEMU 7.2 does not check; the SDM is right" },
      canonicalBases,
    ),
    guest(
      "SYSCALL keeps the flags that FMASK does not name",
      { cites: "SDM vol. 2B, SYSCALL", notOnQemu: "QEMU 7.2 clears the arithmetic flags; the SDM is right" },
      syscallFlags,
    ),
  ];
}
