/**
 * Loading segment registers and what is checked: null, limits, types, privileges, presence; far transfers; LAR,
 * LSL, VERR, VERW; LDTR and TR.
 *
 * Specification: SDM vol. 3A §5.2–5.8; vol. 2 (MOV, LAR, LSL, VERR, LLDT, LTR, far JMP, CALL, RET).
 */
import {
  CODE_CONFORMING,
  CODE_EXECUTE_ONLY,
  CODE_READABLE,
  DATA_READ_ONLY,
  DATA_WRITABLE,
  TYPE_CALL_GATE,
  TYPE_LDT,
  addressOf,
  at,
  ax,
  byte,
  cs,
  cx,
  ds,
  eax,
  ebx,
  ecx,
  es,
  fs,
  gate64,
  gs,
  qword,
  rax,
  rcx,
  rsp,
  segmentDescriptor,
  ss,
  systemDescriptor64,
} from "../../support/asm/index.js";
import { ZF } from "../../support/model/flags.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const NP = 11;
const SS_FAULT = 12;
const GP = 13;
const TYPE_ACCESSED = 1n << 40n;

function loads(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const absent = g.descriptor(segmentDescriptor({ type: DATA_WRITABLE, present: false }));
  const readOnly = g.descriptor(segmentDescriptor({ type: DATA_READ_ONLY, base: 0x1000 }));
  const executeOnly = g.descriptor(segmentDescriptor({ type: CODE_EXECUTE_ONLY, long: true }));
  const readable = g.descriptor(segmentDescriptor({ type: CODE_READABLE, long: true }));
  const based = g.descriptor(segmentDescriptor({ type: DATA_WRITABLE, base: layout.DATA }));
  const loading = (register: typeof ds, selector: number): void => {
    a.mov(eax, selector).movToSegment(register, eax);
  };
  const refused = (
    register: typeof ds,
    selector: number,
    vector: number,
    error: number,
    note: string,
  ): void => {
    a.mov(eax, selector);
    g.fault({ vector, error, note }, () => a.movToSegment(register, eax));
  };
  loading(ds, 0);
  a.mov(ebx, byte(layout.DATA).size).mov(rax, qword(layout.DATA)).movFromSegment(ax, ds);
  g.expect(ax, 0, "a null DS can be loaded, and 64-bit code does not mind");
  loading(es, 3);
  a.movFromSegment(ecx, es);
  g.expect(rcx, 3, "so can a null selector with RPL; the upper half is cleared");
  loading(ds, readOnly);
  loading(ds, readable);
  refused(ds, executeOnly, GP, executeOnly, "execute-only code is no data");
  refused(ds, absent, NP, absent, "a segment that is not present");
  refused(ss, absent, SS_FAULT, absent, "the stack segment: #SS");
  refused(ss, readOnly, GP, readOnly, "a stack must be writable");
  refused(ss, layout.USER_DATA_SELECTOR & ~3, GP, layout.USER_DATA_SELECTOR & ~3, "a stack needs DPL = CPL");
  refused(ss, layout.KERNEL_DATA | 3, GP, layout.KERNEL_DATA, "and RPL = CPL");
  refused(fs, layout.TSS_SELECTOR, GP, layout.TSS_SELECTOR, "a system segment");
  refused(gs, 0x400, GP, 0x400, "beyond the GDT's limit");
  refused(gs, 0x0c, GP, 0x0c, "the LDT, which is null");
  loading(ss, 0);
  a.push(rax).pop(rcx);
  loading(ss, layout.KERNEL_DATA);
  loading(fs, based);
  a.mov(rax, 0x77n).mov(byte({ disp: 0x10, segment: fs }), 0x77);
  g.expectAt(layout.DATA + 0x10, 1, 0x77n, "FS takes its base from the descriptor");
  a.mov(rax, qword(layout.GDT + based));
  g.expect(
    rax,
    segmentDescriptor({ type: DATA_WRITABLE, base: layout.DATA }) | TYPE_ACCESSED,
    "the accessed bit is set",
  );
  g.user(() => {
    a.mov(eax, layout.KERNEL_DATA);
    g.fault({ vector: GP, error: layout.KERNEL_DATA, note: "a kernel segment at CPL 3" }, () =>
      a.movToSegment(ds, eax),
    );
    a.xor(eax, eax);
    g.fault({ vector: GP, error: 0, note: "a null SS at CPL 3" }, () => a.movToSegment(ss, eax));
  });
  g.exit();
}

