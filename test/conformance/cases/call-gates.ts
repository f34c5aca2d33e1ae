/**
 * Call gates and returns between levels in protected mode, and the order in which CALL, RET and IRET find fault:
 * stacks before instruction pointers, selectors before limits.
 *
 * Specification: SDM vol. 2A, CALL, RET, IRET (the pseudo-code); vol. 3A §5.8.3–5.8.6.
 */
import {
  CODE_CONFORMING,
  CODE_READABLE,
  DATA_READ_ONLY,
  DATA_WRITABLE,
  TYPE_CALL_GATE,
  addressOf,
  ax,
  cx,
  ds,
  dword,
  eax,
  ecx,
  edx,
  es,
  esp,
  fs,
  gate32,
  gs,
  segmentDescriptor,
  ss,
  word,
} from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { ExpectedEvent, Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { RING1_STACK, TSS_ESP1, TSS_SS1, atLevel3, level1 } from "../support/rings.js";

const TS = 10;
const SS_FAULT = 12;
const GP = 13;
const TYPE_CALL_GATE16 = 0x04;
const PARAMETERS = 3;
/** Beyond the limit of every small segment here. */
const FAR_AWAY = 0x300000;
const SMALL_LIMIT = 0x2fffff;

/** Writes the offset of a call gate, which only the linker knows. */
function aimGate(g: GuestBuilder, selector: number, label: string): void {
  const entry = layout.GDT + (selector & ~7);
  g.a
    .mov(eax, addressOf(label))
    .mov(word(entry), ax)
    .shr(eax, 16)
    .mov(word(entry + 6), ax);
}

function callGate(g: GuestBuilder, selector: number, parameters = 0, type = TYPE_CALL_GATE): number {
  return g.descriptor(gate32({ selector, offset: 0, type, dpl: 3, ist: parameters })) | 3;
}

/** From level 3 to 1 with parameters and back: what is on both stacks, and which data segments survive. */
function parameters(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const { code, data } = level1(g);
  const gate = callGate(g, code, PARAMETERS);
  const conforming = g.descriptor(segmentDescriptor({ type: CODE_CONFORMING, big: true }));
  aimGate(g, gate, "gate");
  a.mov(dword(TSS_ESP1), RING1_STACK).mov(dword(TSS_SS1), data);
  atLevel3(g, () => {
    a.mov(ecx, conforming).movToSegment(fs, ecx);
    a.push(0x11).push(0x22).push(0x33).callFar(gate, 0).label("behindCall");
    a.movFromSegment(edx, ds).mov(ecx, layout.USER_DATA_SELECTOR).movToSegment(ds, ecx);
    g.expect(edx, 0, "a DS of level 1 is emptied on the way out", 0xffffn);
    g.expect(esp, layout.USER_STACK_TOP, "RET imm16 drops the parameters of the outer stack too");
    a.movFromSegment(ecx, fs);
    g.expect(ecx, conforming, "conforming code stays", 0xffffn);
    a.movFromSegment(ecx, gs);
    g.expect(ecx, layout.USER_DATA_SELECTOR, "data of level 3 stays", 0xffffn);
  });
  g.exit();
  a.label("gate");
  g.expect(esp, RING1_STACK - 4 * (4 + PARAMETERS), "seven values on the inner stack");
  const values: [number, string][] = [
    [layout.USER_CODE32, "CS"],
    [0x33, "the last parameter"],
    [0x22, "the middle one"],
    [0x11, "the first parameter"],
    [layout.USER_STACK_TOP - 12, "ESP"],
    [layout.USER_DATA_SELECTOR, "SS"],
  ];
  values.forEach(([value, note], i) => {
    a.mov(ecx, dword(esp, 4 * (i + 1)));
    g.expect(ecx, value, `inner stack: ${note}`, note.endsWith("S") ? 0xffffn : undefined);
  });
  a.mov(ecx, dword(esp)).sub(ecx, addressOf("behindCall"));
  g.expect(ecx, 0, "inner stack: EIP");
  a.mov(ecx, data).movToSegment(ds, ecx).mov(ecx, layout.USER_DATA_SELECTOR).movToSegment(gs, ecx);
  a.db(0xca, 4 * PARAMETERS, 0);
}

/** A 16-bit gate copies words and pushes SP. */
function sixteenBitGate(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const { code, data } = level1(g);
  const gate = callGate(g, code, 2, TYPE_CALL_GATE16);
  // A gate of 16 bits reaches the first 64 KiB of its segment: one that begins at the label.
  a.mov(dword(TSS_ESP1), RING1_STACK).mov(dword(TSS_SS1), data);
  g.descriptors.set(code & ~7, [segmentDescriptor({ type: CODE_READABLE, dpl: 1, big: true })]);
  a.mov(eax, addressOf("gate")).mov(word(layout.GDT + (code & ~7) + 2), ax);
  a.shr(eax, 16)
    .db(0xa2)
    .dd(layout.GDT + (code & ~7) + 4);
  atLevel3(g, () => {
    // A return address has 16 bits.
    a.jmp("low").label("fromLow");
    g.expect(esp, layout.USER_STACK_TOP, "the 16-bit RET drops two words of the outer stack", 0xffffn);
  });
  g.exit();
  const here = a.here;
  a.org(layout.REAL_CODE).label("low").push(0x22221111).callFar(gate, 0).jmp("fromLow").org(here);
  a.label("gate").mov(ecx, esp);
  g.expect(ecx, RING1_STACK - 12, "six words on the inner stack");
  a.mov(cx, word(esp, 2));
  g.expect(cx, layout.USER_CODE32, "CS");
  a.mov(ecx, dword(esp, 4));
  g.expect(ecx, 0x22221111, "the parameters");
  a.mov(cx, word(esp, 8));
  g.expect(cx, (layout.USER_STACK_TOP - 4) & 0xffff, "SP");
  a.mov(cx, word(esp, 10));
  g.expect(cx, layout.USER_DATA_SELECTOR, "SS");
  a.db(0x66, 0xca, 4, 0);
}

/** The stack of the new level: everything that can be wrong with it. */
function newStacks(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const { code, data } = level1(g);
  const gate = callGate(g, code);
  const readOnly = g.descriptor(segmentDescriptor({ type: DATA_READ_ONLY, dpl: 1, big: true })) | 1;
  const absent =
    g.descriptor(segmentDescriptor({ type: DATA_WRITABLE, dpl: 1, big: true, present: false })) | 1;
  aimGate(g, gate, "gate");
  a.mov(dword(TSS_ESP1), RING1_STACK);
  const refused = (
    stack: number,
    vector: number,
    error: number,
    note: string,
    onQemu: Partial<ExpectedEvent> = {},
  ): void => {
    a.mov(dword(TSS_SS1), stack);
    g.fault({ vector, error, note, onQemu, cs: layout.USER_CODE32, rsp: BigInt(layout.USER_STACK_TOP) }, () =>
      a.callFar(gate, 0),
    );
  };
  atLevel3(g, () => {
    refused(0, TS, 0, "a null SS in the TSS");
    refused(readOnly, TS, readOnly & ~3, "an SS that cannot be written");
    refused(data & ~3, TS, data & ~3, "an SS with another RPL");
    refused(layout.USER_DATA_SELECTOR, TS, layout.USER_DATA_SELECTOR & ~3, "an SS of level 3");
    refused(code, TS, code & ~3, "an SS that is code");
    refused(0x3f9, TS, 0x3f8, "an SS that is nothing");
    refused(0x401, TS, 0x400, "an SS beyond the table");
    // QEMU 7.2 raises #TS; the SDM says #SS.
    refused(absent, SS_FAULT, absent & ~3, "an SS that is absent", { vector: TS });
  });
  g.exit();
  a.label("gate").ud2();
}

/** Limits and instruction pointers: the stack is asked first. */
function order(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const { code, data } = level1(g);
  const small = (type: number, dpl: number, limit = SMALL_LIMIT >> 12): number =>
    g.descriptor(segmentDescriptor({ type, dpl, big: true, limit })) | dpl;
  const smallCode3 = small(CODE_READABLE, 3);
  const smallCode1 = small(CODE_READABLE, 1);
  const tinyStack1 =
    g.descriptor(
      segmentDescriptor({ type: DATA_WRITABLE, dpl: 1, big: true, limit: 0xfff, granular: false }),
    ) | 1;
  const tinyStack3 =
    g.descriptor(
      segmentDescriptor({ type: DATA_WRITABLE, dpl: 3, big: true, limit: 0xfff, granular: false }),
    ) | 3;
  const beyond =
    g.descriptor(gate32({ selector: smallCode1, offset: FAR_AWAY, type: TYPE_CALL_GATE, dpl: 3, ist: 2 })) |
    3;
  const toLevel1 = callGate(g, code);
  aimGate(g, toLevel1, "level1");
  a.mov(dword(TSS_ESP1), 20).mov(dword(TSS_SS1), tinyStack1);
  atLevel3(g, () => {
    g.fault(
      { vector: GP, error: 0, note: "far CALL beyond the limit", rsp: BigInt(layout.USER_STACK_TOP) },
      () => a.callFar(smallCode3, FAR_AWAY),
    );
    g.fault({ vector: SS_FAULT, error: tinyStack1 & ~3, note: "no room for six values comes first" }, () =>
      a.callFar(beyond, 0),
    );
    a.mov(dword(TSS_ESP1), 24);
    g.fault({ vector: GP, error: 0, note: "then a gate beyond the limit" }, () => a.callFar(beyond, 0));
    a.mov(ecx, tinyStack3).movToSegment(ss, ecx).mov(esp, 4);
    g.fault({ vector: SS_FAULT, error: 0, note: "far CALL without room, beyond the limit", rsp: 4n }, () =>
      a.callFar(smallCode3, FAR_AWAY),
    );
    a.mov(ecx, layout.USER_DATA_SELECTOR).movToSegment(ss, ecx).mov(esp, layout.USER_STACK_TOP);
    a.mov(dword(TSS_ESP1), RING1_STACK).mov(dword(TSS_SS1), data).callFar(toLevel1, 0);
  });
  g.exit();
  a.label("level1");
  const stack = (...values: number[]): void => values.forEach((value) => a.push(value));
  const refused = (values: number[], vector: number, error: number, note: string): void => {
    for (const [name, flags] of [
      ["RET", undefined],
      ["IRET", 2],
    ] as const) {
      const [stackSelector, pointer, selector, eip] = values;
      stack(stackSelector, pointer, ...(flags === undefined ? [] : [flags]), selector, eip);
      g.fault({ vector, error, note: `${name} ${note}` }, () =>
        flags === undefined ? a.retf(32) : a.iret(),
      );
      a.mov(esp, RING1_STACK - 16);
    }
  };
  const top = layout.USER_STACK_TOP;
  const user = layout.USER_DATA_SELECTOR;
  refused(
    [data, top, smallCode3, FAR_AWAY],
    GP,
    data & ~3,
    "to level 3 with an SS of level 1, beyond the limit",
  );
  refused([0, top, smallCode3, FAR_AWAY], GP, 0, "with a null SS");
  refused([user, top, smallCode3, FAR_AWAY], GP, 0, "with a good SS, beyond the limit");
  refused([user, top, layout.KERNEL_CODE, 0], GP, layout.KERNEL_CODE, "to an inner level");
  refused([user, top, smallCode1, FAR_AWAY], GP, 0, "to the same level beyond the limit");
  a.retf(32);
}

/** A far RET to a 16-bit stack: SP alone is loaded and moved. */
function narrowStacks(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const narrow =
    g.descriptor(segmentDescriptor({ type: DATA_WRITABLE, dpl: 3, limit: 0xffff, granular: false })) | 3;
  const back = a.fresh("back");
  const kernelStack = layout.STACK_TOP - 0x100;
  a.mov(dword(layout.LOG_USER_RETURN), addressOf(back))
    .mov(dword(layout.LOG_USER_STACK), esp)
    .mov(esp, kernelStack);
  a.push(narrow).push(0x1234fffc).push(0).push(0).push(layout.USER_CODE32).push(addressOf("narrow"));
  a.db(0xca, 8, 0);
  a.label("narrow")
    .mov(edx, esp)
    .mov(ecx, layout.USER_DATA_SELECTOR)
    .movToSegment(ds, ecx)
    .movToSegment(es, ecx);
  g.expect(edx, 4, "RET 8 wraps SP", 0xffffn);
  g.expect(edx, kernelStack & 0xffff0000, "and leaves the upper half of ESP", 0xffff0000n);
  a.int(layout.USER_DONE_VECTOR);
  a.label(back).mov(ecx, layout.KERNEL_DATA).movToSegment(ds, ecx).movToSegment(es, ecx);
  g.exit();
}

export function callGateGuests(): Guest[] {
  const cites = "SDM vol. 2A, CALL, RET; vol. 3A §5.8.5";
  const limits = "QEMU 7.2 checks no limits; the SDM is right";
  return [
    guest("a call gate copies parameters and returns to the outer level", { mode: 32, cites }, parameters),
    guest("a 16-bit call gate copies words", { mode: 32, cites }, sixteenBitGate),
    guest("the stack that a call gate switches to", { mode: 32, cites }, newStacks),
    guest(
      "stacks are checked before instruction pointers",
      { mode: 32, cites: "SDM vol. 2A, CALL, RET, IRET (pseudo-code)", notOnQemu: limits },
      order,
    ),
    guest("a far RET to a 16-bit stack", { mode: 32, cites: "SDM vol. 2B, RET" }, narrowStacks),
  ];
}
