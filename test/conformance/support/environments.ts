/**
 * What surrounds a conformance guest in protected and long mode: GDT, IDT, TSS and exception handlers that log what
 * they were given and go on where the guest asked. Written with the test assembler, so that the same bytes run
 * anywhere.
 *
 * Specification: SDM vol. 3A §3.4.5 (descriptors), §6.12–6.14 (handling of exceptions), §7.7 (64-bit TSS).
 *
 * A log record (64 bytes): vector, error code, RIP, CS, RFLAGS, RSP, SS, CR2.
 */
import {
  Assembler,
  CODE_READABLE,
  DATA_WRITABLE,
  TYPE_INTERRUPT_GATE,
  TYPE_TSS_AVAILABLE,
  at,
  dword,
  gate32,
  gate64,
  qword,
  segmentDescriptor,
  systemDescriptor64,
} from "../../support/asm/index.js";
import * as o from "../../support/asm/index.js";
import type { Chunk, GateFields } from "../../support/asm/index.js";
import * as layout from "./layout.js";
import type { PageTables } from "./page-tables.js";

/** What the environments need to know of the guest they surround. */
export interface EnvironmentInput {
  readonly a: Assembler;
  readonly tables: PageTables;
  readonly descriptors: ReadonlyMap<number, bigint[]>;
  readonly gates: ReadonlyMap<number, GateFields & { label?: string }>;
}

const VECTORS = 256;
/** Vectors that push an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP. SDM vol. 3A table 6-1. */
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17, 21]);
/** Vectors after which an interrupted program may simply go on: #DB, NMI, #BP, #OF. */
const RESUMABLE = new Set([1, 2, 3, 4]);
const FIRST_EXTERNAL = 32;
const LAPIC_EOI = 0xb0;
const TSS_RSP0 = 4;
const TSS_IST1 = 0x24;
const TSS_IO_BASE = 0x66;

const words = (address: number, values: Iterable<bigint>): Chunk => {
  const list = [...values];
  const view = new DataView(new ArrayBuffer(8 * list.length));
  list.forEach((v, i) => view.setBigUint64(8 * i, v, true));
  return { address, bytes: new Uint8Array(view.buffer) };
};

function gdt(input: EnvironmentInput, first: bigint[]): Chunk {
  const table = new Array<bigint>((layout.GDT_LIMIT + 1) / 8).fill(0n);
  first.forEach((d, i) => (table[i] = d));
  for (const [selector, descriptor] of input.descriptors) {
    descriptor.forEach((d, i) => (table[selector / 8 + i] = d));
  }
  return words(layout.GDT, table);
}

function gateOf(input: EnvironmentInput, vector: number, handler: number): GateFields {
  const own = input.gates.get(vector);
  const standard = {
    selector: layout.KERNEL_CODE,
    offset: handler,
    type: TYPE_INTERRUPT_GATE,
    dpl: vector === 3 || vector === 4 || vector >= 0x80 ? 3 : 0,
  };
  if (!own) return standard;
  return {
    ...standard,
    ...own,
    offset: own.label === undefined ? own.offset || handler : input.a.address(own.label),
  };
}

/** Chunks around a 64-bit guest. */
export function environment64(input: EnvironmentInput): Chunk[] {
  const code = segmentDescriptor({ type: CODE_READABLE, long: true });
  const code32 = segmentDescriptor({ type: CODE_READABLE, big: true });
  const data = segmentDescriptor({ type: DATA_WRITABLE, big: true });
  const user = (d: { type: number; long?: boolean; big?: boolean }): bigint =>
    segmentDescriptor({ ...d, dpl: 3 });
  const table = gdt(input, [
    0n,
    code,
    data,
    user({ type: CODE_READABLE, big: true }),
    user({ type: DATA_WRITABLE, big: true }),
    user({ type: CODE_READABLE, long: true }),
    user({ type: DATA_WRITABLE, big: true }),
    code32,
    segmentDescriptor({ type: CODE_READABLE, limit: 0xffff, granular: false }),
    segmentDescriptor({ type: DATA_WRITABLE, limit: 0xffff, granular: false }),
    ...systemDescriptor64({ base: layout.TSS, limit: layout.TSS_LIMIT, type: TYPE_TSS_AVAILABLE }),
  ]);
  const [handlers, entries] = handlers64();
  const idt: bigint[] = [];
  for (let v = 0; v < VECTORS; v++) idt.push(...gate64(gateOf(input, v, entries[v])));
  return [table, words(layout.IDT, idt), tss64(), ...handlers, ...input.tables.chunks()];
}