function inspection(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const readOnly = g.descriptor(segmentDescriptor({ type: DATA_READ_ONLY, limit: 0x1234, granular: false }));
  const absent = g.descriptor(segmentDescriptor({ type: DATA_WRITABLE, present: false }));
  const zf = (set: boolean, note: string): void => g.expectFlags(set ? ZF : 0n, set ? 0n : ZF, note);
  a.mov(ecx, layout.KERNEL_DATA).lar(eax, ecx);
  zf(true, "LAR of a data segment");
  g.expect(
    eax,
    0x00c09200,
    "LAR shows bytes 4–7 (limit[19:16] is undefined, accessed may be set)",
    0xfff0feffn,
  );
  a.mov(ecx, readOnly).lsl(eax, ecx);
  zf(true, "LSL");
  g.expect(eax, 0x1234, "LSL of a byte-granular limit");
  a.mov(ecx, layout.KERNEL_DATA).lsl(eax, ecx);
  g.expect(eax, 0xffffffff, "LSL of a page-granular limit");
  a.mov(eax, 0x55).mov(ecx, 0).lar(eax, ecx);
  zf(false, "LAR of a null selector");
  g.expect(eax, 0x55, "changes nothing");
  a.mov(ecx, 0x500).lsl(eax, ecx);
  zf(false, "LSL beyond the limit");
  a.mov(ecx, readOnly).verr(cx);
  zf(true, "VERR of a read-only segment");
  a.verw(cx);
  zf(false, "VERW of a read-only segment");
  a.mov(ecx, layout.KERNEL_CODE).verr(cx);
  zf(true, "VERR of readable code");
  a.verw(cx);
  zf(false, "VERW of code");
  a.mov(ecx, absent).lar(eax, ecx);
  zf(true, "LAR does not ask for presence");
  a.mov(ecx, layout.TSS_SELECTOR).lar(eax, ecx);
  zf(true, "LAR of a TSS");
  g.expect(eax, 0x8b00, "which LTR has made busy");
  a.str(ax);
  g.expect(ax, layout.TSS_SELECTOR, "STR");
  g.fault({ vector: GP, error: layout.TSS_SELECTOR, note: "LTR of a busy TSS" }, () => a.ltr(cx));
  g.exit();
}

function localTable(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const table = layout.DATA + 0x1000;
  g.words(table, 0n, segmentDescriptor({ type: DATA_WRITABLE, base: layout.DATA + 0x40 }));
  const ldt = g.descriptor(...systemDescriptor64({ base: table, limit: 15, type: TYPE_LDT }));
  a.mov(ecx, ldt).lldt(cx).sldt(ax);
  g.expect(ax, ldt, "SLDT");
  a.mov(eax, 0x0c)
    .movToSegment(gs, eax)
    .mov(byte({ disp: 1, segment: gs }), 0x99);
  g.expectAt(layout.DATA + 0x41, 1, 0x99n, "a segment of the LDT");
  a.mov(eax, 0x14);
  g.fault({ vector: GP, error: 0x14, note: "beyond the LDT's limit" }, () => a.movToSegment(gs, eax));
  a.xor(ecx, ecx).lldt(cx).mov(eax, 0x0c);
  g.fault({ vector: GP, error: 0x0c, note: "a null LDT" }, () => a.movToSegment(gs, eax));
  g.exit();
}

