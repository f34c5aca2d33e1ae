/**
 * Brings a machine that was entered by PVH (32-bit protected mode, no paging) into a given `CpuState` with given
 * memory, by a program made for exactly that state. This is how a reference machine starts where an engine does.
 *
 * What is loaded: memory, GDTR, IDTR, CR0, CR3, CR4, EFER, segment registers, RFLAGS, general registers, RIP. The
 * guest's own GDT must describe its selectors; the runner page must be free and, with paging on, identity-mapped.
 *
 * Specification: Xen docs/misc/pvh (entry state); SDM vol. 3A §9.8.5 (entering long mode), §9.9.2 (returning to
 * real mode).
 */
import type { CpuState, SegmentName } from "../../../src/x86/cpu-state.js";
import {
  Assembler,
  CODE_READABLE,
  DATA_WRITABLE,
  GPRS,
  addressOf,
  at,
  qword,
  dword,
  segmentDescriptor,
} from "../asm/index.js";
import * as o from "../asm/index.js";
import type { Chunk } from "../asm/index.js";
import { pvhElf } from "./pvh-elf.js";

/** Where the loader program itself is put: above everything it may have to fill. */
const LOADER = 0x1000000;
const MSR_EFER = 0xc0000080;
const LOW_MEMORY_END = 0x9f000;
const ACCESS_LONG = 0x2000;
const OWN_CODE16 = 8;
const OWN_DATA16 = 16;
const CR0_PE = 1n;

const SEGMENTS: [SegmentName, o.SegmentOperand][] = [
  ["ss", o.ss],
  ["ds", o.ds],
  ["es", o.es],
  ["fs", o.fs],
  ["gs", o.gs],
];

/** Common part in 32-bit code: tables, CR4, CR3, EFER. */
function loadSystem(a: Assembler, state: CpuState): void {
  a.lgdt(at("gdtr")).lidt(at("idtr"));
  a.mov(o.eax, Number(state.cr4)).movSystem(o.cr4, o.eax);
  a.mov(o.eax, Number(state.cr3)).movSystem(o.cr3, o.eax);
  if (state.efer !== 0n) {
    a.mov(o.ecx, MSR_EFER)
      .mov(o.eax, Number(state.efer & ~0x400n))
      .xor(o.edx, o.edx)
      .wrmsr();
  }
}

function loadSelectors(a: Assembler, state: CpuState): void {
  for (const [name, register] of SEGMENTS) a.mov(o.eax, state[name].selector).movToSegment(register, o.eax);
}

function into64(a: Assembler, state: CpuState): void {
  a.mov(o.eax, Number(state.cr0)).movSystem(o.cr0, o.eax).jmpFar(state.cs.selector, addressOf("code64"));
  a.label("code64").bits(64);
  loadSelectors(a, state);
  a.mov(o.rsp, addressOf("stack")).push(Number(state.rflags)).popf();
  GPRS[64].forEach((register, i) => a.movabs(register, state.gpr[i]));
  a.jmpAt(qword("target"));
}

function into32(a: Assembler, state: CpuState): void {
  a.mov(o.eax, Number(state.cr0)).movSystem(o.cr0, o.eax).jmpFar(state.cs.selector, addressOf("code32"));
  a.label("code32");
  loadSelectors(a, state);
  a.mov(o.esp, addressOf("stack")).push(Number(state.rflags)).popf();
  for (let i = 0; i < 8; i++) a.mov(GPRS[32][i], Number(state.gpr[i]));
  a.jmpAt(dword("target"));
}

function into16(a: Assembler, state: CpuState): void {
  a.lgdt(at("ownGdtr")).jmpFar(OWN_CODE16, addressOf("code16"));
  a.label("code16").bits(16).mov(o.ax, OWN_DATA16);
  for (const [, register] of SEGMENTS) a.movToSegment(register, o.eax);
  a.mov(o.eax, Number(state.cr0 & ~CR0_PE))
    .movSystem(o.cr0, o.eax)
    .jmpFar(0, addressOf("real"));
  a.label("real");
  for (const [name, register] of SEGMENTS) a.mov(o.ax, state[name].selector).movToSegment(register, o.eax);
  for (let i = 0; i < 8; i++) a.mov(GPRS[32][i], Number(state.gpr[i]));
  a.jmpFar(state.cs.selector, Number(state.rip));
}

/** The part that runs from the runner page, because the guest's paging must map it. */
function trampoline(page: number, state: CpuState): Chunk {
  const a = new Assembler(page, 32);
  loadSystem(a, state);
  if ((state.cr0 & CR0_PE) === 0n) into16(a, state);
  else if ((state.cs.access & ACCESS_LONG) !== 0) into64(a, state);
  else into32(a, state);
  a.align(8).label("gdtr").dw(state.gdtr.limit).dd(Number(state.gdtr.base)).align(8);
  a.label("idtr").dw(state.idtr.limit).dd(Number(state.idtr.base)).align(8);
  a.label("target").dq(state.rip);
  a.label("ownGdt").dq(0);
  a.dq(segmentDescriptor({ type: CODE_READABLE, limit: 0xffff, granular: false }));
  a.dq(segmentDescriptor({ type: DATA_WRITABLE, limit: 0xffff, granular: false }));
  a.label("ownGdtr").dw(23).dd(addressOf("ownGdt"));
  a.align(16).dq(0, 0, 0, 0).label("stack");
  const [chunk] = a.link();
  if (chunk.bytes.length > 0x1000) throw new Error("the state loader has outgrown its page");
  return chunk;
}

/** An ELF file that QEMU starts by PVH and that ends in `state` with `chunks` in memory. */
export function stateLoaderElf(state: CpuState, chunks: readonly Chunk[], runnerPage: number): Uint8Array {
  const all = [...chunks, trampoline(runnerPage, state)];
  const a = new Assembler(LOADER, 32);
  a.cli().cld().xor(o.eax, o.eax).xor(o.edi, o.edi).mov(o.ecx, LOW_MEMORY_END).rep().stos(8);
  all.forEach((chunk, i) => {
    a.mov(o.esi, addressOf(`chunk${i}`))
      .mov(o.edi, chunk.address)
      .mov(o.ecx, chunk.bytes.length)
      .rep()
      .movs(8);
  });
  a.mov(o.eax, runnerPage).jmpAt(o.eax);
  all.forEach((chunk, i) => a.label(`chunk${i}`).bytes(chunk.bytes));
  const [program] = a.link();
  return pvhElf(LOADER, program.bytes, LOADER);
}
