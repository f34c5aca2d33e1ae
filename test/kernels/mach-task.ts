/**
 * A first task for GNU Mach: a static ELF program that prints its arguments through the kernel's own console trap and
 * then stays where it is. What it prints shows that the kernel found the module and its command line.
 *
 * Interface: GNU Mach kern/syscall_sw.c (trap −30, mach_print), i386/i386/bsd_i386.c (arguments on the stack).
 */
import { makeElf } from "../support/images.js";
import * as o from "../support/asm/index.js";
import { Assembler } from "../support/asm/index.js";

const MACH_PRINT = -30;
const LINKED_AT = 0x40_0000;
/** Traps of 32-bit tasks go through this call gate. */
const TRAP_GATE = 0x07;
const PAGE = 0x1000;

/** The program for 32-bit or 64-bit kernels. It prints `task: ARGUMENT` for every argument. */
export function machTask(width: 32 | 64): Uint8Array {
  const a = new Assembler(LINKED_AT, width);
  if (width === 32) task32(a);
  else task64(a);
  a.label("prefix").bytes(new TextEncoder().encode("task: \0")).label("newline").db(10, 0);
  const [{ bytes }] = a.link();
  return makeElf({
    elfClass: width,
    entry: LINKED_AT,
    segments: [{ vaddr: LINKED_AT, bytes, memsz: PAGE, align: 16, flags: 7 }],
  });
}

function task32(a: Assembler): void {
  const { addressOf, dword } = o;
  a.lea(o.ebx, o.at(o.esp, 4)).label("next").cmp(dword(o.ebx), 0).jcc("e", "stay");
  a.mov(o.ecx, addressOf("prefix")).call("print").mov(o.ecx, dword(o.ebx)).call("print");
  a.mov(o.ecx, addressOf("newline")).call("print").add(o.ebx, 4).jmp("next");
  a.label("stay").jmp("stay");
  a.label("print").push(o.ecx).push(0).mov(o.eax, MACH_PRINT).callFar(TRAP_GATE, 0).add(o.esp, 8).ret();
}

function task64(a: Assembler): void {
  const { addressOf, qword } = o;
  a.lea(o.rbx, o.at(o.rsp, 8)).label("next").cmp(qword(o.rbx), 0).jcc("e", "stay");
  a.mov(o.edi, addressOf("prefix")).call("print").mov(o.rdi, qword(o.rbx)).call("print");
  a.mov(o.edi, addressOf("newline")).call("print").add(o.rbx, 8).jmp("next");
  a.label("stay").jmp("stay");
  a.label("print").mov(o.rax, MACH_PRINT).db(0x0f, 0x05).ret();
}
