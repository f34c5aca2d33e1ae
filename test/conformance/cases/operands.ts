/**
 * Where operands come from: addressing modes, prefixes, segment bases, stack sizes, far ends of the address space.
 */
import {
  GPRS,
  addressOf,
  ah,
  al,
  at,
  ax,
  bl,
  bp,
  bx,
  byte,
  cx,
  dword,
  eax,
  ebx,
  ecx,
  edx,
  fs,
  gs,
  qword,
  r12,
  r13,
  r9,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
  si,
  sil,
  word,
} from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { P, RW } from "../support/page-tables.js";

const VECTOR_SS = 12;
const VECTOR_GP = 13;
const MSR_FS_BASE = 0xc0000100;
const MSR_GS_BASE = 0xc0000101;
const COUNT = 64;

/** DATA holds bytes 0, 1, 2 …, so that a loaded value tells its address. */
function ramp(g: GuestBuilder): void {
  g.data(
    layout.DATA,
    Array.from({ length: 256 }, (_, i) => i),
  );
}

function addressing64(g: GuestBuilder): void {
  prologue(g.a);
  ramp(g);
  const { a } = g;
  const sees = (at: Parameters<typeof byte>[0], offset: number, note: string): void => {
    a.movzx(eax, byte(at));
    g.expect(eax, offset, note);
  };
  a.mov(rbx, layout.DATA)
    .mov(rcx, 5)
    .mov(r12, layout.DATA + 1)
    .mov(r13, layout.DATA + 2)
    .mov(r9, 3);
  sees(rbx, 0, "[rbx]");
  sees({ base: rbx, disp: 7 }, 7, "[rbx+disp8]");
  sees({ base: rbx, disp: 200 }, 200, "[rbx+disp32]");
  sees({ base: rbx, index: rcx, scale: 8 }, 40, "[rbx+rcx*8]");
  sees({ base: r12 }, 1, "[r12] needs SIB");
  sees({ base: r13 }, 2, "[r13] needs a displacement");
  sees({ base: r13, index: r9, scale: 4, disp: -1 }, 13, "[r13+r9*4-1]");
  sees({ base: rbx, index: r12, scale: 1, disp: -layout.DATA }, 1, "[rbx+r12-DATA]");
  sees({ index: rcx, scale: 2, disp: layout.DATA }, 10, "[rcx*2+disp32]");
  sees(layout.DATA + 9, 9, "[disp32]");
  a.mov(rbp, layout.DATA + 4);
  sees({ base: rbp, index: rbp, scale: 1, disp: -layout.DATA }, 8, "[rbp+rbp-DATA]");
  a.mov(rbx, 0xffffffff00000000n + BigInt(layout.DATA));
  sees({ base: ebx, disp: 3 }, 3, "[ebx+3]: a 32-bit address is zero-extended");
  a.mov(ebx, -16).mov(ecx, layout.DATA + 32);
  sees({ base: ecx, index: ebx, scale: 1 }, 16, "[ecx+ebx] wraps at 32 bits");
  a.mov(al, byte("ripCell", 1));
  g.expect(al, 0x5b, "RIP-relative");
  a.cmp(byte("ripCell"), 0x5a).set("e", al);
  g.expect(al, 1, "RIP-relative with an immediate behind it");
  // MOV AL/RAX, moffs64: A0 and A1 take 8-byte addresses.
  a.db(0xa0).dq(layout.DATA + 77);
  g.expect(al, 77, "MOV AL, moffs64");
  a.db(0x48, 0xa1).dq(layout.DATA + 8);
  g.expect(rax, 0x0f0e0d0c0b0a0908n, "MOV RAX, moffs64");
  a.db(0x48, 0xa3).dq(layout.DATA + 0x400);
  g.expectAt(layout.DATA + 0x400, 8, 0x0f0e0d0c0b0a0908n, "MOV moffs64, RAX");
  g.exit();
  a.label("ripCell").db(0x5a, 0x5b);
}

