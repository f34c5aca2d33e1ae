/**
 * Hardware tasks: switching by JMP, CALL, IRET and task gates; what a TSS receives and gives; the checks before and
 * after the switch.
 *
 * Specification: SDM vol. 3A chapter 7 (§7.2 TSS, §7.3 switching, §7.4 linking, tables 7-1 and 7-2); vol. 2 (JMP, CALL,
 * IRET, INT n).
 */
import {
  CODE_READABLE,
  DATA_READ_ONLY,
  DATA_WRITABLE,
  TYPE_INTERRUPT_GATE,
  TYPE_LDT,
  TYPE_TSS_AVAILABLE,
  addressOf,
  ax,
  bx,
  byte,
  cr0,
  cr3,
  cr4,
  cs,
  cx,
  dr6,
  dr7,
  ds,
  dword,
  dx,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  esp,
  fs,
  gate32,
  gs,
  segmentDescriptor,
  si,
  sp,
  word,
} from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const DB = 1;
const TS = 10;
const NP = 11;
const SS_FAULT = 12;
const GP = 13;
const TYPE_TASK_GATE = 0x05;
const TYPE_TSS16 = 0x01;

const LINK = 0x00;
const ESP0 = 0x04;
const CR3 = 0x1c;
const EIP = 0x20;
const EFLAGS = 0x24;
const EAX = 0x28;
const EBX = 0x34;
const ESP = 0x38;
const ES = 0x48;
const CS = 0x4c;
const SS = 0x50;
const DS = 0x54;
const LDT = 0x60;
const TRAP = 0x64;
const IO_BASE = 0x66;

const FLAG_DF = 0x400;
const FLAG_NT = 0x4000;
const FLAG_RF = 0x10000;
const FLAG_VM = 0x20000;
const CR0_TS = 8;
const CR0_PG = 0x80000000;
const CR4_PSE = 0x10;
const DR6_BT = 0x8000;

const TASKS = layout.DATA + 0x2000;
const TASK_SIZE = 0x100;
const STACKS = layout.DATA + 0x10000;
const STACK_SIZE = 0x1000;

/** A TSS of the guest: where it is, and its selector. */
interface Task {
  base: number;
  selector: number;
}

let tasks = 0;

