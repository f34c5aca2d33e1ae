/**
 * Memory operands of x87 instructions: environments by operand size, addresses cut to 32 bits, alignment checks,
 * stores to code segments, the end of the address space.
 *
 * Specification: SDM vol. 1 §8.1.10 (environments), §3.7.5; vol. 3A §5.5 (types), §6.15 (#AC, table 6-7; #SS).
 */
import { cr0, dword, eax, edx, qword, r9, rax, rbp, rbx, rsp } from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const SS_FAULT = 12;
const GP = 13;
const PF = 14;
const MF = 16;
const AC_FAULT = 17;
const CR0_AM = 1 << 18;
const CR0_NE = 1 << 5;
const FLAG_AC = 1n << 18n;
const PATTERN = 0x5555555555555555n;
const FCW_INIT = 0x37fn;
const FCW_OTHER = 0xe7f;
/** Division by zero is not masked. */
const FCW_DIVISION = 0x37b;
/** FSW after FLD1: TOP is 7. */
const FSW_ONE = 0x3800n;
/** Tag word with R7 in use only. */
const FTW_ONE = 0x3fffn;

function pattern(a: Assembler): void {
  a.mov(rax, PATTERN);
  for (let i = 0; i < 16; i++) a.mov(qword(layout.DATA + 8 * i), rax);
}

/** FNSTENV and FLDENV, [rbx], with and without an operand-size prefix. */
const fnstenv = (a: Assembler, ...prefix: number[]): Assembler => a.db(...prefix, 0xd9, 0x33);
const fldenv = (a: Assembler, ...prefix: number[]): Assembler => a.db(...prefix, 0xd9, 0x23);
const fnsave = (a: Assembler, ...prefix: number[]): Assembler => a.db(...prefix, 0xdd, 0x33);

function environment16(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  pattern(a);
  a.mov(rbx, layout.DATA).fninit().fld1();
  fnstenv(a, 0x66);
  g.expectAt(layout.DATA, 2, FCW_INIT, "FCW");
  g.expectAt(layout.DATA + 2, 2, FSW_ONE, "FSW in the next word");
  g.expectAt(layout.DATA + 4, 2, FTW_ONE, "FTW in the third");
  g.expectAt(layout.DATA + 14, 2, PATTERN & 0xffffn, "14 bytes and no more");
  a.mov(rbx, layout.DATA + 32);
  fnsave(a, 0x66);
  g.expectAt(layout.DATA + 32 + 14 + 8, 2, 0x3fffn, "FNSAVE: ST(0)'s exponent behind 14 bytes");
  g.expectAt(layout.DATA + 32 + 94, 2, PATTERN & 0xffffn, "94 bytes and no more");
  a.mov(rbx, layout.DATA + 256).mov(dword(layout.DATA + 256), FCW_OTHER);
  a.mov(dword(layout.DATA + 260), 0xffff);
  fldenv(a, 0x66);
  a.fnstcw(dword(layout.DATA + 512)).fnstsw(dword(layout.DATA + 514));
  g.expectAt(layout.DATA + 512, 2, BigInt(FCW_OTHER), "FLDENV m14: FCW");
  g.expectAt(layout.DATA + 514, 2, 0n, "FLDENV m14: FSW from the second word");
  a.fninit()
    .fld1()
    .mov(rbx, layout.DATA + 768);
  fnstenv(a);
  g.expectAt(layout.DATA + 768 + 4, 2, FSW_ONE, "without a prefix the fields are 4 bytes apart");
  g.expectAt(layout.DATA + 768 + 8, 2, FTW_ONE, "FTW of the 28-byte form");
  g.exit();
}

/** In 16-bit code the short form is the one without a prefix. */
function environmentIn16(g: GuestBuilder): void {
  const { a } = g;
  const at = layout.REAL_RESULTS + 0x800;
  a.db(0xbb).dw(at); // mov bx, at
  a.fninit().fld1().db(0xd9, 0x37); // fnstenv [bx]
  a.fninit().fld1().db(0x66, 0xd9, 0x77, 0x40); // fnstenv [bx+64], 32-bit
  g.expectAt(at + 2, 2, FSW_ONE, "FNSTENV: FSW in the second word");
  g.expectAt(at + 4, 2, FTW_ONE, "FTW in the third");
  g.expectAt(at + 64 + 4, 2, FSW_ONE, "with a prefix in the third");
  g.expectAt(at + 64 + 8, 2, FTW_ONE, "FTW in the fifth");
  g.exit();
}

/** Upper halves of registers that are no part of a 32-bit address must not cost it its lowest bits. */
function shortAddresses(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.fninit()
    .mov(rax, 0x4045000000000000n)
    .mov(qword(layout.DATA + 0x18), rax); // 42.0
  a.mov(r9, 0x9876543200000000n | BigInt(layout.DATA + 3));
  a.db(0x67, 0x41, 0xdd, 0x41, 0x15); // fld qword [r9d+0x15]
  a.db(0x67, 0x41, 0xdf, 0x79, 0x25); // fistp qword [r9d+0x25]
  g.expectAt(layout.DATA + 0x28, 8, 42n, "read and written where the low 32 bits say");
  g.exit();
}

