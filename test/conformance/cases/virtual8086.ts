/**
 * Virtual-8086 mode: entering it by IRET, segments there, instructions that need IOPL 3, I/O under the permission map,
 * and events on their way to the protected-mode monitor.
 *
 * Specification: SDM vol. 3A §20.2–20.3; vol. 2 (IRET, INT n, PUSHF, POPF).
 */
import {
  CODE_CONFORMING,
  CODE_READABLE,
  TYPE_INTERRUPT_GATE,
  TYPE_TSS_AVAILABLE,
  ax,
  bx,
  cr0,
  cs,
  cx,
  di,
  dword,
  dx,
  eax,
  ecx,
  es,
  esi,
  esp,
  fs,
  gs,
  segmentDescriptor,
  si,
  sp,
  ss,
  word,
} from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import {
  UD,
  SS_FAULT,
  GP,
  FLAG_IF,
  FLAG_VM,
  IOPL3,
  PLACE,
  SEGMENT,
  STACK_SEGMENT,
  STACK_POINTER,
  DATA_SEGMENTS,
  DONE_VECTOR,
  DIFFERENT_TSS,
  TSS_LIMIT,
  TSS_IO_BASE,
  monitor,
  stay,
  frame,
} from "../support/virtual8086.js";

function entry(g: GuestBuilder): void {
  monitor(g, []);
  const { a } = g;
  g.data(DATA_SEGMENTS.ds * 16 + 4, [0x34, 0x12]);
  stay(
    g,
    {
      flags: IOPL3 | FLAG_IF,
      note: "IRET enters virtual-8086 mode, INT leaves it",
      look: () => {
        frame(g, 1, SEGMENT, "CS", 0xffffn);
        frame(g, 2, FLAG_VM | IOPL3 | FLAG_IF, "EFLAGS shows VM", 0x27200n);
        frame(g, 3, STACK_POINTER - 2, "ESP");
        frame(g, 4, STACK_SEGMENT, "SS", 0xffffn);
        frame(g, 5, 0x1111, "ES as virtual-8086 code changed it", 0xffffn);
        frame(g, 6, DATA_SEGMENTS.ds, "DS", 0xffffn);
        frame(g, 7, DATA_SEGMENTS.fs, "FS", 0xffffn);
        frame(g, 8, DATA_SEGMENTS.gs, "GS", 0xffffn);
        a.mov(eax, esp);
        g.expect(eax, layout.RSP0_TOP - 36, "the frame is nine words on the stack of level 0");
        a.movFromSegment(eax, gs);
        g.expect(eax, 0, "GS is null in the monitor", 0xffffn);
        a.pushf().pop(eax);
        g.expect(eax, 0, "VM and IF are clear in the monitor", 0x20200n);
        g.expect(si, SEGMENT, "MOV from CS");
        g.expect(di, 0x1234, "DS × 16 + 4 was read");
        g.expect(dx, 0x5678, "a word through the stack segment");
      },
    },
    (v) => {
      v.movFromSegment(si, cs)
        .mov(di, word(4))
        .mov(ax, 0x1111)
        .movToSegment(es, ax)
        .mov(word({ disp: 0, segment: es }), 0x9abc)
        .push(0x5678)
        .pop(dx)
        .push(0x5678);
    },
  );
  g.expectAt(0x11110, 2, 0x9abcn, "ES takes its base from the selector");
  g.expectAt(STACK_SEGMENT * 16 + STACK_POINTER - 2, 2, 0x5678n, "pushes are words below SS:SP");
  g.exit();
}

/** Instructions that #GP(0) leaves to the monitor unless IOPL is 3. */
const SENSITIVE: [string, (a: Assembler) => unknown][] = [
  ["CLI", (a) => a.cli()],
  ["STI", (a) => a.sti()],
  ["PUSHF", (a) => a.pushf()],
  ["POPF", (a) => a.popf()],
  ["INT n", (a) => a.int(DONE_VECTOR)],
  ["IRET", (a) => a.iret()],
];

function sensitive(g: GuestBuilder): void {
  monitor(g, [3, GP]);
  for (const [name, emit] of SENSITIVE) {
    stay(g, { vector: GP, flags: 0x2000, note: `${name} at IOPL 2` }, (a, fault) => {
      fault();
      emit(a);
    });
  }
  stay(g, { vector: 3, note: "INT3 does not ask for IOPL" }, (a, fault) => {
    a.int3();
    fault();
  });
  g.exit();
}

