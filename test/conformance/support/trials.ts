/**
 * A guest that tries one instruction after the other on a descriptor that it puts into its GDT, one a row of a table,
 * at CPL 0 or 3, and writes down the exception or the result. Knows no rule of segmentation: expectations come with
 * the rows.
 *
 * ```
 *  row    0 descriptor (16 bytes)  16 selector  20 value for EBX  24 stub  28 CPL
 *  result 0 vector and error code or NO_FAULT   4 EFLAGS   8 EAX   12 -   16 descriptor afterwards
 * ```
 */
import {
  TYPE_INTERRUPT_GATE,
  byte,
  cx,
  ds,
  dword,
  eax,
  ebx,
  ecx,
  es,
  fs,
  memory,
  rcx,
  rdi,
  resize,
  rsi,
  rsp,
  ss,
} from "../../support/asm/index.js";
import type { Assembler, Gpr, Memory } from "../../support/asm/index.js";
import type { GuestBuilder } from "./guest.js";
import * as layout from "./layout.js";

const ROWS = 0x800000;
const ROW_SIZE = 32;
const RESULTS = 0xa00000;
const RESULT_SIZE = 32;
const MOST_ROWS = (RESULTS - ROWS) / ROW_SIZE;
/** The loop's stack pointer, row and result, and the outcome of the row: instructions under trial change registers. */
const SAVED_STACK = layout.DATA + 0xe00;
const SAVED_ROW = layout.DATA + 0xe08;
const SAVED_RESULT = layout.DATA + 0xe10;
const OUTCOME = layout.DATA + 0xe18;
/** Far pointer to the selector of the row, for far transfers. */
export const POINTER = layout.USER_DATA + 0x100;
const STUBS = layout.CODE + 0x8000;
const USER_STUBS = layout.USER_CODE + 0x8000;
const STUB_SIZE = 32;
/** Where a far transfer goes: INT DONE_VECTOR, the same in code of every size. */
export const LANDING = layout.USER_CODE + 0x4000;
const DONE_VECTOR = 0x91;
/** The exceptions of segmentation: #TS, #NP, #SS, #GP. */
const VECTORS = [10, 11, 12, 13];
const TYPE_BUSY = 2;
const FLAGS_FIXED = 2;
const NO_FAULT = 0xffffffff;
const EAX_BEFORE = 0x5a5a5a5a;

/** An instruction under trial: on the selector in ECX and the value in EBX, its result in EAX. */
export type Stub = (a: Assembler) => unknown;

export interface Trial {
  /** The descriptor at the selector; 16 bytes where the mode has such. */
  descriptor: readonly [bigint, bigint];
  rpl: number;
  value?: number;
  stub: number;
  user: boolean;
  note: string;
  want: {
    /** Vector and error code; undefined when the instruction completes. */
    fault?: readonly [number, number];
    /** EAX afterwards; unchanged where it is absent. */
    eax?: number;
    eaxMask?: bigint;
    /** ZF afterwards; not compared where it is absent. */
    zero?: boolean;
    /** Bits of the descriptor that it gained; not compared where it is absent. */
    gains?: bigint;
  };
}

function emitStubs(g: GuestBuilder, stubs: readonly Stub[]): void {
  const { a } = g;
  const here = a.here;
  for (const start of [STUBS, USER_STUBS]) {
    stubs.forEach((stub, i) => {
      a.org(start + i * STUB_SIZE);
      stub(a);
      a.int(DONE_VECTOR);
    });
  }
  a.org(LANDING).int(DONE_VECTOR);
  a.org(here);
}

function emitHandlers(g: GuestBuilder): void {
  const { a } = g;
  const over = a.fresh("over");
  a.jmp(over);
  for (const vector of VECTORS) {
    const [error, scratch] = [resize(rcx, g.mode === 64 ? 64 : 32), ecx];
    a.label(`vector${vector}`)
      .pop(error)
      .and(scratch, 0xffff)
      .or(scratch, vector << 16)
      .jmp("failed");
  }
  a.label(over);
}

/** Declares the gates of the guest; before anything else is emitted. */
export function trialGates(g: GuestBuilder): void {
  const gate = { selector: layout.KERNEL_CODE, offset: 0, type: TYPE_INTERRUPT_GATE };
  for (const vector of VECTORS) g.gates.set(vector, { ...gate, dpl: 0, label: `vector${vector}` });
  g.gates.set(DONE_VECTOR, { ...gate, dpl: 3, label: "done" });
}

function writeRow(g: GuestBuilder, trial: Trial, selector: number, index: number): void {
  const stub = (trial.user ? USER_STUBS : STUBS) + trial.stub * STUB_SIZE;
  const pair = (low: number, high: number): bigint => BigInt(low >>> 0) | (BigInt(high) << 32n);
  const at = ROWS + index * ROW_SIZE;
  g.words(
    at,
    ...trial.descriptor,
    pair(selector | trial.rpl, trial.value ?? 0),
    pair(stub, trial.user ? 3 : 0),
  );
}

