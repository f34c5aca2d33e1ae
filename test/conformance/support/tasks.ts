/**
 * Hardware tasks of a guest: the fields of a TSS, and making and examining them. Knows no test.
 *
 * Specification: SDM vol. 3A §7.2.
 */
import {
  TYPE_TSS_AVAILABLE,
  addressOf,
  byte,
  dword,
  edx,
  segmentDescriptor,
} from "../../support/asm/index.js";
import { prologue } from "./environments.js";
import type { GuestBuilder } from "./guest.js";
import * as layout from "./layout.js";

export const DB = 1;
export const TS = 10;
export const NP = 11;
export const SS_FAULT = 12;
export const GP = 13;
export const TYPE_TASK_GATE = 0x05;
export const TYPE_TSS16 = 0x01;

export const LINK = 0x00;
export const ESP0 = 0x04;
export const CR3 = 0x1c;
export const EIP = 0x20;
export const EFLAGS = 0x24;
export const EAX = 0x28;
export const EBX = 0x34;
export const ESP = 0x38;
export const ES = 0x48;
export const CS = 0x4c;
export const SS = 0x50;
export const DS = 0x54;
export const LDT = 0x60;
export const TRAP = 0x64;
export const IO_BASE = 0x66;

export const FLAG_DF = 0x400;
export const FLAG_NT = 0x4000;
export const FLAG_RF = 0x10000;
export const FLAG_VM = 0x20000;
export const CR0_TS = 8;
export const CR0_PG = 0x80000000;
export const CR4_PSE = 0x10;
export const DR6_BT = 0x8000;

export const TASKS = layout.DATA + 0x2000;
const TASK_SIZE = 0x100;
export const STACKS = layout.DATA + 0x10000;
export const STACK_SIZE = 0x1000;

/** A TSS of the guest: where it is, and its selector. */
export interface Task {
  base: number;
  selector: number;
}

let tasks = 0;

/** A flat 32-bit task at level 0; the guest stores its EIP itself. */
export function task(g: GuestBuilder, fields: Record<number, number> = {}): Task {
  const base = TASKS + tasks * TASK_SIZE;
  const bytes = new Uint8Array(layout.TSS_LIMIT + 1);
  const view = new DataView(bytes.buffer);
  const stack = STACKS + ++tasks * STACK_SIZE;
  const standard = {
    [EFLAGS]: 2,
    [ESP]: stack,
    [EAX]: 0xa0a0a0a0,
    [EBX]: 0xb0b0b0b0,
    [CS]: layout.KERNEL_CODE,
  };
  for (const [offset, value] of Object.entries({ ...standard, ...fields })) {
    view.setUint32(Number(offset), value, true);
  }
  for (let i = 0; i < 6; i++) {
    const offset = ES + 4 * i;
    if (offset !== CS && !(offset in fields)) view.setUint16(offset, layout.KERNEL_DATA, true);
  }
  view.setUint16(IO_BASE, layout.TSS_LIMIT + 1, true);
  g.data(base, bytes);
  const type = TYPE_TSS_AVAILABLE;
  const selector = g.descriptor(segmentDescriptor({ base, limit: layout.TSS_LIMIT, type, granular: false }));
  return { base, selector };
}

export function begin(g: GuestBuilder): void {
  tasks = 0;
  prologue(g.a);
}

/** Expects the type of a task's descriptor: busy or available. */
export function busy(g: GuestBuilder, selector: number, expected: boolean, note: string): void {
  g.a.movzx(edx, byte(layout.GDT + selector + 5));
  g.expect(edx, expected ? 0x8b : 0x89, `${note} is ${expected ? "busy" : "available"}`);
}

/** Expects a field of a TSS to hold the address of a label. */
export function holds(g: GuestBuilder, field: number, label: string, note: string): void {
  g.a.mov(edx, dword(field)).sub(edx, addressOf(label));
  g.expect(edx, 0, note);
}

export function nested(g: GuestBuilder, expected: boolean, note: string): void {
  g.a.pushf().pop(edx);
  g.expect(edx, expected ? FLAG_NT : 0, note, BigInt(FLAG_NT));
}
