/**
 * Gates and returns of IA-32e mode where they differ from protected mode: call gates to code that is not 64-bit,
 * upper halves of descriptors, stacks of the TSS, returns to 16-bit stacks, the order of checks, NMIs and IRET.
 *
 * Specification: SDM vol. 2A, CALL, RET, IRET (IA-32e parts); vol. 3A §5.8.3.1, §6.7.1, §6.14.
 */
import {
  DATA_WRITABLE,
  TYPE_CALL_GATE,
  TYPE_LDT,
  TYPE_TSS_AVAILABLE,
  addressOf,
  at,
  cx,
  ds,
  dword,
  eax,
  ebx,
  ecx,
  edi,
  es,
  esp,
  fs,
  gate64,
  gs,
  qword,
  rax,
  rbx,
  rdi,
  rsp,
  segmentDescriptor,
  systemDescriptor64,
} from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const NMI = 2;
const NP = 11;
const SS_FAULT = 12;
const GP = 13;
const INTERRUPT_GATE = 0xe;
const NON_CANONICAL = 0x8000_0000_0000n;
const TSS_RSP0 = 4;
/** Type 1 where the upper half of a descriptor has none. */
const UPPER_TYPE = 1n << 40n;
const LAPIC_SVR = 0xf0;
const LAPIC_ICR = 0x300;
const SVR_ENABLE = 0x1ff;
const ICR_NMI = 0x400;

/** A call gate, with what the upper half has beyond the offset. */
function callGate(g: GuestBuilder, selector: number, offset: bigint, upper = 0n, dpl = 3): number {
  const [low, high] = gate64({ selector, offset, type: TYPE_CALL_GATE, dpl });
  return g.descriptor(low, high | upper);
}

function farPointer(g: GuestBuilder, selector: number): void {
  g.a.mov(dword(layout.USER_DATA), 0).mov(dword(layout.USER_DATA + 4), selector);
}

function callGates(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const absent = g.descriptor(segmentDescriptor({ type: 0x1a, long: true, present: false }));
  const refused = (gate: number, vector: number, error: number, note: string): void => {
    for (const call of [true, false]) {
      farPointer(g, gate);
      // QEMU 7.2 raises #GP where JMP meets absent code behind a gate; the SDM says #NP.
      const onQemu = call ? {} : { vector: GP };
      g.fault({ vector, error, note: `${call ? "CALL" : "JMP"}: ${note}`, onQemu }, () =>
        call ? a.callFarAt(at(layout.USER_DATA), 32) : a.jmpFarAt(at(layout.USER_DATA), 32),
      );
    }
  };
  const code = BigInt(layout.CODE);
  const typed = callGate(g, layout.KERNEL_CODE, code, UPPER_TYPE);
  refused(callGate(g, layout.COMPAT_CODE, code), GP, layout.COMPAT_CODE, "a gate to 32-bit code");
  refused(callGate(g, layout.CODE16, code), GP, layout.CODE16, "a gate to 16-bit code");
  refused(callGate(g, layout.KERNEL_DATA, code), GP, layout.KERNEL_DATA, "a gate to data");
  refused(callGate(g, 0, code), GP, 0, "a gate to a null selector");
  refused(callGate(g, absent, code), NP, absent, "a gate to absent code");
  refused(callGate(g, layout.USER_CODE64, code), GP, layout.USER_CODE64 & ~3, "a gate to an outer level");
  refused(typed, GP, typed, "a type in the upper half");
  const toKernel = callGate(g, layout.KERNEL_CODE, code) | 3;
  const kernelOnly = callGate(g, layout.KERNEL_CODE, code, 0n, 0) | 3;
  g.user(() => {
    farPointer(g, kernelOnly);
    g.fault({ vector: GP, error: kernelOnly & ~3, note: "a gate of DPL 0 at level 3" }, () =>
      a.callFarAt(at(layout.USER_DATA), 32),
    );
    farPointer(g, toKernel);
    g.fault({ vector: GP, error: layout.KERNEL_CODE, note: "JMP through a gate to an inner level" }, () =>
      a.jmpFarAt(at(layout.USER_DATA), 32),
    );
  });
  g.exit();
}

function noAddress(g: GuestBuilder): void {
  prologue(g.a);
  farPointer(g, callGate(g, layout.KERNEL_CODE, NON_CANONICAL));
  g.fault({ vector: GP, error: 0, note: "a gate to no address" }, (a) =>
    a.callFarAt(at(layout.USER_DATA), 32),
  );
  g.exit();
}