/** A flat 32-bit task at level 0; the guest stores its EIP itself. */
function task(g: GuestBuilder, fields: Record<number, number> = {}): Task {
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

function begin(g: GuestBuilder): void {
  tasks = 0;
  prologue(g.a);
}

/** Expects the type of a task's descriptor: busy or available. */
function busy(g: GuestBuilder, selector: number, expected: boolean, note: string): void {
  g.a.movzx(edx, byte(layout.GDT + selector + 5));
  g.expect(edx, expected ? 0x8b : 0x89, `${note} is ${expected ? "busy" : "available"}`);
}

/** Expects a field of a TSS to hold the address of a label. */
function holds(g: GuestBuilder, field: number, label: string, note: string): void {
  g.a.mov(edx, dword(field)).sub(edx, addressOf(label));
  g.expect(edx, 0, note);
}

function nested(g: GuestBuilder, expected: boolean, note: string): void {
  g.a.pushf().pop(edx);
  g.expect(edx, expected ? FLAG_NT : 0, note, BigInt(FLAG_NT));
}

function jumpCallReturn(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const other = task(g);
  a.mov(dword(other.base + EIP), addressOf("other"));
  a.mov(eax, 9).movSystem(dr7, eax);
  a.mov(eax, 0x11).mov(ebx, 0x22).std().jmpFar(other.selector, 0);
  a.label("back");
  g.expect(eax, 0x11, "EAX comes back");
  g.expect(ebx, 0x22, "EBX comes back");
  g.expect(esp, layout.STACK_TOP, "ESP comes back");
  g.expectFlags(BigInt(FLAG_DF), BigInt(FLAG_NT), "EFLAGS come back");
  a.cld();
  busy(g, other.selector, false, "after JMP the task that was left");
  busy(g, layout.TSS_SELECTOR, true, "and the one that runs");
  a.callFar(other.selector, 0);
  a.label("returned");
  nested(g, false, "NT is clear in the outer task");
  busy(g, other.selector, false, "the task that IRET left");
  a.mov(edx, dword(other.base + EFLAGS));
  g.expect(edx, 2, "IRET saves NT as clear", BigInt(FLAG_NT | 2));
  holds(g, other.base + EIP, "behindIret", "and the EIP behind it");
  a.str(dx);
  g.expect(dx, layout.TSS_SELECTOR, "TR after IRET");
  g.exit();

  a.label("other");
  g.expect(eax, 0xa0a0a0a0, "EAX of the new task");
  g.expect(ebx, 0xb0b0b0b0, "EBX of the new task");
  g.expect(esp, STACKS + STACK_SIZE, "ESP of the new task");
  a.str(dx);
  g.expect(dx, other.selector, "TR");
  a.movSystem(edx, cr0);
  g.expect(edx, CR0_TS, "CR0.TS is set", BigInt(CR0_TS));
  a.clts().movSystem(edx, dr7);
  g.expect(edx, 0x408, "the local breakpoint enables are clear, global ones stay");
  nested(g, false, "JMP does not nest");
  busy(g, layout.TSS_SELECTOR, false, "after JMP the old task");
  busy(g, other.selector, true, "the new task");
  for (const [field, value, note] of [
    [EAX, 0x11, "EAX"],
    [EBX, 0x22, "EBX"],
    [ESP, layout.STACK_TOP, "ESP"],
  ] as const) {
    a.mov(edx, dword(layout.TSS + field));
    g.expect(edx, value, `${note} is saved`);
  }
  a.mov(edx, dword(layout.TSS + EFLAGS));
  g.expect(edx, FLAG_DF, "EFLAGS are saved", BigInt(FLAG_DF | FLAG_NT));
  a.mov(dx, word(layout.TSS + CS));
  g.expect(dx, layout.KERNEL_CODE, "CS is saved");
  a.mov(dx, word(layout.TSS + DS));
  g.expect(dx, layout.KERNEL_DATA, "DS is saved");
  holds(g, layout.TSS + EIP, "back", "EIP behind the JMP is saved");
  a.jmpFar(layout.TSS_SELECTOR, 0);
  // The CALL comes here.
  nested(g, true, "CALL nests");
  busy(g, layout.TSS_SELECTOR, true, "after CALL the old task");
  a.mov(dx, word(other.base + LINK));
  g.expect(dx, layout.TSS_SELECTOR, "the link names the old task");
  holds(g, layout.TSS + EIP, "returned", "EIP behind the CALL is saved");
  a.iret();
  a.label("behindIret").hlt();
}

function taskGates(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const other = task(g);
  const handler = task(g);
  const gate = g.descriptor(gate32({ selector: other.selector, offset: 0, type: TYPE_TASK_GATE }));
  g.gates.set(GP, { selector: handler.selector, offset: 0, type: TYPE_TASK_GATE });
  g.gates.set(0x92, { selector: handler.selector, offset: 0, type: TYPE_TASK_GATE, dpl: 3 });
  a.mov(dword(other.base + EIP), addressOf("other"));
  a.callFar(gate, 0);
  a.mov(dword(handler.base + EIP), addressOf("handler"));
  a.mov(ecx, 0x400);
  a.label("bad").movToSegment(ds, ecx);
  g.expectSkipped("the instruction that faulted");
  a.label("good");
  g.expect(esi, 0x33, "ESI of the interrupted task");
  a.int(0x92);
  a.label("behind");
  busy(g, handler.selector, false, "the handler's task");
  g.exit();

  a.label("other");
  a.mov(dx, word(other.base + LINK));
  g.expect(dx, layout.TSS_SELECTOR, "a task gate in the GDT");
  a.iret();

  a.label("handler").pop(eax);
  g.expect(eax, 0x400, "the error code is on the handler's stack");
  holds(g, layout.TSS + EIP, "bad", "EIP of the instruction that faulted");
  a.mov(edx, dword(layout.TSS + EFLAGS));
  g.expect(edx, 0, "NT of the interrupted task", BigInt(FLAG_NT));
  a.mov(dword(layout.TSS + EIP), addressOf("good"));
  a.mov(dword(layout.TSS + 0x40), 0x33);
  a.iret();
  // INT n comes here.
  a.pushf().pop(edx);
  g.expect(edx, FLAG_NT, "INT n through a task gate nests", BigInt(FLAG_NT));
  g.expect(esp, STACKS + 2 * STACK_SIZE, "and pushes nothing");
  holds(g, layout.TSS + EIP, "behind", "EIP behind INT n");
  a.iret();
}

/** RF in the EFLAGS that a fault saves. */
function resumeFlag(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const handler = task(g);
  g.gates.set(GP, { selector: handler.selector, offset: 0, type: TYPE_TASK_GATE });
  a.mov(dword(handler.base + EIP), addressOf("handler"));
  a.mov(ecx, 0x400).movToSegment(ds, ecx).hlt();
  a.label("handler").mov(edx, dword(layout.TSS + EFLAGS));
  g.expect(edx, FLAG_RF, "a fault saves RF", BigInt(FLAG_RF));
  g.exit();
}

function refusals(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const other = task(g);
  const tss = (fields: { limit?: number; present?: boolean }): number =>
    g.descriptor(
      segmentDescriptor({
        base: other.base,
        limit: layout.TSS_LIMIT,
        type: TYPE_TSS_AVAILABLE,
        granular: false,
        ...fields,
      }),
    );
  const gate = (selector: number, present = true): number =>
    g.descriptor(gate32({ selector, offset: 0, type: TYPE_TASK_GATE, present }));
  const refused = (selector: number, vector: number, error: number, note: string, onQemu = {}): void => {
    g.fault({ vector, error, note: `JMP: ${note}`, onQemu }, () => a.jmpFar(selector, 0));
    g.fault({ vector, error, note: `CALL: ${note}`, onQemu }, () => a.callFar(selector, 0));
  };
  const absent = tss({ present: false });
  const short = tss({ limit: layout.TSS_LIMIT - 1 });
  refused(layout.TSS_SELECTOR, GP, layout.TSS_SELECTOR, "a busy task");
  refused(absent, NP, absent, "a TSS that is not present");
  refused(short, TS, short, "a TSS that is too short");
  refused(other.selector | 3, GP, other.selector, "RPL above the TSS's DPL");
  const absentGate = gate(other.selector, false);
  refused(absentGate, NP, absentGate, "a gate that is not present");
  refused(gate(0x64), GP, 0x64, "a gate to the LDT", { vector: TS });
  refused(gate(layout.KERNEL_DATA), GP, layout.KERNEL_DATA, "a gate to data");
  refused(gate(0x400), GP, 0x400, "a gate to beyond the GDT");
  refused(gate(absent), NP, absent, "a gate to a TSS that is not present");
  refused(gate(0), GP, 0, "a gate to the null descriptor");
  const back = (link: number, vector: number, error: number, note: string): void => {
    a.mov(word(layout.TSS + LINK), link)
      .pushf()
      .pop(eax)
      .or(eax, FLAG_NT)
      .push(eax)
      .popf();
    g.fault({ vector, error, note: `IRET: ${note}` }, () => a.iret());
  };
  back(0, TS, 0, "a null link");
  back(0x64, TS, 0x64, "a link to the LDT");
  back(other.selector, TS, other.selector, "a task that is not busy");
  back(layout.KERNEL_DATA, TS, layout.KERNEL_DATA, "data");
  busy(g, layout.TSS_SELECTOR, true, "after all that the current task");
  a.str(ax);
  g.expect(ax, layout.TSS_SELECTOR, "TR has not changed");
  g.exit();
}

/** Checks that come after the switch: handlers are tasks, so that any stack will do. */
function newTaskFaults(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const bad = task(g);
  const handlers = new Map<number, Task>();
  for (const vector of [TS, NP, SS_FAULT, GP]) {
    const handler = task(g);
    handlers.set(vector, handler);
    g.gates.set(vector, { selector: handler.selector, offset: 0, type: TYPE_TASK_GATE });
  }
  const segment = (fields: Parameters<typeof segmentDescriptor>[0]): number =>
    g.descriptor(segmentDescriptor(fields));
  const absentCode = segment({ type: CODE_READABLE, big: true, present: false });
  const absentData = segment({ type: DATA_WRITABLE, big: true, present: false });
  const readOnly = segment({ type: DATA_READ_ONLY, big: true });
  const shortCode = segment({ type: CODE_READABLE, big: true, granular: false, limit: 0xfff });
  const absentLdt = segment({ type: TYPE_LDT, granular: false, limit: 7, present: false });
  const check = (field: number, value: number, vector: number, error: number, note: string): void => {
    const handler = handlers.get(vector)!;
    const label = a.fresh("handler");
    const standard = { [CS]: layout.KERNEL_CODE, [LDT]: 0 }[field] ?? layout.KERNEL_DATA;
    a.mov(dword(bad.base + field), value).mov(dword(bad.base + EIP), addressOf("target"));
    a.mov(byte(layout.GDT + bad.selector + 5), 0x89);
    a.mov(dword(handler.base + EIP), addressOf(label)).mov(dword(handler.base + ESP), STACKS + 0x8000);
    a.jmpFar(bad.selector, 0);
    const main = a.here;
    a.org(main + 0x100)
      .label(label)
      .pop(eax);
    g.expect(eax, error, `${note}: error code`);
    a.mov(dx, word(handler.base + LINK));
    g.expect(dx, bad.selector, `${note}: belongs to the new task`);
    holds(g, bad.base + EIP, "target", `${note}: whose EIP is saved`);
    a.jmpFar(layout.TSS_SELECTOR, 0);
    const next = a.here;
    a.org(main).jmp(next);
    a.org(next).mov(dword(bad.base + field), standard);
  };
  check(LDT, layout.KERNEL_DATA, TS, layout.KERNEL_DATA, "LDTR names no LDT");
  check(LDT, 0x0c, TS, 0x0c, "LDTR names the LDT");
  check(LDT, absentLdt, TS, absentLdt, "an LDT that is not present");
  check(CS, 0, TS, 0, "a null CS");
  check(CS, layout.KERNEL_DATA, TS, layout.KERNEL_DATA, "data as CS");
  check(CS, layout.USER_CODE32 & ~3, TS, layout.USER_CODE32 & ~3, "CS with DPL 3 and RPL 0");
  check(CS, 0x400, TS, 0x400, "CS beyond the GDT");
  check(CS, absentCode, NP, absentCode, "CS is not present");
  check(SS, 0, TS, 0, "a null SS");
  check(SS, layout.KERNEL_DATA | 3, TS, layout.KERNEL_DATA, "SS with RPL 3");
  check(SS, layout.USER_DATA_SELECTOR & ~3, TS, layout.USER_DATA_SELECTOR & ~3, "SS with DPL 3");
  check(SS, readOnly, TS, readOnly, "a read-only SS");
  check(SS, absentData, SS_FAULT, absentData, "SS is not present");
  check(DS, layout.TSS_SELECTOR, TS, layout.TSS_SELECTOR, "a TSS as DS");
  check(DS, absentData, NP, absentData, "DS is not present");
  check(DS, layout.KERNEL_DATA | 3, TS, layout.KERNEL_DATA, "DS with RPL above its DPL");
  check(CS, shortCode, GP, 0, "EIP beyond the limit of CS");
  g.exit();
  a.label("target").hlt();
}

function trapFlag(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const other = task(g, { [TRAP]: 1 });
  a.mov(dword(other.base + EIP), addressOf("other"));
  g.expectEvent({ vector: DB, rip: "other", cs: layout.KERNEL_CODE, flagsClear: BigInt(FLAG_RF) });
  a.jmpFar(other.selector, 0);
  a.label("other").mov(ecx, 0x77).movSystem(edx, dr6);
  g.expect(edx, DR6_BT, "DR6.BT", BigInt(DR6_BT));
  g.expect(ecx, 0x77, "the task runs after its debug exception");
  g.exit();
}

/** A task of a 16-bit TSS, in 16-bit code below 64 KiB. */
function sixteenBit(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const base = TASKS;
  const code = 0x9000;
  const bytes = new Uint8Array(0x2c);
  const view = new DataView(bytes.buffer);
  const put = (offset: number, ...values: number[]): void =>
    values.forEach((v, i) => view.setUint16(offset + 2 * i, v, true));
  put(0x0e, code, 2, 0x1111, 0x2222, 0x3333, 0x4444, 0xf000, 0x6666, 0x7777, 0x8888);
  put(0x22, layout.DATA16, layout.CODE16, layout.DATA16, layout.DATA16, 0);
  g.data(base, bytes);
  const selector = g.descriptor(segmentDescriptor({ base, limit: 0x2b, type: TYPE_TSS16, granular: false }));
  const short = g.descriptor(segmentDescriptor({ base, limit: 0x2a, type: TYPE_TSS16, granular: false }));
  g.fault({ vector: TS, error: short, note: "a 16-bit TSS that is too short" }, () => a.jmpFar(short, 0));
  a.mov(eax, layout.KERNEL_DATA).movToSegment(fs, eax).callFar(selector, 0);
  a.label("returned");
  for (const [offset, value, note] of [
    [0x12, 0x1112, "AX"],
    [0x18, 0x4444, "BX"],
    [0x1a, 0xf000 - 2, "SP"],
    [0x22, layout.DATA16, "ES"],
    [0x28, layout.DATA16, "DS"],
  ] as const) {
    a.mov(dx, word(base + offset));
    g.expect(dx, value, `${note} is saved as 16 bits`);
  }
  a.mov(dx, word(base));
  g.expect(dx, layout.TSS_SELECTOR, "the link");
  a.movFromSegment(edx, fs);
  g.expect(edx, layout.KERNEL_DATA, "FS of the 32-bit task comes back", 0xffffn);
  g.exit();
  const end = a.here;
  a.org(code).bits(16);
  a.inc(ax).mov(word(0x4000), bx).push(si).movFromSegment(cx, fs).mov(word(0x4002), cx).iret();
  a.org(end).bits(32);
  g.expectAt(0x4000, 2, 0x4444n, "BX of the 16-bit task");
  g.expectAt(0x4002, 2, 0n, "FS is null in a 16-bit task");
  g.expectAt(0xeffe, 2, 0x7777n, "a push on its stack");
}

/** A task whose EFLAGS have VM set runs in virtual-8086 mode. */
function virtual(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const place = 0x9000;
  const other = task(g, {
    [EFLAGS]: FLAG_VM | 0x3002,
    [EIP]: 0,
    [ESP]: 0x7000,
    [CS]: place >> 4,
    [SS]: 0,
    [DS]: 0x400,
    [ESP0]: STACKS,
    [ESP0 + 4]: layout.KERNEL_DATA,
  });
  g.gates.set(0x92, {
    selector: layout.KERNEL_CODE,
    offset: 0,
    type: TYPE_INTERRUPT_GATE,
    dpl: 3,
    label: "monitor",
  });
  a.jmpFar(other.selector, 0);
  g.exit();
  a.label("monitor").mov(edi, dword(esp, 8)).mov(ecx, layout.KERNEL_DATA).movToSegment(ds, ecx);
  g.expect(edi, FLAG_VM, "the event came from virtual-8086 mode", BigInt(FLAG_VM));
  g.expect(si, place >> 4, "CS of the task");
  a.jmpFar(layout.TSS_SELECTOR, 0);
  const end = a.here;
  a.org(place).bits(16).movFromSegment(si, cs).mov(word(0), sp).int(0x92);
  a.org(end).bits(32);
  g.expectAt(0x4000, 2, 0x7000n, "DS of the task");
}

/** CR3 comes from the TSS, and is not saved. */
function pageDirectories(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const first = layout.DATA + 0x20000;
  const second = layout.DATA + 0x21000;
  const window = 0x800000;
  const elsewhere = 0xc00000;
  for (const [directory, target] of [
    [first, window],
    [second, elsewhere],
  ]) {
    const entries = new Uint32Array(4).map((_, i) => i * 0x400000 + 0x83);
    entries[2] = target + 0x83;
    g.data(directory, new Uint8Array(entries.buffer));
  }
  g.data(window, [1]);
  g.data(elsewhere, [2]);
  const other = task(g, { [CR3]: second });
  a.mov(dword(other.base + EIP), addressOf("other"));
  a.movSystem(eax, cr4).or(eax, CR4_PSE).movSystem(cr4, eax);
  a.mov(eax, first).movSystem(cr3, eax).movSystem(eax, cr0).or(eax, CR0_PG).movSystem(cr0, eax);
  a.mov(dword(layout.TSS + CR3), first);
  a.movzx(ebx, byte(window));
  g.expect(ebx, 1, "the first task's page");
  a.callFar(other.selector, 0);
  a.movzx(ebx, byte(window));
  g.expect(ebx, 1, "the first task's page again");
  a.mov(edx, dword(other.base + CR3));
  g.expect(edx, second, "CR3 is not saved");
  g.exit();
  a.label("other").movzx(ebx, byte(window));
  g.expect(ebx, 2, "the second task's page");
  a.movSystem(edx, cr3);
  g.expect(edx, second, "CR3");
  a.movFromSegment(edx, gs).iret();
}

export function taskGuests(): Guest[] {
  return [
    guest("JMP, CALL and IRET", { mode: 32, cites: "SDM vol. 3A §7.3, §7.4, table 7-2" }, jumpCallReturn),
    guest("task gates", { mode: 32, cites: "SDM vol. 3A §7.2.5, §6.12.2" }, taskGates),
    guest(
      "a fault through a task gate saves RF",
      { mode: 32, cites: "SDM vol. 3B §17.3.1.1", notOnQemu: "QEMU 7.2 saves it as clear; the SDM is right" },
      resumeFlag,
    ),
    guest(
      "refusals before the switch",
      { mode: 32, cites: "SDM vol. 3A table 7-1; vol. 2A, JMP, IRET" },
      refusals,
    ),
    guest(
      "refusals in the new task",
      {
        mode: 32,
        cites: "SDM vol. 3A §7.3, table 7-1",
        notOnQemu: "QEMU 7.2 saves the EIP of the old task and has #TS for an absent stack; the SDM is right",
      },
      newTaskFaults,
    ),
    guest(
      "the T flag",
      { mode: 32, cites: "SDM vol. 3B §17.3.1.5", notOnQemu: "QEMU 7.2 ignores it; the SDM is right" },
      trapFlag,
    ),
    guest("a 16-bit TSS", { mode: 32, cites: "SDM vol. 3A §7.6" }, sixteenBit),
    guest("a task in virtual-8086 mode", { mode: 32, cites: "SDM vol. 3A §20.2.5" }, virtual),
    guest("page directories", { mode: 32, cites: "SDM vol. 3A §7.5, §4.1.2" }, pageDirectories),
  ];
}
