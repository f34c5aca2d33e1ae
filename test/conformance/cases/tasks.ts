/**
 * Hardware tasks: switching by JMP, CALL, IRET and task gates; what a TSS receives and gives. What is
 * refused stands in `task-faults.ts`.
 *
 * Specification: SDM vol. 3A chapter 7 (§7.2 TSS, §7.3 switching, §7.4 linking, tables 7-1 and 7-2); vol. 2 (JMP, CALL,
 * IRET, INT n).
 */
import {
  TYPE_INTERRUPT_GATE,
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
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import {
  DB,
  TS,
  GP,
  TYPE_TASK_GATE,
  TYPE_TSS16,
  LINK,
  ESP0,
  CR3,
  EIP,
  EFLAGS,
  EAX,
  EBX,
  ESP,
  CS,
  SS,
  DS,
  TRAP,
  FLAG_DF,
  FLAG_NT,
  FLAG_RF,
  FLAG_VM,
  CR0_TS,
  CR0_PG,
  CR4_PSE,
  DR6_BT,
  task,
  begin,
  busy,
  holds,
  nested,
  STACKS,
  STACK_SIZE,
  TASKS,
} from "../support/tasks.js";

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

/** What the 16-bit registers of such a task leave above them. */
function sixteenBitUppers(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const code = 0x9000;
  const bytes = new Uint8Array(0x2c);
  const view = new DataView(bytes.buffer);
  [code, 2, 0x1111, 0x2222, 0x3333, 0x4444, 0xf000, 0x6666, 0x7777, 0x8888].forEach((v, i) =>
    view.setUint16(0x0e + 2 * i, v, true),
  );
  [layout.DATA16, layout.CODE16, layout.DATA16, layout.DATA16].forEach((v, i) =>
    view.setUint16(0x22 + 2 * i, v, true),
  );
  g.data(TASKS, bytes);
  const fields = { base: TASKS, limit: 0x2b, type: TYPE_TSS16, granular: false };
  a.mov(ebx, 0x12345678)
    .mov(esi, 0x12345678)
    .callFar(g.descriptor(segmentDescriptor(fields)), 0);
  g.expect(ebx, 0x12345678, "the task of a 32-bit TSS comes back whole");
  g.exit();
  const end = a.here;
  a.org(code).bits(16).mov(dword(0x4004), ebx).mov(dword(0x4008), esi).iret();
  a.org(end).bits(32);
  g.expectAt(0x4004, 4, 0xffff4444n, "ones above BX");
  g.expectAt(0x4008, 4, 0xffff7777n, "ones above SI");
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
      "the T flag",
      { mode: 32, cites: "SDM vol. 3B §17.3.1.5", notOnQemu: "QEMU 7.2 ignores it; the SDM is right" },
      trapFlag,
    ),
    guest("a 16-bit TSS", { mode: 32, cites: "SDM vol. 3A §7.6" }, sixteenBit),
    guest(
      "a 16-bit TSS and the upper halves of registers",
      { mode: 32, cites: "SDM vol. 3A §7.6", notOnQemu: "QEMU 7.2 has zeros there, the 386 and Bochs ones" },
      sixteenBitUppers,
    ),
    guest("a task in virtual-8086 mode", { mode: 32, cites: "SDM vol. 3A §20.2.5" }, virtual),
    guest("page directories", { mode: 32, cites: "SDM vol. 3A §7.5, §4.1.2" }, pageDirectories),
  ];
}