function farTransfers(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const conforming = g.descriptor(segmentDescriptor({ type: CODE_CONFORMING, long: true }));
  const absent = g.descriptor(segmentDescriptor({ type: CODE_READABLE, long: true, present: false }));
  const gate = g.descriptor(0n, 0n);
  const start = a.fresh("gateFill");
  a.label(start).mov(eax, addressOf("gateTarget"));
  a.mov(qword(layout.GDT + gate), 0)
    .mov({ ...byte(layout.GDT + gate), size: 16 }, ax)
    .shr(eax, 16);
  a.mov({ ...byte(layout.GDT + gate + 6), size: 16 }, ax).mov(
    { ...byte(layout.GDT + gate + 2), size: 16 },
    layout.KERNEL_CODE,
  );
  a.mov(
    byte(layout.GDT + gate + 5),
    Number((gate64({ selector: 0, offset: 0, type: TYPE_CALL_GATE, dpl: 3 })[0] >> 40n) & 0xffn),
  );
  const far = (selector: number): void => {
    a.mov(rax, addressOf("farTarget"))
      .mov(qword(layout.DATA), rax)
      .mov({ ...byte(layout.DATA + 8), size: 16 }, selector);
  };
  far(layout.KERNEL_CODE);
  a.mov(ebx, 0).callFarAt(at(layout.DATA), 64);
  g.expect(ebx, 1, "far CALL m16:64 and far RET");
  g.expect(rsp, layout.STACK_TOP, "RSP is balanced");
  far(conforming);
  a.callFarAt(at(layout.DATA), 64);
  g.expect(ebx, 2, "a conforming segment");
  const refused = (selector: number, vector: number, error: number, note: string): void => {
    far(selector);
    g.fault({ vector, error, note }, () => a.callFarAt(at(layout.DATA), 64));
    g.expect(rsp, layout.STACK_TOP, `${note}: RSP is kept`);
  };
  refused(0, GP, 0, "far CALL to a null selector");
  refused(layout.KERNEL_DATA, GP, layout.KERNEL_DATA, "to data");
  refused(absent, NP, absent, "to an absent segment");
  refused(layout.USER_CODE64, GP, layout.USER_CODE64 & ~3, "to an outer level");
  far(gate);
  a.callFarAt(at(layout.DATA), 64);
  g.expect(ebx, 12, "a call gate");
  g.user(() => {
    a.mov(ebx, 0)
      .mov(rax, addressOf("gateTarget"))
      .mov(qword(layout.USER_DATA), rax)
      .mov({ ...byte(layout.USER_DATA + 8), size: 16 }, gate | 3);
    a.callFarAt(at(layout.USER_DATA), 64);
    g.expect(ebx, 10, "a call gate from user mode");
    g.expect(rcx, layout.KERNEL_CODE, "ran at CPL 0");
    g.expect(rsp, layout.USER_STACK_TOP, "and RETF came back with the user stack");
    a.movFromSegment(rcx, cs);
    g.expect(rcx, layout.USER_CODE64, "at CPL 3");
  });
  g.exit();
  a.label("farTarget").inc(ebx).retf(64);
  a.label("gateTarget").add(ebx, 10).movFromSegment(ecx, cs).retf(64);
}

function longAndBig(g: GuestBuilder): void {
  prologue(g.a);
  const both = g.descriptor(segmentDescriptor({ type: CODE_READABLE, long: true, big: true }));
  g.words(layout.DATA, BigInt(layout.CODE), BigInt(both));
  g.fault({ vector: GP, error: both }, (a) => a.jmpFarAt(at(layout.DATA), 64));
  g.exit();
}

export function segmentGuests(): Guest[] {
  return [
    guest("loading data and stack segments", { cites: "SDM vol. 2B, MOV; vol. 3A §5.6, §5.7" }, loads),
    guest("LAR, LSL, VERR, VERW, STR, LTR", { cites: "SDM vol. 2, LAR, LSL, VERR, LTR" }, inspection),
    guest(
      "LTR of a null selector raises #GP(0)",
      { cites: "SDM vol. 2A, LTR", notOnQemu: "QEMU 7.2 loads a null task register; the SDM is right" },
      (g) => {
        prologue(g.a);
        g.a.xor(ecx, ecx);
        g.fault({ vector: GP, error: 0 }, (a) => a.ltr(cx));
        g.exit();
      },
    ),
    guest("the local descriptor table", { cites: "SDM vol. 2A, LLDT" }, localTable),
    guest(
      "a far transfer to a segment with L and D set raises #GP",
      { cites: "SDM vol. 2A, JMP", notOnQemu: "QEMU 7.2 does not check; the SDM is right" },
      longAndBig,
    ),
    guest(
      "far calls, returns and call gates in 64-bit mode",
      { cites: "SDM vol. 2A, CALL; vol. 3A §5.8.3" },
      farTransfers,
    ),
  ];
}
