/**
 * A stay in virtual-8086 mode: the protected-mode monitor of a guest, the way in, and the frame that an event brings
 * back. Knows no test.
 *
 * Specification: SDM vol. 3A §20.2–20.3.
 */
import {
  TYPE_INTERRUPT_GATE,
  addressOf,
  cs,
  ds,
  dword,
  eax,
  ebp,
  ecx,
  es,
  esp,
} from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "./environments.js";
import type { GuestBuilder } from "./guest.js";
import * as layout from "./layout.js";

export const UD = 6;
export const SS_FAULT = 12;
export const GP = 13;
const WITH_ERROR_CODE = [8, 10, 11, 12, 13, 14, 17];

export const FLAG_IF = 0x200;
export const FLAG_VM = 0x20000;
export const IOPL3 = 0x3000;

/** Virtual-8086 programs lie here, reached as 0x0800:offset. */
export const PLACE = 0x8000;
export const SEGMENT = PLACE >> 4;
export const STACK_SEGMENT = 0x0700;
export const STACK_POINTER = 0x0800;
export const DATA_SEGMENTS = { es: 0x1234, ds: 0x2345, fs: 0x3456, gs: 0x4567 };
/** Where the monitor keeps its stack pointer and the place to go on at. */
const SAVED_ESP = layout.DATA + 0xf00;
const GO_ON = layout.DATA + 0xf04;
export const DONE_VECTOR = 0x91;
export const DIFFERENT_TSS = layout.DATA + 0x1000;
export const TSS_LIMIT = 0x67 + 0x20 + 1;
export const TSS_IO_BASE = 0x66;

/** How a stay in virtual-8086 mode must end. */
interface Stay {
  /** EFLAGS to enter with, besides VM and the constant bit. */
  flags?: number;
  vector?: number;
  error?: number;
  note: string;
  /** More to look at, with ESP at the frame: EIP CS EFLAGS ESP SS ES DS FS GS. */
  look?(): void;
}

/** Where the next program goes. */
let stays = PLACE;

/** Begins a guest: sends every vector that it meets to the monitor. */
export function monitor(g: GuestBuilder, vectors: number[]): void {
  stays = PLACE;
  const gate = { selector: layout.KERNEL_CODE, offset: 0, type: TYPE_INTERRUPT_GATE, dpl: 3 };
  for (const vector of [...vectors, DONE_VECTOR]) g.gates.set(vector, { ...gate, label: "monitor" });
  prologue(g.a);
  const over = g.a.fresh("over");
  g.a.jmp(over);
  g.a.label("monitor").jmpAt(dword({ disp: GO_ON, segment: cs }));
  g.a.label(over);
}

/** Runs `program` in virtual-8086 mode until an event brings the CPU back, and checks the frame. */
export function stay(g: GuestBuilder, how: Stay, program: (a: Assembler, fault: () => void) => void): void {
  const { a } = g;
  const back = a.fresh("back");
  const vector = how.vector ?? DONE_VECTOR;
  a.mov(dword(SAVED_ESP), esp).mov(dword(GO_ON), addressOf(back));
  for (const name of ["gs", "fs", "ds", "es"] as const) a.push(DATA_SEGMENTS[name]);
  a.push(STACK_SEGMENT)
    .push(STACK_POINTER)
    .push(FLAG_VM | 2 | (how.flags ?? 0));
  a.push(SEGMENT)
    .push(stays - PLACE)
    .iret();
  const kernel = a.here;
  a.org(stays).bits(16);
  let fault = -1;
  program(a, () => (fault = a.here));
  if (how.vector === undefined) {
    a.int(DONE_VECTOR);
    fault = a.here;
  } else a.hlt();
  stays = a.here + 16;
  a.org(kernel).bits(32).label(back);
  a.mov(ebp, esp);
  a.movFromSegment(eax, ds).mov(ecx, layout.KERNEL_DATA).movToSegment(ds, ecx).movToSegment(es, ecx);
  g.expect(eax, 0, `${how.note}: the monitor gets a null DS`, 0xffffn);
  if (WITH_ERROR_CODE.includes(vector)) {
    a.pop(eax);
    g.expect(eax, how.error ?? 0, `${how.note}: error code`);
  }
  a.mov(eax, dword(esp));
  g.expect(eax, fault - PLACE, `${how.note}: EIP`);
  how.look?.();
  a.mov(esp, dword(SAVED_ESP));
}

/** Expects word `index` of the frame. */
export function frame(g: GuestBuilder, index: number, value: number, note: string, mask?: bigint): void {
  g.a.mov(eax, dword(esp, 4 * index));
  g.expect(eax, value, note, mask);
}