function alignment(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.movSystem(rax, cr0).or(eax, CR0_AM).movSystem(cr0, rax).fninit();
  g.user(() => {
    a.pushf().or(qword(rsp), FLAG_AC).popf().mov(rbx, layout.USER_DATA);
    const refused = (note: string, ...code: number[]): void => {
      g.fault({ vector: AC_FAULT, error: 0, note }, () => a.db(...code));
    };
    refused("FLD m32 at 2", 0xd9, 0x43, 0x02);
    refused("FLD m64 at 4", 0xdd, 0x43, 0x04);
    refused("FLD m80 at 4", 0xdb, 0x6b, 0x04);
    refused("FISTP m64 at 4", 0xdf, 0x7b, 0x04);
    refused("FNSTCW at 1", 0xd9, 0x7b, 0x01);
    refused("FNSTENV m28 at 2", 0xd9, 0x73, 0x02);
    a.db(0x66, 0xd9, 0x73, 0x02); // FNSTENV m14 at 2
    a.db(0xdb, 0x6b, 0x08, 0xdd, 0x5b, 0x10); // FLD m80 at 8, FSTP m64 at 16
    a.fnstsw(dword({ base: rbx }))
      .mov(edx, dword({ base: rbx }))
      .and(edx, 0x3800);
    a.pushf().and(qword(rsp), ~FLAG_AC).popf();
  });
  g.expect(edx, 0, "aligned operands are accepted, refused ones left TOP alone");
  g.exit();
}

/** A flat code segment can be read through CS, but not written, whatever the instruction. */
function codeSegment(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.fninit().fld1().db(0xbb).dd(layout.DATA); // mov ebx, DATA
  g.fault({ vector: GP, error: 0, note: "FST m32 through CS" }, () => a.db(0x2e, 0xd9, 0x13));
  g.fault({ vector: GP, error: 0, note: "MOV through CS" }, () => a.db(0x2e, 0x89, 0x03));
  g.fault({ vector: GP, error: 0, note: "ADD through CS" }, () => a.db(0x2e, 0x01, 0x03));
  g.fault({ vector: GP, error: 0, note: "MOVUPS through CS" }, () => a.db(0x2e, 0x0f, 0x11, 0x03));
  a.db(0x2e, 0xd8, 0x03).db(0x2e, 0x8b, 0x03); // FADD m32 and MOV from CS
  a.movSystem(eax, cr0).or(eax, CR0_NE).movSystem(cr0, eax);
  a.fninit().fld1().fldz().mov(dword(layout.DATA), FCW_DIVISION).fldcw(dword(layout.DATA)).fdivp();
  g.fault({ vector: MF, error: 0, note: "a pending exception comes before the operand" }, () =>
    a.db(0x2e, 0xd9, 0x13),
  );
  g.exit();
}

function edges(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.fninit()
    .fld1()
    .mov(rbp, 1n << 47n)
    .mov(rbx, rbp);
  g.fault({ vector: SS_FAULT, error: 0, note: "FST through RBP, not canonical" }, () => a.db(0xd9, 0x55, 0));
  g.fault({ vector: SS_FAULT, error: 0, note: "FLD through RBP, not canonical" }, () => a.db(0xdd, 0x45, 0));
  g.fault({ vector: GP, error: 0, note: "FLD through RBX, not canonical" }, () => a.db(0xdd, 0x03));
  const last = 0xffffffffffffffffn;
  a.mov(rbx, last);
  g.fault({ vector: PF, error: 0, cr2: last, note: "MOV across the end of the address space" }, () =>
    a.mov(eax, dword({ base: rbx })),
  );
  g.exit();
}

export function x87OperandGuests(): Guest[] {
  const cites = "SDM vol. 1 §8.1.10";
  return [
    guest("x87 environments by operand size", { cites }, environment16),
    guest("x87 environments in 16-bit code", { mode: 16, cites }, environmentIn16),
    guest("32-bit addresses of x87 operands", { cites: "SDM vol. 1 §3.6.1" }, shortAddresses),
    guest(
      "alignment of x87 operands",
      { cites: "SDM vol. 3A table 6-7", notOnQemu: "QEMU 7.2 checks no alignment" },
      alignment,
    ),
    guest(
      "stores through CS",
      { mode: 32, cites: "SDM vol. 3A §5.5", notOnQemu: "QEMU 7.2 checks no segment types" },
      codeSegment,
    ),
    guest(
      "x87 operands that are not canonical",
      { cites: "SDM vol. 1 §3.3.7.1", notOnQemu: "QEMU 7.2 raises #GP for #SS" },
      edges,
    ),
  ];
}