function tss64(): Chunk {
  const bytes = new Uint8Array(layout.TSS_LIMIT + 1);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(TSS_RSP0, BigInt(layout.RSP0_TOP), true);
  layout.IST_TOPS.forEach((top, i) => view.setBigUint64(TSS_IST1 + 8 * i, BigInt(top), true));
  view.setUint16(TSS_IO_BASE, layout.TSS_LIMIT + 1, true);
  return { address: layout.TSS, bytes };
}

/** One stub per vector that makes the frame uniform, then the common handler. */
function handlers64(): [Chunk[], number[]] {
  const a = new Assembler(layout.HANDLERS, 64);
  const entries: number[] = [];
  for (let vector = 0; vector < VECTORS; vector++) {
    entries.push(a.here);
    if (vector === layout.USER_DONE_VECTOR) {
      a.mov(o.rsp, qword(layout.LOG_USER_STACK)).jmpAt(qword(layout.LOG_USER_RETURN));
      continue;
    }
    if (!WITH_ERROR_CODE.has(vector)) a.push(0);
    a.push(vector).jmp("common");
  }
  a.label("common").cld().push(o.rax).push(o.rbx).push(o.rcx);
  a.mov(o.rbx, qword(layout.LOG)).inc(qword(layout.LOG)).shl(o.rbx, 6).add(o.rbx, layout.LOG_RECORDS);
  for (let field = 0; field < 7; field++) {
    a.mov(o.rax, qword(o.rsp, 24 + 8 * field)).mov(qword(o.rbx, 8 * field), o.rax);
  }
  a.movSystem(o.rax, o.cr2).mov(qword(o.rbx, 56), o.rax);
  finish64(a);
  return [a.link(), entries];
}

/** The end of the common handler: EOI, then to the resume address, or back, or give up. */
function finish64(a: Assembler): void {
  a.cmp(qword(layout.LOG_EOI), 0).jcc("e", "noEoi");
  a.cmp(qword(o.rsp, 24), FIRST_EXTERNAL).jcc("b", "noEoi");
  a.mov(o.eax, layout.LAPIC).mov(dword(o.rax, LAPIC_EOI), 0);
  a.label("noEoi").xor(o.ecx, o.ecx).xchg(qword(layout.LOG_RESUME), o.rcx);
  a.test(o.rcx, o.rcx).jcc("ne", "resume");
  a.mov(o.rax, qword(o.rsp, 24)).cmp(o.rax, FIRST_EXTERNAL).jcc("ae", "leave");
  for (const vector of RESUMABLE) a.cmp(o.rax, vector).jcc("e", "leave");
  a.mov(o.al, layout.EXIT_UNEXPECTED).out(8, layout.EXIT_PORT).hlt();
  a.label("resume").mov(qword(o.rsp, 40), o.rcx);
  a.label("leave").pop(o.rcx).pop(o.rbx).pop(o.rax).add(o.rsp, 16).iretq();
}