/** LLDT and LTR look at the upper half of their descriptors. */
function upperHalves(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const declare = (type: number, upper: bigint): number => {
    const [low, high] = systemDescriptor64({ base: layout.DATA, limit: layout.TSS_LIMIT, type });
    return g.descriptor(low, high | upper);
  };
  for (const [type, name] of [
    [TYPE_LDT, "LLDT"],
    [TYPE_TSS_AVAILABLE, "LTR"],
  ] as const) {
    const load = (): unknown => (type === TYPE_LDT ? a.lldt(cx) : a.ltr(cx));
    const typed = declare(type, UPPER_TYPE);
    const far = declare(type, NON_CANONICAL >> 32n);
    a.mov(ecx, typed);
    g.fault({ vector: GP, error: typed, note: `${name}: a type in the upper half` }, load);
    a.mov(ecx, far);
    g.fault({ vector: GP, error: far, note: `${name}: a base that is no address` }, load);
  }
  g.exit();
}

/** RSP0 that is no address: #SS through an IST stack, from a call gate and from an interrupt. */
function badStack(g: GuestBuilder): void {
  g.gates.set(SS_FAULT, { selector: layout.KERNEL_CODE, offset: 0, type: INTERRUPT_GATE, ist: 1 });
  g.gates.set(0x82, { selector: layout.KERNEL_CODE, offset: 0, type: INTERRUPT_GATE, dpl: 3 });
  prologue(g.a);
  const { a } = g;
  const gate = callGate(g, layout.KERNEL_CODE, BigInt(layout.CODE)) | 3;
  a.mov(rax, NON_CANONICAL).mov(qword(layout.TSS + TSS_RSP0), rax);
  g.gates.set(layout.USER_DONE_VECTOR, {
    selector: layout.KERNEL_CODE,
    offset: 0,
    type: INTERRUPT_GATE,
    dpl: 3,
    ist: 2,
  });
  g.user(() => {
    farPointer(g, gate);
    // QEMU 7.2 reports the beginning of its block of code.
    const onQemu = { rip: BigInt(layout.USER_CODE) };
    g.fault({ vector: SS_FAULT, error: 0, note: "a call gate", onQemu }, () =>
      a.callFarAt(at(layout.USER_DATA), 32),
    );
    g.fault({ vector: SS_FAULT, error: 0, note: "INT n" }, () => a.int(0x82));
  });
  g.exit();
}

/** SS is checked before RIP, CS before both. */
function order(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const frame = (values: readonly (number | bigint)[]): void => {
    for (const value of values) a.mov(rax, value).push(rax);
  };
  const top = layout.USER_STACK_TOP;
  const { USER_CODE64: code, USER_DATA_SELECTOR: data, KERNEL_DATA: kernelData } = layout;
  const refused = (cs: number, ss: number, rip: bigint, error: number, note: string): void => {
    frame([ss, top, 2, cs, rip]);
    g.fault({ vector: GP, error, note: `IRETQ ${note}` }, () => a.iretq());
    a.mov(rsp, layout.STACK_TOP);
    frame([ss, top, cs, rip]);
    g.fault({ vector: GP, error, note: `RET ${note}` }, () => a.retf(64));
    a.mov(rsp, layout.STACK_TOP);
  };
  refused(code, kernelData, NON_CANONICAL, kernelData, "with a wrong SS to no address");
  refused(code, 0, NON_CANONICAL, 0, "with a null SS to no address");
  refused(code, data, NON_CANONICAL, 0, "to no address");
  refused(kernelData, 0x3fb, NON_CANONICAL, kernelData, "to data");
  g.exit();
}

/** A return to a 16-bit stack leaves the upper part of ESP, as 32-bit kernels know to their cost. */
function narrowStack(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const narrow =
    g.descriptor(segmentDescriptor({ type: DATA_WRITABLE, dpl: 3, limit: 0xffff, granular: false })) | 3;
  g.store(layout.LOG_USER_RETURN, { kind: "label", label: "back", addend: 0 });
  a.mov(qword(layout.LOG_USER_STACK), rsp);
  a.push(narrow).push(0x5678f000).push(2).push(layout.USER_CODE32).push(layout.USER_CODE).iretq();
  const kernel = a.here;
  a.org(layout.USER_CODE).bits(32).mov(eax, esp).mov(ecx, layout.USER_DATA_SELECTOR).movToSegment(ds, ecx);
  a.mov(dword(layout.USER_DATA), eax).int(layout.USER_DONE_VECTOR);
  a.org(kernel).bits(64).label("back");
  const kept = BigInt((layout.STACK_TOP - 40) & 0xffff0000);
  g.expectAt(layout.USER_DATA, 4, kept | 0xf000n, "SP of the frame, the rest of the kernel's");
  g.exit();
}