function byteRegisters(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rax, 0x1122334455667788n).mov(ah, 0xee);
  g.expect(rax, 0x112233445566ee88n, "AH is bits 8–15");
  a.mov(rsi, 0x1122334455667788n).mov(sil, 0xee);
  g.expect(rsi, 0x11223344556677een, "SIL with REX");
  a.mov(rbx, 0xaabbn).mov(bl, GPRS[8][3]).mov(al, ah);
  g.expect(rax, 0x112233445566eeeen, "MOV AL, AH");
  a.mov(ax, 1);
  g.expect(rax, 0x1122334455660001n, "a 16-bit write keeps the rest");
  a.mov(eax, 2);
  g.expect(rax, 2, "a 32-bit write clears the rest");
  g.exit();
}

function segmentBases(g: GuestBuilder): void {
  prologue(g.a);
  ramp(g);
  const { a } = g;
  const write = (msr: number, value: bigint): void => {
    a.mov(ecx, msr)
      .mov(eax, value & 0xffffffffn)
      .mov(edx, value >> 32n)
      .wrmsr();
  };
  write(MSR_FS_BASE, BigInt(layout.DATA + 16));
  write(MSR_GS_BASE, BigInt(layout.DATA + 32));
  a.mov(rbx, 2).movzx(eax, byte({ base: rbx, segment: fs }));
  g.expect(eax, 18, "FS base + 2");
  a.movzx(eax, byte({ disp: 4, segment: gs }));
  g.expect(eax, 36, "GS base + disp32");
  a.lea(rax, at({ base: rbx, segment: fs }));
  g.expect(rax, 2, "LEA ignores the segment");
  write(MSR_FS_BASE, 0xffff_ffff_ffff_fff0n);
  a.mov(rbx, layout.DATA + 16).movzx(eax, byte({ base: rbx, disp: 5, segment: fs }));
  g.expect(eax, 5, "base + offset wraps at 64 bits");
  write(MSR_GS_BASE, 0xffff_8000_0000_0000n);
  a.mov(rbx, 0x8000_0000_0000n + BigInt(layout.DATA + 3));
  a.movzx(eax, byte({ base: rbx, segment: gs }));
  g.expect(eax, 3, "only the sum must be canonical");
  a.mov(rbx, 0xffff000000000000n + BigInt(layout.DATA))
    .db(0x67)
    .db(0x8a, 0x03);
  g.expect(al, 0, "address-size prefix cuts the register, not the sum");
  g.exit();
}

function canonical(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rbx, 0x0000_8000_0000_0000n);
  g.fault({ vector: VECTOR_GP, note: "read at a non-canonical address" }, () => a.mov(rax, qword(rbx)));
  a.mov(rbx, 0xffff_7fff_ffff_ffffn);
  g.fault({ vector: VECTOR_GP, note: "write at a non-canonical address" }, () => a.mov(byte(rbx), 1));
  g.tables.map(0x0000_7fff_ffff_f000n, layout.DATA, P | RW);
  a.mov(rbx, 0x0000_7fff_ffff_fffcn);
  g.fault({ vector: VECTOR_GP, note: "an access that ends beyond the canonical half" }, () =>
    a.mov(rax, qword(rbx)),
  );
  g.exit();
}

function canonicalStack(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rbp, 0x0000_8000_0000_0000n);
  g.fault({ vector: VECTOR_SS, note: "RBP-based: #SS" }, () => a.mov(rax, qword(rbp)));
  a.mov(rdx, rsp).mov(rsp, 0x0000_8000_0000_0008n).mov(rdi, rdx);
  g.resumeAt("afterPush");
  g.expectEvent({ vector: VECTOR_SS, rip: "push", note: "PUSH with a non-canonical RSP" });
  // The handler needs a stack of its own here: the gate of #SS uses IST 1.
  g.gates.set(VECTOR_SS, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, ist: 1 });
  a.label("push").push(rax);
  g.expectSkipped("PUSH");
  a.label("afterPush").mov(rsp, rdi);
  g.exit();
}

