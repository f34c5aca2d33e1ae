/**
 * Delivery of exceptions in 64-bit mode: what is pushed, IST, gates and their checks, double and triple faults.
 *
 * Specification: SDM vol. 3A §6.12–6.15.
 */
import { at, byte, ds, eax, ecx, qword, rax, rbx, rcx, rsp } from "../../support/asm/index.js";
import { CF, ZF } from "../../support/model/flags.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { P, RW } from "../support/page-tables.js";

const DE = 0;
const BP = 3;
const UD = 6;
const DF = 8;
const NP = 11;
const GP = 13;
const PF = 14;
const INTERRUPT_GATE = 0xe;
const TRAP_GATE = 0xf;
const IF = 0x200n;
const TF = 0x100n;
const NT = 0x4000n;
const RF = 0x10000n;
/** Error-code bits of a selector: EXT, IDT; SDM vol. 3A §6.13. */
const ERROR_IDT = 2;
const EXT = 1;

/** Error code that names a gate. QEMU 7.2 shifts by 4 in 64-bit mode and never sets EXT; the SDM is right. */
const idt = (vector: number, ext = 0): { error: number; onQemu: { error: number } } => ({
  error: (vector << 3) | ERROR_IDT | ext,
  onQemu: { error: (vector << 4) | ERROR_IDT },
});

function frames(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.gates.set(BP, { selector: layout.KERNEL_CODE, offset: 0, type: TRAP_GATE, dpl: 3 });
  a.push(0x246 | 1).popf();
  g.fault(
    {
      vector: UD,
      cs: layout.KERNEL_CODE,
      ss: layout.KERNEL_DATA,
      rsp: BigInt(layout.STACK_TOP),
      flagsSet: IF | CF | ZF,
      flagsClear: TF,
      note: "#UD",
    },
    () => a.ud2(),
  );
  g.expectFlags(IF | CF | ZF, TF, "flags come back");
  a.label("int3").int3().label("afterInt3");
  g.expectEvent({
    vector: BP,
    rip: "afterInt3",
    flagsSet: IF,
    flagsClear: RF,
    note: "INT3 pushes the address behind it, RF clear",
  });
  a.int(0x81).label("afterInt");
  g.expectEvent({ vector: 0x81, rip: "afterInt", note: "INT n" });
  a.push(rsp).sub(rsp, 4);
  g.fault(
    { vector: UD, rsp: BigInt(layout.STACK_TOP - 12), note: "an unaligned RSP is pushed as it was" },
    () => a.ud2(),
  );
  g.expect(rsp, layout.STACK_TOP - 12, "and comes back");
  a.add(rsp, 12);
  // Handlers run on a stack aligned to 16 bytes: SS at the top, 5 words below.
  a.mov(rax, qword(layout.STACK_TOP - 32));
  g.expect(rax, layout.STACK_TOP - 12, "the frame was aligned down to 16 bytes, then SS, RSP");
  a.cli();
  g.exit();
}

/** SDM vol. 3A §6.14.2 and vol. 3B §17.3.1.1: RF is set in the image that a fault pushes. */
function resumeFlag(g: GuestBuilder): void {
  prologue(g.a);
  g.fault({ vector: UD, flagsSet: RF }, (a) => a.ud2());
  g.a.xor(ecx, ecx);
  g.fault({ vector: DE, flagsSet: RF }, (a) => a.div(ecx));
  g.fault({ vector: PF, cr2: 0x5000_0000n, flagsSet: RF }, (a) => a.mov(rax, qword(0x5000_0000)));
  g.exit();
}