function permitted(g: GuestBuilder): void {
  monitor(g, []);
  const { a } = g;
  stay(
    g,
    {
      flags: IOPL3,
      note: "at IOPL 3",
      look: () => {
        frame(g, 2, FLAG_VM | IOPL3 | FLAG_IF, "IRET loads IF, POPF leaves IOPL and VM", 0x23200n);
        g.expect(si, IOPL3 | FLAG_IF, "PUSHF after STI", 0x3200n);
        g.expect(di, IOPL3, "PUSHF after POPF of IF=0, IOPL=0", 0x3200n);
        g.expect(bx, 0x77, "IRET went on here");
        a.mov(eax, dword(esp, 12));
        g.expect(eax, STACK_POINTER, "SP is balanced");
      },
    },
    (v) => {
      v.sti().pushf().pop(si);
      v.mov(ax, 0).push(ax).popf().pushf().pop(di);
      v.mov(ax, FLAG_IF).push(ax).pushSegment(cs).call("v86next");
      // CALL pushed the offset of this HLT; IRET goes on behind it.
      v.hlt().mov(bx, 0x77).jmp("v86end");
      v.label("v86next").pop(ax).inc(ax).push(ax).iret();
      v.label("v86end");
    },
  );
  g.exit();
}

function privileged(g: GuestBuilder): void {
  monitor(g, [UD, GP]);
  const refused = (vector: number, note: string, emit: (a: Assembler) => unknown): void =>
    stay(g, { vector, flags: IOPL3, note }, (a, fault) => {
      fault();
      emit(a);
    });
  refused(GP, "HLT", (a) => a.hlt());
  refused(GP, "CLTS", (a) => a.clts());
  refused(GP, "MOV from CR0", (a) => a.movSystem(eax, cr0));
  refused(GP, "LMSW", (a) => a.lmsw(ax));
  refused(GP, "RDMSR", (a) => a.rdmsr());
  refused(UD, "SLDT", (a) => a.sldt(ax));
  refused(UD, "STR", (a) => a.str(ax));
  refused(UD, "LLDT", (a) => a.lldt(ax));
  refused(UD, "LTR", (a) => a.ltr(ax));
  refused(UD, "LAR", (a) => a.lar(ax, cx));
  refused(UD, "LSL", (a) => a.lsl(ax, cx));
  refused(UD, "VERR", (a) => a.verr(ax));
  refused(UD, "VERW", (a) => a.verw(ax));
  refused(UD, "ARPL", (a) => a.db(0x63, 0xc0));
  refused(GP, "a port that the permission map does not show, at IOPL 3", (a) => a.in(8, 0x80));
  g.exit();
}

function ports(g: GuestBuilder): void {
  monitor(g, [GP]);
  const { a } = g;
  const tss = new Uint8Array(TSS_LIMIT + 1);
  const view = new DataView(tss.buffer);
  view.setUint32(4, layout.RSP0_TOP, true);
  view.setUint16(8, layout.KERNEL_DATA, true);
  view.setUint16(TSS_IO_BASE, 0x68, true);
  tss.fill(0xff, 0x68);
  // Ports 0x80 and 0x81, not 0x82.
  tss[0x68 + 0x10] = 0xfc;
  g.data(DIFFERENT_TSS, tss);
  const fields = { base: DIFFERENT_TSS, limit: TSS_LIMIT, type: TYPE_TSS_AVAILABLE, granular: false };
  const selector = g.descriptor(segmentDescriptor(fields));
  a.mov(ecx, selector).ltr(cx);
  stay(g, { vector: GP, note: "OUT to the first port that is not permitted" }, (v, fault) => {
    v.out(8, 0x80).out(16, 0x80);
    fault();
    v.out(32, 0x80);
  });
  stay(g, { vector: GP, note: "a word of which one port is not permitted" }, (v, fault) => {
    v.in(8, 0x81);
    fault();
    v.in(16, 0x81);
  });
  g.exit();
}

function limits(g: GuestBuilder): void {
  monitor(g, [SS_FAULT, GP]);
  stay(g, { vector: GP, note: "a word at the last byte of DS" }, (a, fault) => {
    fault();
    a.mov(ax, word(0xffff));
  });
  stay(g, { vector: SS_FAULT, note: "a push that straddles the ends of the stack" }, (a, fault) => {
    a.mov(sp, 1);
    fault();
    a.push(ax);
  });
  stay(g, { vector: GP, note: "a 32-bit address beyond 64 KiB" }, (a, fault) => {
    a.mov(esi, 0x10000);
    fault();
    a.mov(ax, word(esi));
  });
  g.exit();
}

