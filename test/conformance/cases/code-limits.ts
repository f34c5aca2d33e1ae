/**
 * Where a code segment ends outside 64-bit mode: near branches fault at themselves and change nothing, execution that
 * runs over the end faults at the first instruction that does not fit.
 *
 * Specification: SDM vol. 3A §5.3; vol. 2 (JMP, CALL, RET, LOOP, Jcc: protected-mode exceptions).
 */
import {
  CODE_READABLE,
  addressOf,
  at,
  dword,
  eax,
  ecx,
  esp,
  segmentDescriptor,
  word,
} from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const GP = 13;
const PLACE = layout.DATA + 0x40000;
/** Offset of the code that leaves the segment, where the handler goes on. */
const STUB = 0x10;
/** Far pointer that the stub jumps through. */
const WAY_OUT = layout.DATA + 0x10;

/** A segment that ends behind `limit`, with the way out in it. */
class Segment {
  readonly selector: number;
  readonly base: number;

  constructor(
    private readonly g: GuestBuilder,
    index: number,
    readonly limit: number,
  ) {
    this.base = PLACE + index * 0x4000;
    const fields = { base: this.base, limit, type: CODE_READABLE, big: true, granular: false };
    this.selector = g.descriptor(segmentDescriptor(fields));
    const here = g.a.here;
    g.a.org(this.base + STUB).jmpFarAt(at(WAY_OUT), 32);
    g.a.org(here);
  }

  /** Jumps to code at `start` that must fault with EIP `faults`, and comes back. */
  check(note: string, start: number, faults: number, emit: (a: Assembler) => unknown): void {
    const { g } = this;
    const { a } = g;
    const back = a.fresh("back");
    a.mov(dword(WAY_OUT), addressOf(back)).mov(word(WAY_OUT + 4), layout.KERNEL_CODE);
    a.mov(dword(layout.LOG_RESUME), STUB);
    a.mov(eax, this.limit + 1).mov(ecx, 5);
    g.expectEvent({ vector: GP, error: 0, rip: BigInt(faults), cs: this.selector, note });
    a.jmpFar(this.selector, start);
    const here = a.here;
    a.org(this.base + start);
    emit(a);
    a.org(here).label(back);
    g.expect(esp, layout.STACK_TOP, `${note}: ESP stays`);
    g.expect(ecx, 5, `${note}: ECX stays`);
    g.expect(eax, this.limit + 1, `${note}: EAX stays`);
  }
}

function branches(g: GuestBuilder): void {
  prologue(g.a);
  const segment = new Segment(g, 0, 0x123);
  const behind = segment.base + 0x124;
  segment.check("JMP rel32", 0x20, 0x20, (v) => v.jmp(behind));
  segment.check("JMP rel8", 0x110, 0x110, (v) => v.jmpShort(behind));
  segment.check("JMP far beyond", 0x30, 0x30, (v) => v.jmp(behind + 0x100000));
  segment.check("Jcc that is taken", 0x40, 0x48, (v) =>
    v
      .cmp(ecx, 5)
      .jccShort("ne", behind - 0x80)
      .nop()
      .nop()
      .nop()
      .jcc("e", behind),
  );
  segment.check("CALL rel32", 0x60, 0x60, (v) => v.call(behind));
  segment.check("CALL r32", 0x70, 0x70, (v) => v.callAt(eax));
  segment.check("JMP r32", 0x80, 0x80, (v) => v.jmpAt(eax));
  segment.check("LOOP", 0x118, 0x118, (v) => v.db(0xe2, 0x124 - 0x11a));
  g.exit();
}

function returns(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const segment = new Segment(g, 0, 0x123);
  a.push(0x124);
  a.mov(dword(WAY_OUT), addressOf("back")).mov(word(WAY_OUT + 4), layout.KERNEL_CODE);
  a.mov(dword(layout.LOG_RESUME), STUB);
  g.expectEvent({ vector: GP, error: 0, rip: 0x90n, cs: segment.selector, note: "RET" });
  a.jmpFar(segment.selector, 0x90);
  const here = a.here;
  a.org(segment.base + 0x90).ret();
  a.org(here).label("back");
  g.expect(esp, layout.STACK_TOP - 4, "ESP stays");
  g.exit();
}