/** An IRET that faults lets the next NMI in. */
function nmiAfterFault(g: GuestBuilder): void {
  g.gates.set(NMI, { selector: layout.KERNEL_CODE, offset: 0, type: INTERRUPT_GATE, label: "nmi" });
  prologue(g.a);
  const { a } = g;
  const send = (): unknown => a.mov(dword(rdi, LAPIC_ICR), ICR_NMI);
  const settle = (): void => {
    for (let i = 0; i < 3; i++) a.jmp(a.here + 5);
  };
  a.mov(edi, layout.LAPIC).mov(dword(rdi, LAPIC_SVR), SVR_ENABLE).xor(ebx, ebx);
  send();
  settle();
  a.label("over");
  g.expect(rbx, 2, "the second NMI came");
  g.exit();
  a.label("nmi").inc(ebx).cmp(ebx, 1).jcc("ne", "second");
  send();
  settle();
  g.expect(rbx, 1, "while the first is handled");
  a.push(0);
  g.resumeAt("afterFault");
  // The NMI is taken before the handler of #GP runs its first instruction, or after its IRET at the latest.
  g.expectEvent({ vector: GP, error: 0, note: "IRETQ to a null CS" });
  a.push(0).iretq();
  a.label("afterFault").jmp("over");
  a.label("second").iretq();
}

const DATA_SEGMENTS = [ds, es, fs, gs];

/** Expects these selectors in DS, ES, FS and GS now. Clobbers RAX. */
function expectSelectors(g: GuestBuilder, values: readonly number[], note: string): void {
  DATA_SEGMENTS.forEach((segment, i) => {
    g.a.movFromSegment(eax, segment);
    g.expect(eax, values[i], `${note}: ${segment.name}`);
  });
}

/** A return to an outer level loads 0 where a null selector has an RPL; one to the same level leaves it. */
function nullSelectors(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const load = (): void => {
    [1, 2, 3, 3].forEach((selector, i) => a.mov(eax, selector).movToSegment(DATA_SEGMENTS[i], eax));
  };
  load();
  a.mov(rbx, rsp).push(layout.KERNEL_DATA).push(rbx).push(2).push(layout.KERNEL_CODE);
  a.mov(rax, addressOf("same")).push(rax).iretq();
  a.label("same");
  expectSelectors(g, [1, 2, 3, 3], "IRETQ to the same level");
  g.user(() => expectSelectors(g, [0, 0, 0, 0], "IRETQ to level 3"));
  g.exit();
}

/** The same by a far RET, to where an IRET has been before. */
function nullSelectorsByRet(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.user(() => {
    a.label("outer");
    expectSelectors(g, [0, 0, 0, 0], "far RET to level 3");
  });
  g.store(layout.LOG_USER_RETURN, addressOf("done"));
  for (const segment of DATA_SEGMENTS) a.mov(eax, 3).movToSegment(segment, eax);
  a.push(layout.USER_DATA_SELECTOR).push(layout.USER_STACK_TOP).push(layout.USER_CODE64);
  a.mov(rax, addressOf("outer")).push(rax).retf(64);
  a.label("done");
  g.exit();
}

export function longReturnGuests(): Guest[] {
  const unchecked = "QEMU 7.2 does not check; the SDM is right";
  return [
    guest(
      "call gates and what they may lead to",
      { cites: "SDM vol. 2A, CALL; vol. 3A §5.8.3.1" },
      callGates,
    ),
    guest("a call gate to no address", { cites: "SDM vol. 2A, CALL", notOnQemu: unchecked }, noAddress),
    guest(
      "upper halves of system descriptors",
      { cites: "SDM vol. 3A §7.2.3", notOnQemu: unchecked },
      upperHalves,
    ),
    guest("an inner stack that is no address", { cites: "SDM vol. 2A, CALL, INT n" }, badStack),
    guest(
      "RET and IRETQ check SS before RIP",
      { cites: "SDM vol. 2, RET, IRET (pseudo-code)", notOnQemu: unchecked },
      order,
    ),
    guest(
      "null selectors after a return to an outer level",
      { cites: "SDM vol. 2A, IRET (pseudo-code)", notOnQemu: "QEMU 7.2 leaves FS and GS; the SDM is right" },
      nullSelectors,
    ),
    guest(
      "null selectors after a far RET to an outer level",
      { cites: "SDM vol. 2B, RET (pseudo-code)", notOnQemu: "QEMU 7.2 leaves FS and GS; the SDM is right" },
      nullSelectorsByRet,
    ),
    guest("IRETQ to a 16-bit stack", { cites: "SDM vol. 2A, IRET" }, narrowStack),
    guest(
      "an IRET that faults ends the blocking of NMIs",
      { cites: "SDM vol. 3A §6.7.1; vol. 3C §26.1.3" },
      nmiAfterFault,
    ),
  ];
}