function gates(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const code = layout.KERNEL_CODE;
  g.gates.set(0x82, { selector: code, offset: 0, type: INTERRUPT_GATE, label: "interruptGate" });
  g.gates.set(0x83, { selector: code, offset: 0, type: TRAP_GATE, label: "trapGate" });
  g.gates.set(0x84, { selector: code, offset: 0, type: INTERRUPT_GATE, present: false });
  g.gates.set(0x85, { selector: layout.KERNEL_DATA, offset: 0, type: INTERRUPT_GATE });
  g.gates.set(0x86, { selector: 0, offset: 0, type: INTERRUPT_GATE });
  g.gates.set(0x87, { selector: code, offset: 0, type: 0x5 });
  g.gates.set(0x88, { selector: layout.COMPAT_CODE, offset: 0, type: INTERRUPT_GATE });
  g.gates.set(0x89, { selector: 0x3f8, offset: 0, type: INTERRUPT_GATE });
  a.sti().int(0x82);
  g.expect(rbx, 0, "an interrupt gate clears IF", IF);
  g.expectFlags(IF, 0n, "IRETQ sets IF again");
  a.int(0x83);
  g.expect(rbx, IF, "a trap gate keeps IF", IF);
  a.cli();
  g.fault({ vector: NP, ...idt(0x84), note: "a gate that is not present" }, () => a.int(0x84));
  g.fault({ vector: GP, error: layout.KERNEL_DATA, note: "a gate to a data segment" }, () => a.int(0x85));
  g.fault({ vector: GP, error: 0, note: "a gate with a null selector" }, () => a.int(0x86));
  g.fault({ vector: GP, ...idt(0x87), note: "a task gate in 64-bit mode" }, () => a.int(0x87));
  g.fault({ vector: GP, error: layout.COMPAT_CODE, note: "a gate to 32-bit code" }, () => a.int(0x88));
  g.fault({ vector: GP, error: 0x3f8, note: "a gate beyond the contents of the GDT" }, () => a.int(0x89));
  g.user(() => {
    g.fault({ vector: GP, ...idt(0x20), cs: layout.USER_CODE64, note: "INT n to a gate of DPL 0" }, () =>
      a.int(0x20),
    );
    g.fault({ vector: GP, ...idt(DE), note: "also to an exception's gate" }, () => a.int(DE));
  });
  g.fault({ vector: PF, error: 0, cr2: 0x5000_0000n, note: "no limit on exceptions of the CPU itself" }, () =>
    a.mov(rax, qword(0x5000_0000)),
  );
  a.lidt(at("short"));
  g.fault({ vector: GP, ...idt(0x90), note: "a vector beyond the IDT's limit" }, () => a.int(0x90));
  g.exit();
  a.label("short")
    .dw(16 * 0x80 - 1)
    .dq(layout.IDT);
  a.label("interruptGate").pushf().pop(rbx).iretq();
  a.label("trapGate").pushf().pop(rbx).iretq();
}

function stacks(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const code = layout.KERNEL_CODE;
  g.gates.set(0x82, { selector: code, offset: 0, type: INTERRUPT_GATE, ist: 2, label: "ist2" });
  g.gates.set(0x83, { selector: code, offset: 0, type: INTERRUPT_GATE, dpl: 3, label: "rsp0" });
  a.int(0x82);
  g.expect(rbx, layout.IST_TOPS[1] - 40, "IST 2, five words pushed");
  g.expect(rsp, layout.STACK_TOP, "and back");
  g.user(() => {
    a.int(0x83);
    g.expect(rbx, layout.RSP0_TOP - 40, "RSP0 on an entry from user mode");
    g.expect(rax, 0, "SS is null on an entry to CPL 0");
    g.expect(rcx, layout.USER_DATA_SELECTOR, "the user SS is pushed");
    g.expect(rsp, layout.USER_STACK_TOP, "the user RSP comes back");
  });
  g.exit();
  a.label("ist2").mov(rbx, rsp).iretq();
  a.label("rsp0").mov(rbx, rsp).xor(eax, eax).db(0x8c, 0xd0).mov(rcx, qword(rsp, 32)).iretq();
}

function interruptReturn(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const frame = (rip: number | string, cs: number, flags: number, rspValue: number, ss: number): void => {
    a.push(ss).push(rspValue).push(flags).push(cs);
    if (typeof rip === "number") a.push(rip);
    else a.mov(rax, { kind: "label", label: rip, addend: 0 }).push(rax);
  };
  const refused = (
    note: string,
    error: number,
    ...parts: [number | string, number, number, number, number]
  ): void => {
    frame(...parts);
    g.fault({ vector: GP, error, note }, () => a.iretq());
    a.add(rsp, 40);
  };
  refused("IRETQ to a null CS", 0, layout.CODE, 0, 2, layout.STACK_TOP, 0x10);
  refused("IRETQ to a data segment", 0x10, layout.CODE, 0x10, 2, layout.STACK_TOP, 0x10);
  refused(
    "IRETQ to an inner level by RPL",
    layout.USER_CODE64 & ~3,
    layout.CODE,
    layout.USER_CODE64 & ~3,
    2,
    layout.STACK_TOP,
    0x10,
  );
  refused(
    "IRETQ to user code with a kernel SS",
    0x10,
    layout.USER_CODE,
    layout.USER_CODE64,
    2,
    layout.STACK_TOP,
    0x10,
  );
  refused(
    "IRETQ to user code with a null SS",
    0,
    layout.USER_CODE,
    layout.USER_CODE64,
    2,
    layout.STACK_TOP,
    0,
  );
  a.push(0x10)
    .push(layout.STACK_TOP - 64)
    .push(0x2 | Number(CF))
    .push(layout.KERNEL_CODE);
  a.mov(rax, { kind: "label", label: "target", addend: 0 }).push(rax).iretq();
  g.expectSkipped("code behind IRETQ");
  a.label("target");
  g.expect(rsp, layout.STACK_TOP - 64, "IRETQ loads RSP also without a change of level");
  g.expectFlags(CF, ZF, "and the flags");
  a.mov(rsp, layout.STACK_TOP)
    .push(Number(NT | 2n))
    .popf();
  frame("nt", layout.KERNEL_CODE, 2, layout.STACK_TOP, 0x10);
  g.fault({ vector: GP, error: 0, note: "IRET with NT=1 in 64-bit mode" }, () => a.iretq());
  a.push(2).popf().mov(rsp, layout.STACK_TOP).label("nt");
  g.user(() => {
    a.push(layout.USER_DATA_SELECTOR).push(layout.USER_STACK_TOP).push(0x3202).push(layout.USER_CODE64);
    a.mov(rax, { kind: "label", label: "userTarget", addend: 0 }).push(rax).iretq().label("userTarget");
    g.expectFlags(0n, IF | 0x3000n, "IRETQ at CPL 3 > IOPL changes neither IF nor IOPL");
  });
  g.exit();
}