function canonicalTargets(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rax, 0x0000_8000_0000_0000n);
  g.fault({ vector: VECTOR_GP, note: "JMP to a non-canonical address" }, () => a.jmpAt(rax));
  g.fault({ vector: VECTOR_GP, note: "CALL to a non-canonical address" }, () => a.callAt(rax));
  g.expect(rsp, layout.STACK_TOP, "CALL left RSP alone");
  a.push(rax);
  g.fault({ vector: VECTOR_GP, note: "RET to a non-canonical address" }, () => a.ret());
  g.expect(rsp, layout.STACK_TOP - 8, "RET left RSP alone");
  g.exit();
}

function stack64(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const top = layout.STACK_TOP;
  a.push(-2).mov(rax, qword(rsp));
  g.expect(rax, 0xfffffffffffffffen, "PUSH imm8 is sign-extended to 64 bits");
  a.push(ax).mov(rbx, rsp);
  g.expect(rbx, top - 10, "PUSH r16 takes 2 bytes");
  a.pop(cx).push(rsp).pop(rbx);
  g.expect(rbx, top - 8, "PUSH RSP pushes the old value");
  a.push(qword(rsp)).pop(rax);
  g.expect(rax, 0xfffffffffffffffen, "PUSH [RSP] reads before it moves");
  a.push(0x55).pop(qword(rsp, 8)).mov(rax, qword(rsp));
  g.expect(
    rax,
    0xfffffffffffffffen,
    "POP [RSP+8] addresses with the RSP after the pop, and hits the slot above",
  );
  g.expectAt(top, 8, 0x55n, "POP [RSP+8]");
  // POP [RSP+RCX+7FFFFFFF]: the size that POP adds carries the displacement over 2^31.
  a.push(0x66)
    .mov(rcx, layout.DATA - 8)
    .sub(rcx, rsp)
    .mov(rax, 0x7fffffffn)
    .sub(rcx, rax);
  a.db(0x8f, 0x84, 0x0c, 0xff, 0xff, 0xff, 0x7f).mov(rax, qword(layout.DATA));
  g.expect(rax, 0x66, "POP with an index and the largest displacement");
  a.mov(rax, rsp).push(rax).pop(rsp);
  g.expect(rsp, top - 8, "POP RSP loads the popped value");
  a.mov(rbp, 0x1234).enter(16, 0).mov(rax, rbp);
  g.expect(rax, top - 16, "ENTER: RBP points at the saved RBP");
  g.expect(rsp, top - 32, "ENTER makes room");
  a.leave();
  g.expect(rbp, 0x1234, "LEAVE restores RBP");
  g.expect(rsp, top - 8, "LEAVE restores RSP");
  a.call("function").label("returned");
  g.expect(rsp, top - 8, "RET imm16 releases its arguments");
  g.expect(rax, 0x77, "the function ran");
  a.mov(rax, 0x246n).push(rax).popf().pushf().pop(rax);
  g.expect(rax, 0x246, "POPF and PUSHF");
  g.exit();
  a.label("function").pop(rbx).sub(rsp, 16).push(rbx).mov(eax, 0x77).ret(16);
}

/** ENTER with nesting copies frame pointers (SDM vol. 2A, ENTER). */
function nestedEnter(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.words(layout.DATA + 0x100 - 16, 0xbbbbn, 0xaaaan, 0xccccn);
  a.mov(rbp, layout.DATA + 0x100).enter(8, 3);
  const frame = layout.STACK_TOP - 8;
  g.expect(rbp, frame, "the new frame");
  g.expect(rsp, frame - 24 - 8, "two copies, the frame pointer, then the locals");
  g.expectAt(frame, 8, BigInt(layout.DATA + 0x100), "saved RBP");
  g.expectAt(frame - 8, 8, 0xaaaan, "first frame pointer copied");
  g.expectAt(frame - 16, 8, 0xbbbbn, "second frame pointer copied");
  g.expectAt(frame - 24, 8, BigInt(frame), "its own frame pointer");
  g.exit();
}

