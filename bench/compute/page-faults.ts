/**
 * A storm of page faults: user code touches pages that are not present, the kernel maps each in its handler, and
 * after a pass unmaps all of them and reloads CR3. What demand paging asks of an engine.
 *
 * Specification: Intel SDM vol. 3A §4.7 (page faults), §4.10.4 (invalidation), §6.15 (#PF).
 */
import {
  TYPE_INTERRUPT_GATE,
  cr2,
  cr3,
  eax,
  ecx,
  qword,
  r12,
  r13,
  r13d,
  r14,
  r14d,
  r15,
  r15d,
  rax,
  rbx,
  rcx,
  rsp,
  ebx,
} from "../../test/support/asm/index.js";
import { prologue } from "../../test/conformance/support/environments.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import * as layout from "../../test/conformance/support/layout.js";
import { P, RW, US } from "../../test/conformance/support/page-tables.js";
import { ARRAY, DONE } from "./program.js";
import type { ComputeProgram } from "./program.js";

const PAGE_FAULT = 14;
/** Vector by which user code asks for all pages to be unmapped; user mode may use gates from 0x80 on. */
const UNMAP_VECTOR = 0x91;
const PAGES = 512;
const PAGE = 0x1000;
/** Aligned to what one page table maps. */
const WINDOW = 0x50000000;
const PRESENT_WRITABLE_USER = Number(P | RW | US);

function kernel(g: GuestBuilder, entries: number): void {
  const { a } = g;
  a.label("fault").push(rax).movSystem(rax, cr2).shr(rax, 12);
  a.and(eax, PAGES - 1).or(qword({ index: rax, scale: 8, disp: entries }), PRESENT_WRITABLE_USER);
  a.inc(r15).pop(rax).add(rsp, 8).iretq();
  a.label("unmap").xor(ecx, ecx);
  a.label("entry").and(qword({ index: rcx, scale: 8, disp: entries }), -PAGE);
  a.inc(ecx).cmp(ecx, PAGES).jcc("ne", "entry").movSystem(rax, cr3).movSystem(cr3, rax).iretq();
}

function write(g: GuestBuilder, passes: number): bigint {
  const { a } = g;
  const entries = Array.from({ length: PAGES }, (_, i) =>
    g.tables.map(WINDOW + i * PAGE, ARRAY + i * PAGE, 0n, 1, P | RW | US),
  );
  const gate = { selector: layout.KERNEL_CODE, offset: 0, type: TYPE_INTERRUPT_GATE };
  g.gates.set(PAGE_FAULT, { ...gate, label: "fault" });
  g.gates.set(UNMAP_VECTOR, { ...gate, dpl: 3, label: "unmap" });
  prologue(a);
  a.mov(r14d, passes).xor(r13d, r13d).xor(r15d, r15d);
  g.user(() => {
    a.label("pass").mov(ebx, WINDOW).mov(r12, PAGES);
    a.label("touch").add(qword(rbx), r14).add(r13, qword(rbx)).add(rbx, PAGE).dec(r12).jcc("ne", "touch");
    a.int(UNMAP_VECTOR).dec(r14).jcc("ne", "pass");
  });
  a.mov(rax, r13).add(rax, r15).jmp(DONE);
  kernel(g, entries[0]);
  let [value, sum] = [0n, 0n];
  for (let left = BigInt(passes); left > 0n; left--) sum += value += left;
  return BigInt.asUintN(64, sum * BigInt(PAGES) + BigInt(PAGES * passes));
}

/** Size: passes of 512 faults. */
export const pageFaults: ComputeProgram = {
  name: "page-fault storm",
  what: "#PF from user mode, IRET, CR3 reload",
  class: "storm",
  size: 800,
  tiny: 2,
  write,
};