function doubleFault(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  // #GP's gate is absent: #GP then #NP is two contributory exceptions.
  g.gates.set(GP, { selector: layout.KERNEL_CODE, offset: 0, type: INTERRUPT_GATE, present: false });
  g.gates.set(DF, { selector: layout.KERNEL_CODE, offset: 0, type: INTERRUPT_GATE, ist: 1 });
  a.mov(eax, 0x3f8);
  g.fault({ vector: DF, error: 0, note: "#GP, then #NP: double fault" }, () => a.movToSegment(ds, eax));
  // A benign first exception: #UD then #NP is delivered serially.
  a.mov(ecx, layout.IDT + 16 * UD + 5).mov(byte(rcx), 0x0e);
  g.fault(
    {
      vector: NP,
      ...idt(UD, EXT),
      note: "#UD, then #NP: not a double fault; EXT tells of the earlier exception",
    },
    () => a.ud2(),
  );
  // #PF's gate absent: #PF then a contributory exception is a double fault.
  a.mov(ecx, layout.IDT + 16 * PF + 5).mov(byte(rcx), 0x0e);
  g.fault({ vector: DF, error: 0, note: "#PF, then #NP: double fault" }, () =>
    a.mov(rax, qword(0x5000_0000)),
  );
  g.exit();
}

function doubleFaultByStack(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.gates.set(DF, { selector: layout.KERNEL_CODE, offset: 0, type: INTERRUPT_GATE, ist: 1 });
  a.mov(rbx, rsp).mov(rsp, 0x5000_0000);
  g.resumeAt("back");
  g.expectEvent({
    vector: DF,
    error: 0,
    rip: "ud",
    note: "#UD pushes to an absent page: #PF while delivering #UD is delivered; its own push faults again: #DF",
  });
  a.label("ud").ud2();
  a.label("back").mov(rsp, rbx);
  g.exit();
}

function tripleFault(g: GuestBuilder, how: (a: GuestBuilder["a"]) => void): void {
  prologue(g.a);
  g.tables.map(0x5000_0000, 0x280000, P | RW);
  how(g.a);
  g.expectSkipped("code behind a triple fault");
  g.expectShutdown();
}

export function exceptionGuests(): Guest[] {
  const cites = "SDM vol. 3A §6.15, #DF";
  return [
    guest("what an exception pushes", { cites: "SDM vol. 3A §6.14.2–6.14.4" }, frames),
    guest(
      "a fault pushes RF set",
      {
        cites: "SDM vol. 3B §17.3.1.1",
        notOnQemu: "QEMU 7.2 leaves RF clear in the image; the SDM is right",
      },
      resumeFlag,
    ),
    guest("gates and their checks", { cites: "SDM vol. 3A §6.12.1, §6.14.1" }, gates),
    guest("IST and RSP0", { cites: "SDM vol. 3A §6.14.5, §7.7" }, stacks),
    guest("IRETQ and its checks", { cites: "SDM vol. 2A, IRET" }, interruptReturn),
    guest("contributory exceptions make a double fault", { cites: "SDM vol. 3A table 6-5" }, doubleFault),
    guest(
      "a stack that is not there makes a double fault",
      { cites: "SDM vol. 3A table 6-5" },
      doubleFaultByStack,
    ),
    guest("an empty IDT makes a triple fault", { cites }, (g) =>
      tripleFault(g, (a) => a.lidt(at("empty")).jmp("go").label("empty").dw(0).dq(0).label("go").ud2()),
    ),
    guest("a double fault whose stack is absent makes a triple fault", { cites }, (g) =>
      tripleFault(g, (a) => a.mov(rsp, 0x6000_0000).ud2()),
    ),
  ];
}