function loops(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(ecx, 5).xor(eax, eax).label("l1").inc(eax).loop("l1");
  g.expect(eax, 5, "LOOP runs RCX times");
  g.expect(rcx, 0, "RCX ends at 0");
  a.mov(rcx, 0x100000000n).xor(eax, eax).jrcxz("wrong").inc(eax).label("wrong");
  g.expect(eax, 1, "JRCXZ looks at 64 bits");
  // 67 E3: JECXZ.
  a.db(0x67, 0xe3, 0x02).inc(eax);
  g.expect(eax, 1, "JECXZ looks at 32 bits and jumps");
  a.mov(rcx, 0x100000001n).db(0x67, 0xe2, 0x00);
  g.expect(rcx, 0, "LOOP with a 32-bit count writes ECX, which clears the upper half");
  a.mov(ecx, 3).xor(eax, eax).label("l2").inc(eax).cmp(eax, 2).db(0xe0, 0xf9);
  g.expect(eax, 2, "LOOPNE ends when ZF is set");
  a.mov(rax, addressOf("target")).jmpAt(rax);
  g.expectSkipped("code behind an indirect jump");
  a.label("target").mov(rbx, addressOf("cell")).callAt(qword(rbx));
  g.expect(eax, 0x99, "CALL through memory");
  g.exit();
  a.label("callee").mov(eax, 0x99).ret();
  a.label("cell").dq(addressOf("callee"));
}

/** Instructions longer than 15 bytes and LOCK where it is not allowed. */
function encodings(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.fault({ vector: VECTOR_GP, note: "16 bytes are too long" }, () =>
    a.db(...new Array<number>(15).fill(0x66), 0x90),
  );
  a.db(...new Array<number>(14).fill(0x66), 0x90);
  g.fault({ vector: 6, note: "LOCK ADD to a register" }, () => a.lock().add(eax, ebx));
  g.fault({ vector: 6, note: "LOCK CMP" }, () => a.lock().cmp(dword(layout.DATA), eax));
  for (const opcode of [
    0x06, 0x0e, 0x16, 0x1e, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x62, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xea,
  ]) {
    g.fault({ vector: 6, note: `opcode ${opcode.toString(16)} is invalid in 64-bit mode` }, () =>
      a.db(opcode, 0xc0, 0x90),
    );
  }
  g.fault({ vector: 6, note: "UD1" }, () => a.db(0x0f, 0xb9, 0xc0));
  g.fault({ vector: 6, note: "MOV CS" }, () => a.db(0x8e, 0xc8));
  g.fault({ vector: 6, note: "MOV CR1" }, () => a.db(0x0f, 0x20, 0xc8));
  // 41 90 is XCHG R8, RAX; F3 90 PAUSE; 0F 1F NOP r/m reads nothing.
  a.mov(GPRS[64][8], 5).mov(rax, 6).db(0x49, 0x90);
  g.expect(rax, 5, "XCHG R8, RAX by 49 90");
  a.mov(rax, -1).db(0x90, 0xf3, 0x90, 0x0f, 0x1f, 0x00);
  g.expect(rax, -1n & 0xffffffffffffffffn, "NOP r/m does not access memory");
  g.exit();
}