function expectRow(g: GuestBuilder, trial: Trial, index: number): void {
  const { want, note } = trial;
  const at = RESULTS + index * RESULT_SIZE;
  const outcome = want.fault ? ((want.fault[0] << 16) | want.fault[1]) >>> 0 : NO_FAULT;
  g.expectAt(at, 4, BigInt(outcome), `${note}: vector and error code`);
  if (want.zero !== undefined) g.expectAt(at + 4, 4, want.zero ? 0x40n : 0n, `${note}: ZF`, 0x40n);
  if (want.eaxMask !== 0n)
    g.expectAt(at + 8, 4, BigInt(want.eax ?? EAX_BEFORE), `${note}: EAX`, want.eaxMask);
  if (want.gains !== undefined) {
    g.expectAt(at + 16, 8, trial.descriptor[0] | want.gains, `${note}: the descriptor`);
  }
}

/** Puts segments and TR back to what the loop needs: a row may have loaded them. */
function restore(a: Assembler): void {
  a.mov(ecx, layout.KERNEL_DATA).movToSegment(ss, ecx);
  a.mov(ecx, layout.USER_DATA_SELECTOR).movToSegment(ds, ecx).movToSegment(es, ecx).movToSegment(fs, ecx);
}

/** TR of the guest again, with its descriptor available for LTR. */
function restoreTask(a: Assembler): void {
  const busyByte = layout.GDT + layout.TSS_SELECTOR + 5;
  a.and(byte(busyByte), ~TYPE_BUSY).mov(ecx, layout.TSS_SELECTOR).ltr(cx);
}

/** Emits the loop over `trials` on the descriptor `selector`; the guest goes on behind it. */
export function emitTrials(
  g: GuestBuilder,
  selector: number,
  stubs: readonly Stub[],
  trials: readonly Trial[],
): void {
  if (trials.length > MOST_ROWS) throw new Error(`${trials.length} trials, at most ${MOST_ROWS} fit`);
  const wide = g.mode === 64;
  const size = wide ? 64 : 32;
  const natural = (place: Gpr | number, disp = 0): Memory => memory(size, place, disp);
  const [C, SI, DI, SP] = [rcx, rsi, rdi, rsp].map((r) => resize(r, size));
  const { a } = g;
  trials.forEach((trial, i) => {
    writeRow(g, trial, selector, i);
    expectRow(g, trial, i);
  });
  emitStubs(g, stubs);
  emitHandlers(g);
  a.mov(natural(SAVED_STACK), SP).mov(SI, ROWS).mov(DI, RESULTS).mov(dword(POINTER), LANDING);
  restore(a);
  a.label("row");
  for (let at = 0; at < 16; at += 4) a.mov(eax, dword(SI, at)).mov(dword(layout.GDT + selector + at), eax);
  a.mov(eax, dword(SI, 16))
    .mov(dword(POINTER + 4), eax)
    .mov(dword(OUTCOME), NO_FAULT);
  a.mov(natural(SAVED_ROW), SI).mov(natural(SAVED_RESULT), DI);
  a.mov(ebx, dword(SI, 20)).cmp(dword(SI, 28), 0).mov(ecx, dword(SI, 24)).jcc("ne", "user");
  a.push(C).mov(eax, EAX_BEFORE).mov(ecx, dword(SI, 16)).ret();
  a.label("user").push(layout.USER_DATA_SELECTOR).push(layout.USER_STACK_TOP).push(FLAGS_FIXED);
  a.push(wide ? layout.USER_CODE64 : layout.USER_CODE32).push(C);
  a.mov(eax, EAX_BEFORE).mov(ecx, dword(SI, 16));
  if (wide) a.iretq();
  else a.iret();
  a.label("failed").mov(dword(OUTCOME), ecx);
  a.label("done");
  restore(a);
  a.mov(SI, natural(SAVED_ROW)).mov(DI, natural(SAVED_RESULT));
  a.mov(ecx, dword(OUTCOME)).mov(dword(DI), ecx);
  a.mov(dword(DI, 8), eax)
    .mov(eax, dword(SP, size / 4))
    .mov(SP, natural(SAVED_STACK))
    .mov(dword(DI, 4), eax);
  restoreTask(a);
  for (let at = 0; at < 8; at += 4)
    a.mov(eax, dword(layout.GDT + selector + at)).mov(dword(DI, 16 + at), eax);
  a.add(SI, ROW_SIZE)
    .add(DI, RESULT_SIZE)
    .cmp(SI, ROWS + trials.length * ROW_SIZE)
    .jcc("ne", "row");
}
