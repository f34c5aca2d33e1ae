/**
 * Interrupts and exceptions of protected mode through 16-bit gates, in place and from level 3, to conforming code, and
 * through gates whose stacks are too small.
 *
 * Specification: SDM vol. 3A §6.11, §6.12.1, §21.6 (16-bit gates); vol. 2A, INT n and IRET (the pseudo-code).
 */
import {
  CODE_CONFORMING,
  CODE_READABLE,
  DATA_WRITABLE,
  TYPE_INTERRUPT_GATE,
  addressOf,
  ax,
  cs,
  cx,
  dword,
  eax,
  ecx,
  edx,
  esp,
  segmentDescriptor,
  word,
} from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { RING1_STACK, TSS_ESP1, TSS_SS1, atLevel3, level1 } from "../support/rings.js";

const UD = 6;
const SS_FAULT = 12;
const GP = 13;
const INTERRUPT_GATE16 = 0x06;
const TRAP_GATE16 = 0x07;
const IF = 0x200;
const EXT = 1;
const FIXED = 2;
const VECTOR = 0x82;
const OTHER_VECTOR = 0x83;
const FAR_AWAY = 0x300000;

/** Code that begins at a label, so that 16-bit offsets reach it. */
function codeAt(g: GuestBuilder, label: string, dpl: number): number {
  const selector = g.descriptor(segmentDescriptor({ type: CODE_READABLE, dpl, big: true }));
  const { a } = g;
  a.mov(eax, addressOf(label)).mov(word(layout.GDT + selector + 2), ax);
  a.shr(eax, 16)
    .db(0xa2)
    .dd(layout.GDT + selector + 4);
  return selector;
}

/** The frame is of words; IRET of 16 bits takes it down. */
function frames(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const code = codeAt(g, "handler", 0);
  g.gates.set(VECTOR, { selector: code, offset: 0, type: INTERRUPT_GATE16, dpl: 3 });
  g.gates.set(OTHER_VECTOR, { selector: code, offset: 0, type: TRAP_GATE16, dpl: 3 });
  // The environment fills in a handler of its own where the offset is 0. (QEMU 7.2 reads 32 bits of it.)
  for (const vector of [VECTOR, OTHER_VECTOR]) {
    a.mov(word(layout.IDT + 8 * vector), 0).mov(word(layout.IDT + 8 * vector + 6), 0);
  }
  a.jmp("low");
  const main = a.here;
  a.org(layout.REAL_CODE)
    .label("low")
    .push(IF | FIXED)
    .popf();
  a.int(VECTOR).label("afterInterrupt").int(OTHER_VECTOR).label("afterTrap").jmp("high");
  a.org(main).label("high");
  g.expect(esp, layout.STACK_TOP, "IRET of 16 bits balances the stack");
  a.push(FIXED).popf();
  g.exit();
  a.label("handler").mov(edx, dword(esp)).mov(cx, word(esp, 4));
  g.expect(esp, layout.STACK_TOP - 6, "three words");
  g.expect(edx, layout.KERNEL_CODE << 16, "CS above IP", 0xffff0000n);
  g.expect(cx, IF | FIXED, "FLAGS", BigInt(IF | FIXED));
  a.pushf().pop(ecx);
  a.mov(eax, dword(layout.DATA)).inc(dword(layout.DATA)).test(eax, eax).jcc("ne", "second");
  g.expect(ecx, 0, "an interrupt gate clears IF", BigInt(IF));
  a.db(0x66).iret();
  a.label("second");
  g.expect(ecx, IF, "a trap gate keeps it", BigInt(IF));
  a.db(0x66).iret();
}

/** From level 3 to conforming code: the level stays, and so does the stack. */
function conforming(g: GuestBuilder): void {
  const code = g.descriptor(segmentDescriptor({ type: CODE_CONFORMING, big: true }));
  g.gates.set(VECTOR, { selector: code, offset: 0, type: TYPE_INTERRUPT_GATE, dpl: 3, label: "handler" });
  prologue(g.a);
  const { a } = g;
  atLevel3(g, () => {
    a.int(VECTOR);
    g.expect(esp, layout.USER_STACK_TOP, "IRET takes three values");
  });
  g.exit();
  a.label("handler").mov(edx, esp).movFromSegment(ecx, cs);
  g.expect(edx, layout.USER_STACK_TOP - 12, "three values on the same stack");
  g.expect(ecx, code | 3, "CS has the level of the interrupted program", 0xffffn);
  a.iret();
}

/** Stacks of level 1 that an interrupt cannot use: #SS before the limit of the handler's code, and EXT. */
function smallStacks(g: GuestBuilder): void {
  const { code, data } = level1(g);
  const shortCode =
    g.descriptor(segmentDescriptor({ type: CODE_READABLE, dpl: 1, big: true, limit: 0x2ff })) | 1;
  const tiny =
    g.descriptor(
      segmentDescriptor({ type: DATA_WRITABLE, dpl: 1, big: true, limit: 0xfff, granular: false }),
    ) | 1;
  g.gates.set(VECTOR, { selector: shortCode, offset: FAR_AWAY, type: TYPE_INTERRUPT_GATE, dpl: 3 });
  g.gates.set(UD, { selector: shortCode, offset: FAR_AWAY, type: TYPE_INTERRUPT_GATE, dpl: 3 });
  g.gates.set(OTHER_VECTOR, {
    selector: code,
    offset: 0,
    type: TYPE_INTERRUPT_GATE,
    dpl: 3,
    label: "level1",
  });
  prologue(g.a);
  const { a } = g;
  a.mov(dword(TSS_ESP1), 16).mov(dword(TSS_SS1), tiny);
  atLevel3(g, () => {
    g.fault({ vector: SS_FAULT, error: tiny & ~3, note: "INT n: no room for five values" }, () =>
      a.int(VECTOR),
    );
    g.fault({ vector: SS_FAULT, error: (tiny & ~3) | EXT, note: "an exception: the same with EXT" }, () =>
      a.ud2(),
    );
    a.mov(dword(TSS_ESP1), 20);
    g.fault({ vector: GP, error: 0, note: "INT n: room, but no such code" }, () => a.int(VECTOR));
    g.fault({ vector: GP, error: EXT, note: "an exception: the same with EXT" }, () => a.ud2());
    a.mov(dword(TSS_ESP1), RING1_STACK).mov(dword(TSS_SS1), data).int(OTHER_VECTOR);
  });
  g.exit();
  a.label("level1");
  g.expect(esp, RING1_STACK - 20, "level 1 runs on its stack");
  a.iret();
}

export function sixteenBitGateGuests(): Guest[] {
  const limits = "QEMU 7.2 checks no limits; the SDM is right";
  return [
    guest("16-bit interrupt and trap gates", { mode: 32, cites: "SDM vol. 3A §6.12.1, §21.6" }, frames),
    guest("an interrupt to conforming code", { mode: 32, cites: "SDM vol. 3A §6.12.1" }, conforming),
    guest("stacks without room", { mode: 32, cites: "SDM vol. 2A, INT n", notOnQemu: limits }, smallStacks),
  ];
}