function addressing16(g: GuestBuilder): void {
  const { a } = g;
  const base = 0x4000;
  g.data(
    base,
    Array.from({ length: 256 }, (_, i) => i),
  );
  const sees = (m: ReturnType<typeof byte>, offset: number, note: string): void => {
    a.xor(ax, ax).mov(al, m);
    g.expect(ax, offset, note);
  };
  a.mov(bx, base)
    .mov(si, 5)
    .mov(bp, base + 16);
  sees(byte({ base: bx, index: si }), 5, "[bx+si]");
  sees(byte({ base: bp, index: si, disp: 2 }), 23, "[bp+si+2]");
  sees(byte(bp), 16, "[bp]");
  sees(byte(base + 9), 9, "[disp16]");
  a.mov(bx, 0xff00);
  sees(byte({ base: bx, disp: base + 0x110 }), 16, "a 16-bit address wraps at 64 KiB");
  a.mov(ebx, base);
  sees(byte({ base: ebx, disp: 7 }), 7, "a 32-bit address in 16-bit code");
  a.mov(eax, 0x12345678).push(eax).pop(cx);
  g.expect(cx, 0x5678, "PUSH r32 in 16-bit code");
  a.pop(cx);
  g.expect(cx, 0x1234, "PUSH r32 took 4 bytes");
  a.mov(cx, COUNT).xor(ax, ax).label("again").inc(ax).loop("again");
  g.expect(ax, COUNT, "LOOP counts CX");
  a.mov(ax, word(base + 2));
  g.expect(ax, 0x0302, "a word");
  g.exit();
}

export function operandGuests(): Guest[] {
  return [
    guest("addressing modes of 64-bit code", { cites: "SDM vol. 2A §2.1.5, §2.2.1" }, addressing64),
    guest("byte, word and dword registers", { cites: "SDM vol. 1 §3.4.1.1" }, byteRegisters),
    guest("FS and GS bases", { cites: "SDM vol. 3A §3.4.4" }, segmentBases),
    guest("data accesses at non-canonical addresses raise #GP", { cites: "SDM vol. 1 §3.3.7.1" }, canonical),
    guest(
      "stack accesses at non-canonical addresses raise #SS",
      {
        cites: "SDM vol. 1 §3.3.7.1",
        notOnQemu: "QEMU 7.2 raises #GP for every non-canonical access; the SDM is right",
      },
      canonicalStack,
    ),
    guest(
      "branches to non-canonical addresses raise #GP at the branch",
      {
        cites: "SDM vol. 2, JMP, CALL, RET",
        notOnQemu: "QEMU 7.2 raises #GP at the target, as AMD does; Intel's manual says at the branch",
      },
      canonicalTargets,
    ),
    guest("the stack in 64-bit code", { cites: "SDM vol. 2, PUSH, POP, ENTER, LEAVE" }, stack64),
    guest("ENTER with a nesting level", { cites: "SDM vol. 2A, ENTER" }, nestedEnter),
    guest("LOOP, JRCXZ, indirect jumps and calls", { cites: "SDM vol. 2, LOOP, JMP, CALL" }, loops),
    guest(
      "invalid encodings raise #UD, too long ones #GP",
      { cites: "SDM vol. 2A §2.2.1.2, §2.3.11; vol. 3A §6.15" },
      encodings,
    ),
    guest(
      "LOCK before MOV raises #UD",
      { cites: "SDM vol. 2A, LOCK", notOnQemu: "QEMU 7.2 ignores LOCK before MOV; the SDM is right" },
      (g) => {
        prologue(g.a);
        g.fault({ vector: 6 }, (a) => a.lock().mov(dword(layout.DATA), eax));
        g.fault({ vector: 6 }, (a) => a.lock().mov(eax, dword(layout.DATA)));
        g.exit();
      },
    ),
    guest(
      "REX before a legacy prefix is ignored",
      { cites: "SDM vol. 2A §2.2.1", notOnQemu: "QEMU 7.2 still applies that REX; the SDM is right" },
      (g) => {
        prologue(g.a);
        // 48 66 B8 iw: MOV AX, imm16.
        g.a.mov(rax, -1).db(0x48, 0x66, 0xb8, 0x34, 0x12);
        g.expect(rax, 0xffffffffffff1234n, "only AX was written");
        g.exit();
      },
    ),
    guest("addressing modes of 16-bit code", { mode: 16, cites: "SDM vol. 2A table 2-1" }, addressing16),
  ];
}