function running(g: GuestBuilder): void {
  prologue(g.a);
  const inPage = new Segment(g, 0, 0x123);
  inPage.check("NOP as the last byte, then the end", 0x122, 0x124, (v) => v.nop().nop().nop());
  const across = new Segment(g, 1, 0x123);
  across.check("an instruction across the end", 0x120, 0x121, (v) => v.nop().mov(eax, 0x55));
  across.check("the same again", 0x11f, 0x121, (v) => v.nop());
  const pageEnd = new Segment(g, 2, 0xfff);
  pageEnd.check("NOP as the last byte of segment and page", 0xffe, 0x1000, (v) => v.nop().nop().nop());
  const both = new Segment(g, 3, 0xfff);
  both.check("an instruction across the end of segment and page", 0xffc, 0xffd, (v) =>
    v.nop().mov(eax, 0x55),
  );
  const behindPage = new Segment(g, 4, 0x1000);
  behindPage.check("an instruction across page and segment", 0xffc, 0xffd, (v) => v.nop().mov(eax, 0x55));
  behindPage.check("the same again", 0xffa, 0xffd, (v) => v.nop().nop());
  const looped = new Segment(g, 5, 0xfff);
  looped.check("a segment that was entered by a loop", 0xff0, 0x1000, (v) => {
    v.mov(ecx, 3)
      .label("again")
      .loop("again")
      .mov(ecx, 5)
      .padTo(looped.base + 0x1000);
  });
  g.exit();
}

/** The same code in two segments of different length. */
function shared(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const base = PLACE;
  const long = g.descriptor(
    segmentDescriptor({ base, limit: 0x200, type: CODE_READABLE, big: true, granular: false }),
  );
  const short = new Segment(g, 0, 0x123);
  a.mov(dword(WAY_OUT), addressOf("first")).mov(word(WAY_OUT + 4), layout.KERNEL_CODE);
  a.mov(ecx, 0).jmpFar(long, 0x120);
  const here = a.here;
  a.org(base + 0x120)
    .mov(ecx, 5)
    .nop()
    .jmp(base + STUB);
  a.org(here).label("first");
  g.expect(ecx, 5, "the longer segment holds the code");
  short.check("the shorter one does not", 0x11f, 0x120, (v) => v.nop());
  g.exit();
}

/** A 16-bit operand size cuts the target of a near branch. */
function narrow(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const target = 0x9000;
  a.db(0x66, 0xe9).dw((target - (a.here + 4)) & 0xffff);
  a.label("back");
  g.expect(ecx, 0x77, "66 E9 in 32-bit code goes to a 16-bit EIP");
  g.exit();
  a.org(target).mov(ecx, 0x77).jmp("back");
}

/** 16-bit code above 64 KiB, reached by a 32-bit far jump and a 32-bit interrupt gate: EIP keeps its 32 bits. */
function sixteenBitsAbove(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const selector = g.descriptor(segmentDescriptor({ type: CODE_READABLE, big: false }));
  g.gates.set(0x82, { selector, offset: 0, type: 0xe, label: "handler" });
  a.xor(eax, eax).xor(ecx, ecx).jmpFar(selector, addressOf("sixteen"));
  a.bits(16).label("sixteen").inc(eax).inc(eax).jmpFar(layout.KERNEL_CODE, addressOf("back"), 32);
  a.bits(32).label("back");
  g.expect(eax, 2, "instructions follow each other above 64 KiB");
  a.int(0x82);
  g.expect(ecx, 3, "an interrupt gate leads there too");
  g.exit();
  a.bits(16).label("handler").mov(ecx, 3).db(0x66).iret().bits(32);
}

export function codeLimitGuests(): Guest[] {
  const cites = "SDM vol. 3A §5.3";
  const notOnQemu = "QEMU 7.2 checks no limits of code; the SDM is right";
  return [
    guest(
      "16-bit code above 64 KiB",
      { mode: 32, cites: "SDM vol. 3A §3.4.5 (D flag), §6.12.1; vol. 2A, JMP" },
      sixteenBitsAbove,
    ),
    guest("near branches beyond the limit", { mode: 32, cites, notOnQemu }, branches),
    guest("RET beyond the limit", { mode: 32, cites, notOnQemu }, returns),
    guest("running past the limit", { mode: 32, cites, notOnQemu }, running),
    guest("one piece of code under two limits", { mode: 32, cites, notOnQemu }, shared),
    guest("16-bit branches in 32-bit code", { mode: 32, cites: "SDM vol. 2A, JMP" }, narrow),
  ];
}
