/**
 * Alignment checks: which accesses of user code they concern, in which order with other faults, and which they do not.
 *
 * Specification: SDM vol. 3A §6.15, #AC (table 6-7, alignment requirements by data type).
 */
import {
  al,
  at,
  byte,
  cr0,
  dword,
  eax,
  ecx,
  fs,
  qword,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
  word,
} from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const AC = 17;
const PF = 14;
const SS_FAULT = 12;
const FLAG_AC = 0x40000;
const CR0_AM = 18;
const FIXED = 2;
const ABSENT = 0x50000001;
const DATA = layout.USER_DATA + 0x100;
const NON_CANONICAL = 0x8000_0000_0000_0001n;

function checks(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.movSystem(rax, cr0).bts(rax, CR0_AM).movSystem(cr0, rax);
  g.user(() => {
    a.mov(rbx, DATA).mov(rcx, ABSENT).mov(rdx, NON_CANONICAL);
    a.push(FLAG_AC | FIXED).popf();
    const refused = (note: string, emit: (x: Assembler) => unknown): void =>
      g.fault({ vector: AC, error: 0, note }, () => emit(a));
    refused("MOV of a word at 1", () => a.mov(word(rbx, 1), 0));
    a.mov(word(rbx, 2), 0).mov(dword(rbx, 4), 0).mov(qword(rbx, 8), 0).mov(byte(rbx, 3), 0);
    refused("MOV of a dword at 2", () => a.mov(eax, dword(rbx, 2)));
    refused("MOV of a qword at 4", () => a.mov(rax, qword(rbx, 4)));
    refused("MOV at an absolute address", () => a.db(0x48, 0xa1).dq(DATA + 4));
    refused("ADD to memory", () => a.add(dword(rbx, 1), eax));
    refused("XCHG with memory", () => a.xchg(dword(rbx, 1), eax));
    refused("CMPXCHG with memory", () => a.cmpxchg(qword(rbx, 4), rsi));
    refused("BT of a bit string", () => a.bt(qword(rbx, 4), rdi));
    refused("LFS: the offset", () => a.loadFarPointer(fs, eax, at(rbx, 2)));
    a.mov(rsi, DATA + 1)
      .mov(rdi, DATA + 0x40)
      .mov(ecx, 2);
    refused("REP MOVSD from 1", () => a.rep().movs(32));
    g.expect(rcx, 2, "which moves nothing");
    a.mov(rdi, DATA + 0x42);
    refused("STOSD at 2", () => a.stos(32));
    a.mov(rcx, ABSENT);
    refused("FLD of a qword at 4", () => a.fld64(qword(rbx, 4)));
    refused("a page that is absent besides", () => a.mov(eax, dword(rcx)));
    g.fault({ vector: PF, error: 4, cr2: BigInt(ABSENT + 1), note: "an aligned access to it" }, () =>
      a.mov(al, byte(rcx, 1)),
    );
    g.fault({ vector: 13, error: 0, note: "an address that is none comes first" }, () =>
      a.mov(eax, dword(rdx)),
    );
    a.mov(rbp, rsp).sub(rsp, 4);
    refused("PUSH", () => a.push(rax));
    refused("POP", () => a.pop(rax));
    refused("PUSHF", () => a.pushf());
    refused("POPF", () => a.popf());
    refused("PUSH FS", () => a.db(0x0f, 0xa0));
    refused("ENTER", () => a.enter(0, 0));
    refused("CALL", () => a.db(0xe8, 0, 0, 0, 0));
    refused("RET", () => a.ret());
    refused("far RET", () => a.retf(64));
    refused("IRETQ", () => a.iretq());
    a.mov(rsp, rbp).mov(rax, rdx).db(0x48, 0x89, 0xc4);
    g.fault({ vector: SS_FAULT, error: 0, note: "a stack that is no address comes first" }, () =>
      a.push(rbx),
    );
    a.mov(rsp, rbp).push(FIXED).popf();
    a.mov(eax, dword(rbx, 1));
  });
  g.exit();
}

export function alignmentGuests(): Guest[] {
  return [
    guest(
      "what alignment checks concern",
      { cites: "SDM vol. 3A §6.15, #AC", notOnQemu: "QEMU 7.2 raises no #AC; the SDM is right" },
      checks,
    ),
  ];
}