/** Chunks around a flat 32-bit guest. Its handlers write the low halves of the same records. */
export function environment32(input: EnvironmentInput): Chunk[] {
  const code = segmentDescriptor({ type: CODE_READABLE, big: true });
  const data = segmentDescriptor({ type: DATA_WRITABLE, big: true });
  const table = gdt(input, [
    0n,
    code,
    data,
    segmentDescriptor({ type: CODE_READABLE, big: true, dpl: 3 }),
    segmentDescriptor({ type: DATA_WRITABLE, big: true, dpl: 3 }),
    0n,
    0n,
    segmentDescriptor({ type: CODE_READABLE, long: true }),
    segmentDescriptor({ type: CODE_READABLE, limit: 0xffff, granular: false }),
    segmentDescriptor({ type: DATA_WRITABLE, limit: 0xffff, granular: false }),
    segmentDescriptor({
      base: layout.TSS,
      limit: layout.TSS_LIMIT,
      type: TYPE_TSS_AVAILABLE,
      granular: false,
    }),
  ]);
  const [handlers, entries] = handlers32();
  const idt: bigint[] = [];
  for (let v = 0; v < VECTORS; v++) idt.push(gate32(gateOf(input, v, entries[v])));
  return [table, words(layout.IDT, idt), tss32(), ...handlers];
}

const TSS32_ESP0 = 4;
const TSS32_SS0 = 8;

function tss32(): Chunk {
  const bytes = new Uint8Array(layout.TSS_LIMIT + 1);
  const view = new DataView(bytes.buffer);
  view.setUint32(TSS32_ESP0, layout.RSP0_TOP, true);
  view.setUint16(TSS32_SS0, layout.KERNEL_DATA, true);
  view.setUint16(TSS_IO_BASE, layout.TSS_LIMIT + 1, true);
  return { address: layout.TSS, bytes };
}

function handlers32(): [Chunk[], number[]] {
  const a = new Assembler(layout.HANDLERS, 32);
  const entries: number[] = [];
  for (let vector = 0; vector < VECTORS; vector++) {
    entries.push(a.here);
    if (vector === layout.USER_DONE_VECTOR) {
      a.mov(o.esp, dword(layout.LOG_USER_STACK)).jmpAt(dword(layout.LOG_USER_RETURN));
      continue;
    }
    if (!WITH_ERROR_CODE.has(vector)) a.push(0);
    a.push(vector).jmp("common");
  }
  a.label("common").cld().push(o.eax).push(o.ebx).push(o.ecx);
  a.mov(o.ebx, dword(layout.LOG)).inc(dword(layout.LOG)).shl(o.ebx, 6).add(o.ebx, layout.LOG_RECORDS);
  for (let field = 0; field < 7; field++) {
    a.mov(o.eax, dword(o.esp, 12 + 4 * field)).mov(dword(o.ebx, 8 * field), o.eax);
  }
  a.movSystem(o.eax, o.cr2).mov(dword(o.ebx, 56), o.eax);
  a.xor(o.ecx, o.ecx).xchg(dword(layout.LOG_RESUME), o.ecx).test(o.ecx, o.ecx).jcc("ne", "resume");
  a.mov(o.eax, dword(o.esp, 12)).cmp(o.eax, FIRST_EXTERNAL).jcc("ae", "leave");
  for (const vector of RESUMABLE) a.cmp(o.eax, vector).jcc("e", "leave");
  a.mov(o.al, layout.EXIT_UNEXPECTED).out(8, layout.EXIT_PORT).hlt();
  a.label("resume").mov(dword(o.esp, 20), o.ecx);
  a.label("leave").pop(o.ecx).pop(o.ebx).pop(o.eax).add(o.esp, 8).iret();
  return [a.link(), entries];
}

/** First instructions of a protected or long-mode guest: IDT and task register, by the guest itself. */
export function prologue(a: Assembler): void {
  const over = a.fresh("over");
  a.lidt(at("idtr$")).mov(o.ecx, layout.TSS_SELECTOR).ltr(o.cx).xor(o.ecx, o.ecx).jmp(over);
  a.label("idtr$").dw(16 * VECTORS - 1);
  if (a.mode === 64) a.dq(layout.IDT);
  else a.dd(layout.IDT);
  a.label(over);
}
