/**
 * Limits and rights of segments outside 64-bit mode where they are easily forgotten: string instructions, stacks that
 * end, segments of real mode.
 *
 * Specification: SDM vol. 3A §5.2, §5.3, §20.1; vol. 3B §23.31 (wraparound); vol. 2 (MOVS, PUSHA, ENTER).
 */
import {
  CODE_EXECUTE_ONLY,
  DATA_EXPAND_DOWN,
  DATA_READ_ONLY,
  DATA_WRITABLE,
  addressOf,
  ax,
  bp,
  bx,
  byte,
  cs,
  cx,
  di,
  ds,
  dword,
  eax,
  ebp,
  ecx,
  edi,
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
import type { Assembler, SegmentOperand } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const SS_FAULT = 12;
const GP = 13;
const FROM = layout.DATA;
const TO = layout.DATA + 0x1000;

function load(a: Assembler, segment: SegmentOperand, selector: number): void {
  a.mov(eax, selector).movToSegment(segment, eax);
}

/** REP MOVS into a segment that ends in its middle: the registers say how far it came. */
function copies(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.data(FROM, new Uint8Array(64).fill(0x5a));
  const short = g.descriptor(
    segmentDescriptor({ base: TO, limit: 17, type: DATA_WRITABLE, big: true, granular: false }),
  );
  load(a, es, short);
  a.cld().mov(esi, FROM).mov(edi, 2).mov(ecx, 8);
  g.fault({ vector: GP, error: 0, note: "REP MOVSD past the limit of ES" }, () => a.rep().movs(32));
  g.expect(ecx, 4, "four elements are left");
  g.expect(edi, 18, "EDI is at the first that does not fit");
  g.expect(esi, FROM + 16, "ESI is beside it");
  a.mov(eax, dword(TO + 14));
  g.expect(eax, 0x5a5a5a5a, "what fits is written");
  g.expectAt(TO + 18, 2, 0n, "nothing behind the limit is");
  a.mov(edi, 16).mov(ecx, 1).mov(eax, 0x77);
  g.fault({ vector: GP, error: 0, note: "STOSD across the limit" }, () => a.stos(32));
  a.mov(edi, 14);
  a.stos(32).mov(ebp, dword(TO + 14));
  g.expect(ebp, 0x77, "STOSD that ends at the limit");
  a.mov(edi, 0).mov(ecx, 100);
  g.fault({ vector: GP, error: 0, note: "REP STOSB past the limit" }, () => a.rep().stos(8));
  g.expect(ecx, 100 - 18, "18 bytes fit");
  a.mov(edi, 17);
  g.fault({ vector: GP, error: 0, note: "SCASW across the limit" }, () => a.scas(16));
  a.mov(esi, FROM).mov(edi, 18);
  g.fault({ vector: GP, error: 0, note: "CMPSB behind the limit" }, () => a.cmps(8));
  g.expect(esi, FROM, "ESI stays");
  a.std()
    .mov(esi, FROM + 8)
    .mov(edi, 1)
    .mov(ecx, 5);
  g.fault({ vector: GP, error: 0, note: "REP MOVSB downwards through 0" }, () => a.rep().movs(8));
  g.expect(edi, -1 >>> 0, "EDI has wrapped");
  g.expect(ecx, 3, "two elements were done");
  a.cld().mov(edi, 0xffffffff).mov(ecx, 0).rep().movs(8);
  g.expect(ecx, 0, "a count of 0 checks nothing");
  g.exit();
}

function rights(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const readOnly = g.descriptor(segmentDescriptor({ type: DATA_READ_ONLY, big: true }));
  const executeOnly = g.descriptor(segmentDescriptor({ type: CODE_EXECUTE_ONLY, big: true }));
  const down = g.descriptor(
    segmentDescriptor({ type: DATA_EXPAND_DOWN, big: true, granular: false, limit: 0xfff }),
  );
  load(a, es, readOnly);
  a.mov(edi, FROM);
  g.fault({ vector: GP, error: 0, note: "STOSB to a read-only ES" }, () => a.stos(8));
  a.scas(8);
  g.expect(edi, FROM + 1, "SCASB may read it");
  load(a, es, 0);
  g.fault({ vector: GP, error: 0, note: "SCASB in a null ES" }, () => a.scas(8));
  load(a, es, down);
  a.mov(edi, 0xfff);
  g.fault({ vector: GP, error: 0, note: "STOSB below an expand-down segment" }, () => a.stos(8));
  a.mov(edi, FROM).mov(eax, 0x66).stos(8);
  g.expectAt(FROM, 1, 0x66n, "STOSB above its limit");
  load(a, es, layout.KERNEL_DATA);
  load(a, fs, readOnly);
  load(a, gs, 0);
  a.mov(esi, FROM).db(0x64).lods(8);
  g.expect(esi, FROM + 1, "LODSB with an override");
  g.fault({ vector: GP, error: 0, note: "LODSB of a null GS" }, () => a.db(0x65).lods(8));
  const farTarget = executeOnly;
  a.jmpFar(farTarget, addressOf("executeOnly")).label("executeOnly");
  g.fault({ vector: GP, error: 0, note: "LODSB of execute-only code" }, () => a.db(0x2e).lods(8));
  a.jmpFar(layout.KERNEL_CODE, addressOf("readable")).label("readable");
  g.exit();
}

/** Sixteen-bit addresses wrap between elements, also inside a page. */
function wraps(g: GuestBuilder): void {
  const { a } = g;
  const segment = 0x2008;
  g.data(segment * 16 + 0xfffc, [1, 2, 3, 4]);
  g.data(segment * 16, [5, 6, 7, 8]);
  a.mov(ax, segment).movToSegment(ds, ax).cld().mov(si, 0xfffc).mov(di, 0x4000).mov(cx, 4).rep().movs(16);
  a.mov(ax, 0).movToSegment(ds, ax);
  g.expect(si, 4, "SI has wrapped");
  g.expectAt(0x4000, 8, 0x0807060504030201n, "REP MOVSW around the end of the segment");
  a.mov(ax, segment).movToSegment(es, ax).mov(di, 0xfffe).mov(cx, 3).mov(ax, 0x1122).rep().stos(16);
  g.expect(di, 4, "DI has wrapped");
  g.expectAt(segment * 16 + 0xfffe, 2, 0x1122n, "REP STOSW at the end");
  g.expectAt(segment * 16 + 2, 2, 0x1122n, "and at the start");
  g.expectAt(segment * 16 + 0x10000, 2, 0n, "nothing behind the end");
  g.exit();
}

/** A handler of real mode for one vector: counts in BP and goes on at the word in `RESUME`. */
const RESUME = 0x4ff0;

function realHandler(g: GuestBuilder, vector: number, label: string): void {
  const { a } = g;
  a.mov(word(4 * vector), addressOf(label, -layout.REAL_CODE));
  a.mov(word(4 * vector + 2), layout.REAL_CODE >> 4);
}

function realFault(g: GuestBuilder, note: string, emit: (a: Assembler) => unknown): void {
  const { a } = g;
  const behind = a.fresh("behind");
  a.mov(word(RESUME), addressOf(behind, -layout.REAL_CODE)).mov(bp, 0);
  emit(a);
  g.expectSkipped(note);
  a.label(behind);
  g.expect(bp, 1, note);
}

function handlers(g: GuestBuilder): void {
  const { a } = g;
  a.label("handler")
    .mov(sp, layout.REAL_STACK_TOP - 6)
    .mov(bp, sp)
    .push(ax)
    .mov(ax, 0)
    .movToSegment(ds, ax);
  a.mov(ax, word(RESUME))
    .mov(word(bp), ax)
    .mov(word(bp, 2), layout.REAL_CODE >> 4)
    .mov(word(bp, 4), 2);
  a.pop(ax).mov(bp, 1).iret();
}

function realSegments(g: GuestBuilder): void {
  const { a } = g;
  realHandler(g, GP, "handler");
  a.mov(byte({ label: "cell$", disp: -layout.REAL_CODE, segment: cs }), 0x42);
  a.db(0x2e).db(0xa0).dw(addressOf("cell$", -layout.REAL_CODE)).mov(bx, ax);
  g.expect(bx, 0x42, "CS can be written in real mode", 0xffn);
  realFault(g, "MOVSW at the last byte of DS", () => a.mov(si, 0xffff).movs(16));
  g.expect(si, 0xffff, "SI stays");
  realFault(g, "LODSB beyond 64 KiB with a 32-bit address", () => a.mov(esi, 0x10000).db(0x67).lods(8));
  for (const pointer of [7, 15]) {
    realFault(g, `PUSHA with SP = ${pointer}`, () => a.mov(sp, pointer).pusha());
    a.mov(sp, layout.REAL_STACK_TOP);
  }
  g.exit();
  a.label("cell$").db(0);
  handlers(g);
}

/** The stack of a limited segment: ENTER looks at where it ends. */
function frames(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const stack = g.descriptor(
    segmentDescriptor({ base: TO, limit: 0xfff, type: DATA_WRITABLE, big: true, granular: false }),
  );
  // #SS goes through a gate to its own good stack: the handler's frame would lie in the limited one.
  load(a, ss, stack);
  a.mov(esp, 0x800).mov(ebp, 0x123);
  g.fault({ vector: SS_FAULT, error: 0, note: "ENTER to below the segment" }, () => a.enter(0x900, 0));
  g.expect(esp, 0x800, "ESP stays");
  g.expect(ebp, 0x123, "EBP stays");
  a.enter(0x700, 0);
  g.expect(esp, 0x800 - 4 - 0x700, "ENTER to within it");
  g.expect(ebp, 0x800 - 4, "its frame");
  a.leave();
  g.expect(ebp, 0x123, "LEAVE");
  a.mov(ebp, 0x1001);
  g.fault({ vector: SS_FAULT, error: 0, note: "LEAVE of a frame beyond the limit" }, () => a.leave());
  load(a, ss, layout.KERNEL_DATA);
  a.mov(esp, layout.STACK_TOP);
  g.exit();
}

export function limitGuests(): Guest[] {
  const notOnQemu = "QEMU 7.2 checks no segment limits; the SDM is right";
  return [
    guest(
      "string instructions and limits",
      { mode: 32, cites: "SDM vol. 3A §5.3; vol. 2B, MOVS", notOnQemu },
      copies,
    ),
    guest("string instructions and rights", { mode: 32, cites: "SDM vol. 3A §5.2", notOnQemu }, rights),
    guest("strings wrap at 64 KiB", { mode: 16, cites: "SDM vol. 1 §3.3.5" }, wraps),
    guest(
      "segments of real mode",
      { mode: 16, cites: "SDM vol. 3B §23.31.1; vol. 2B, PUSHA", notOnQemu },
      realSegments,
    ),
    guest("stack frames and limits", { mode: 32, cites: "SDM vol. 2A, ENTER, LEAVE", notOnQemu }, frames),
  ];
}