function farTransfers(g: GuestBuilder): void {
  monitor(g, []);
  const target = PLACE + 0x800;
  stay(
    g,
    {
      flags: IOPL3,
      note: "far transfers by paragraphs",
      look: () => {
        g.expect(si, (target >> 4) - 1, "CS after the far CALL");
        g.expect(di, SEGMENT, "CS after the far RET");
      },
    },
    (a) => {
      a.callFar((target >> 4) - 1, 0x10);
      const here = a.here;
      a.org(target).movFromSegment(si, cs).retf(16);
      a.org(here).movFromSegment(di, cs);
    },
  );
  g.exit();
}

/** A handler must run at level 0 in a segment that is not conforming. */
function handlerSegments(g: GuestBuilder): void {
  const conforming = g.descriptor(segmentDescriptor({ type: CODE_CONFORMING, big: true }));
  const outer = g.descriptor(segmentDescriptor({ type: CODE_READABLE, big: true, dpl: 1 }));
  const gate = { offset: 0, type: TYPE_INTERRUPT_GATE, dpl: 3, label: "monitor" };
  g.gates.set(0x92, { ...gate, selector: conforming });
  g.gates.set(0x93, { ...gate, selector: outer });
  g.gates.set(0x94, { ...gate, selector: layout.KERNEL_CODE, dpl: 2 });
  monitor(g, [GP]);
  const refused = (vector: number, error: number, note: string): void =>
    stay(g, { vector: GP, error, flags: IOPL3, note }, (a, fault) => {
      fault();
      a.int(vector);
    });
  refused(0x92, conforming, "a conforming handler");
  refused(0x93, outer, "a handler at level 1");
  refused(0x94, 0x94 * 8 + 2, "a gate with DPL 2");
  g.exit();
}

function beyondLimit(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  for (let i = 0; i < 6; i++) a.push(0);
  a.push(FLAG_VM | 2)
    .push(SEGMENT)
    .push(0x10000);
  a.mov(esi, esp);
  g.fault({ vector: GP, error: 0 }, () => a.iret());
  a.mov(eax, esp).sub(eax, esi);
  g.expect(eax, 0, "ESP stays");
  a.movFromSegment(eax, ss).movFromSegment(ecx, fs);
  g.expect(eax, layout.KERNEL_DATA, "so does SS");
  g.exit();
}

export function virtual8086Guests(): Guest[] {
  const limitsUnchecked = "QEMU 7.2 checks no segment limits; the SDM is right";
  return [
    guest("in by IRET, out by INT", { mode: 32, cites: "SDM vol. 3A §20.2.5, §20.2.6, §20.3.1.1" }, entry),
    guest(
      "CLI, STI, PUSHF, POPF, INT n and IRET below IOPL 3",
      { mode: 32, cites: "SDM vol. 3A §20.2.7" },
      sensitive,
    ),
    guest("the same at IOPL 3", { mode: 32, cites: "SDM vol. 3A §20.2.7; vol. 2, IRET, POPF" }, permitted),
    guest(
      "privileged and protected-mode instructions",
      { mode: 32, cites: "SDM vol. 3A §20.2.2" },
      privileged,
    ),
    guest("ports under the permission map alone", { mode: 32, cites: "SDM vol. 3A §20.2.8.1" }, ports),
    guest("limits of 64 KiB", { mode: 32, cites: "SDM vol. 3A §20.2.1", notOnQemu: limitsUnchecked }, limits),
    guest("far transfers", { mode: 32, cites: "SDM vol. 3A §20.2.1; vol. 2A, CALL" }, farTransfers),
    guest(
      "handlers run at level 0",
      {
        mode: 32,
        cites: "SDM vol. 2A, INT n",
        notOnQemu: "QEMU 7.2 looks at the TSS first; the SDM is right",
      },
      handlerSegments,
    ),
    guest(
      "IRET to an EIP beyond 64 KiB raises #GP(0)",
      { mode: 32, cites: "SDM vol. 2A, IRET", notOnQemu: limitsUnchecked },
      beyondLimit,
    ),
  ];
}
