/**
 * Context switches: four tasks in address spaces of their own, each with a stack and one private page at the same
 * virtual address, that hand the CPU on after every few instructions.
 *
 * Specification: Intel SDM vol. 3A §4.5 (4-level paging), §4.10.4.1 (MOV to CR3).
 */
import {
  addressOf,
  cr3,
  dword,
  eax,
  ecx,
  qword,
  r12,
  r12d,
  r13,
  r13d,
  r14,
  r15,
  rax,
  rbp,
  rbx,
  rcx,
  rsp,
} from "../../test/support/asm/index.js";
import type { Assembler } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { P, RW } from "../../test/conformance/support/page-tables.js";
import { ARRAY, DONE } from "./program.js";
import type { ComputeProgram } from "./program.js";

const TASKS = 4;
const PAGE = 0x1000;
/** The second entry of the top table, which the start state leaves free. */
const PRIVATE = 0x80_0000_0000n;
/** A task's control block: its stack pointer, its CR3. */
const BLOCKS = ARRAY;
const BLOCK = 16;
const CURRENT = ARRAY + 0x100;
const PRIVATE_PAGES = ARRAY + 0x10000;
const STACKS = ARRAY + 0x20000;
const SAVED = [rbx, rbp, r12, r13, r14, r15];
const FOLD = 31;

/** Tables of one task: everything as it was, and its own page at PRIVATE. Returns the new root. */
function addressSpace(g: GuestBuilder, task: number): number {
  const [root, pointers, directory, table] = [0, 1, 2, 3].map(() => g.tables.reserve());
  g.words(root, g.tables.value(g.tables.root), BigInt(pointers) | P | RW);
  g.words(pointers, BigInt(directory) | P | RW);
  g.words(directory, BigInt(table) | P | RW);
  g.words(table, BigInt(PRIVATE_PAGES + task * PAGE) | P | RW);
  return root;
}

/** Saves this task, goes to the next one. Clobbers RAX, RCX. */
function emitSwitch(a: Assembler): void {
  a.label("switch");
  for (const register of SAVED) a.push(register);
  a.mov(ecx, dword(CURRENT)).mov(qword(rcx, BLOCKS), rsp);
  a.add(ecx, BLOCK)
    .and(ecx, TASKS * BLOCK - 1)
    .mov(dword(CURRENT), ecx);
  a.mov(rsp, qword(rcx, BLOCKS))
    .mov(rax, qword(rcx, BLOCKS + 8))
    .movSystem(cr3, rax);
  for (const register of [...SAVED].reverse()) a.pop(register);
  a.ret();
}

/** Folds the task's number R13D into its private word; RBX points there. */
function work(a: Assembler): void {
  a.imul3(eax, dword(rbx), FOLD).add(eax, r13d).mov(dword(rbx), eax).call("switch");
}

function write(g: GuestBuilder, rounds: number): number {
  const { a } = g;
  for (let task = 0; task < TASKS; task++) {
    const stack = STACKS + (task + 1) * PAGE - 8 * (SAVED.length + 1);
    g.words(BLOCKS + BLOCK * task, BigInt(stack), BigInt(addressSpace(g, task)));
    const at = (register: (typeof SAVED)[number]): number =>
      stack + 8 * (SAVED.length - 1 - SAVED.indexOf(register));
    g.words(at(rbx), PRIVATE);
    g.words(at(r13), BigInt(task + 1));
    a.mov(qword(stack + 8 * SAVED.length), addressOf("task"));
  }
  a.movabs(rbx, PRIVATE).mov(r12d, rounds).mov(r13d, 1);
  a.mov(rax, qword(BLOCKS + 8))
    .movSystem(cr3, rax)
    .label("round");
  work(a);
  a.dec(r12d).jcc("ne", "round").xor(eax, eax);
  for (let task = 0; task < TASKS; task++) a.add(eax, dword(PRIVATE_PAGES + task * PAGE));
  a.jmp(DONE).label("task");
  work(a);
  a.jmp("task");
  emitSwitch(a);
  return expected(rounds);
}

function expected(rounds: number): number {
  let total = 0;
  for (let task = 1; task <= TASKS; task++) {
    let word = 0;
    for (let round = 0; round < rounds; round++) word = (Math.imul(word, FOLD) + task) | 0;
    total += word;
  }
  return total >>> 0;
}

/** Size: rounds, a switch for each of the tasks. */
export const contextSwitches: ComputeProgram = {
  name: "context switch",
  what: "MOV to CR3, stack switch",
  class: "storm",
  size: 100_000,
  tiny: 20,
  write,
};
