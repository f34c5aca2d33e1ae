/**
 * The part of the harness that both worlds share: from a case record to user mode, and what follows a case. How a
 * case's end is noticed differs: a signal natively, an exception in the guest.
 */
import {
  at,
  ds,
  ecx,
  edi,
  es,
  fs,
  gs,
  oword,
  qword,
  rax,
  rbx,
  rdi,
  rsi,
  rsp,
  word,
  GPRS,
} from "../support/asm/index.js";
import type { Assembler } from "../support/asm/index.js";
import {
  FRAME_AT,
  FS_BASE_AT,
  FX_AT,
  GS_BASE_AT,
  MEMORY_AT,
  MEMORY_BYTES,
  RECORD_BYTES,
  SEGMENTS_AT,
  WINDOW_START,
} from "./layout.js";

const QWORDS = MEMORY_BYTES / 8;

/**
 * Emits `next`: takes the case at `casePointer`, or goes to `done` when `casesLeft` is used up. Then the variables.
 */
export function emitNext(a: Assembler): void {
  a.label("next").sub(qword("casesLeft"), 1).jcc("b", "done").cld();
  a.mov(rbx, qword("casePointer")).lea(rsi, at(rbx, MEMORY_AT)).mov(edi, WINDOW_START).mov(ecx, QWORDS);
  a.rep().movs(64);
  a.fxrstor64(oword(rbx, FX_AT));
  a.mov(rax, qword(rbx, SEGMENTS_AT)).cmp(rax, qword("segments")).jcc("e", "loaded");
  a.mov(qword("segments"), rax);
  [es, ds, fs, gs].forEach((segment, i) => a.movToSegment(segment, word(rbx, SEGMENTS_AT + 2 * i)));
  a.label("loaded");
  a.mov(rax, qword(rbx, FS_BASE_AT)).wrfsbase(rax).mov(rax, qword(rbx, GS_BASE_AT)).wrgsbase(rax);
  a.lea(rax, at(rbx, RECORD_BYTES)).mov(qword("casePointer"), rax).mov(rsp, rbx);
  for (const register of GPRS[64]) if (register !== rsp) a.mov(register, qword(rsp, 8 * register.code));
  a.lea(rsp, at(rsp, FRAME_AT)).iretq();
}

/** Emits what follows once registers are in the result at RBX: bases, the window, on to the next case. */
export function emitCollect(a: Assembler): void {
  a.rdfsbase(rax).mov(qword(rbx, FS_BASE_AT), rax).rdgsbase(rax).mov(qword(rbx, GS_BASE_AT), rax);
  a.cld().mov(GPRS[32][rsi.code], WINDOW_START).lea(rdi, at(rbx, MEMORY_AT)).mov(ecx, QWORDS).rep().movs(64);
  a.lea(rax, at(rbx, RECORD_BYTES)).mov(qword("resultPointer"), rax).jmp("next");
}

/** Variables: where the first case and its result lie, and how many there are. */
export function emitVariables(a: Assembler, first: number, result: number, cases: number): void {
  a.align(8).label("casePointer").dq(first).label("resultPointer").dq(result).label("casesLeft").dq(cases);
  a.label("segments").dq(0);
}
