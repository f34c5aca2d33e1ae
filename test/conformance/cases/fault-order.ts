/**
 * Which fault comes first where an instruction has several reasons, and what it leaves: operands before stacks, sources
 * before destinations, undefined before absent, all of a frame or none of it; where LOCK is legal.
 *
 * Specification: SDM vol. 3A §6.9 (priority), §6.15, §8.1.2.2 (LOCK); vol. 2 (MOVS, PUSH, POP, ENTER, IRET, CALL).
 */
import {
  at,
  eax,
  ecx,
  fs,
  qword,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
  ss,
} from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { ExpectedEvent, Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { P, RW } from "../support/page-tables.js";

const UD = 6;
const GP = 13;
const PF = 14;
const WRITE = 2;
const PRESENT = 1;
/** One page that is there, at the end of nothing: absent before and behind it; read-only the second. */
const PAGE = 0x51000000;
const READ_ONLY = 0x52000000;
const ABSENT = 0x50000000;
const END = PAGE + 0x1000;
const FRAME = 0x280000;

function begin(g: GuestBuilder): void {
  // Exceptions keep to a stack of their own: the program's may be absent.
  for (const vector of [UD, GP, PF, 12]) {
    g.gates.set(vector, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, ist: 1 });
  }
  prologue(g.a);
  g.tables.map(PAGE, FRAME, P | RW);
  g.tables.map(READ_ONLY, FRAME, P);
}

const absent = (address: number, error: number, note: string): ExpectedEvent => ({
  vector: PF,
  error,
  cr2: BigInt(address),
  note,
});

function operands(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const far = 0x100;
  a.mov(rsi, ABSENT).mov(rdi, ABSENT + far);
  g.fault(absent(ABSENT, 0, "MOVS: the source first"), () => a.movs(64));
  g.expect(rsi, ABSENT, "MOVS leaves RSI");
  a.mov(rsi, PAGE);
  g.fault(absent(ABSENT + far, WRITE, "then the destination"), () => a.movs(64));
  g.expect(rdi, ABSENT + far, "MOVS leaves RDI");
  a.mov(rsp, ABSENT).mov(rbx, ABSENT + far);
  g.fault(absent(ABSENT + far, 0, "PUSH of memory: the operand first"), () => a.push(qword(rbx)));
  a.mov(rcx, PAGE);
  g.fault(absent(ABSENT - 8, WRITE, "then the stack"), () => a.push(qword(rcx)));
  g.fault(absent(ABSENT, 0, "POP of memory: the stack first"), () => a.pop(qword(rbx)));
  a.mov(rsp, PAGE);
  g.fault(absent(ABSENT + far, WRITE, "then the operand"), () => a.pop(qword(rbx)));
  g.expect(rsp, PAGE, "RSP stays");
  a.mov(rsp, ABSENT);
  g.fault(absent(ABSENT + far, 0, "CALL of memory: the operand first"), () => a.callAt(qword(rbx)));
  g.fault(absent(ABSENT - 8, WRITE, "CALL: the stack, and RIP stays"), () => a.db(0xe8, 0, 0, 0, 0));
  g.expect(rsp, ABSENT, "so does RSP");
  a.mov(rsp, layout.STACK_TOP);
  a.mov(eax, 0x11).mov(rbx, END - 4);
  g.fault(absent(END, 0, "LSS whose selector is absent"), () => a.loadFarPointer(ss, eax, at(rbx)));
  g.expect(rax, 0x11, "loads nothing");
  g.fault(absent(END, 0, "a far JMP whose selector is absent"), () => a.jmpFarAt(at(rbx), 32));
  a.mov(ecx, 0x3f8).push(rcx);
  g.fault({ vector: GP, error: 0x3f8, note: "POP to a segment leaves RSP when it faults" }, () =>
    a.popSegment(fs),
  );
  g.expect(rsp, layout.STACK_TOP - 8, "RSP at the selector");
  a.mov(rsp, layout.STACK_TOP);
  g.exit();
}

function frames(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  // Frames that begin in the page and end behind or before it.
  for (const values of [1, 2, 3, 4]) {
    a.mov(rsp, END - 8 * values);
    g.fault(absent(END, 0, `IRETQ with ${values} of 5 values there`), () => a.iretq());
    g.expect(rsp, END - 8 * values, "IRETQ leaves RSP");
  }
  a.mov(rsp, END - 8);
  g.fault(absent(END, 0, "far RET with one of two values there"), () => a.retf(64));
  a.mov(rbp, 0x77).mov(rsp, PAGE + 8);
  g.fault(absent(PAGE - 8, WRITE, "ENTER whose second value has no room"), () => a.enter(0, 1));
  g.expect(rbp, 0x77, "leaves RBP");
  g.expect(rsp, PAGE + 8, "and RSP");
  a.mov(rsp, PAGE + 0x10);
  g.fault({ vector: PF, error: WRITE, note: "ENTER whose locals begin on an absent page" }, () =>
    a.enter(0x20, 0),
  );
  g.expect(rsp, PAGE + 0x10, "leaves RSP");
  a.mov(rbp, ABSENT).mov(rsp, END);
  g.fault(absent(ABSENT - 8, 0, "ENTER whose outer frame pointer is absent"), () => a.enter(0, 2));
  a.mov(rbp, END);
  g.fault(absent(END, 0, "LEAVE of an absent frame"), () => a.db(0xc9));
  g.expect(rsp, END, "leaves RSP");
  a.mov(rsp, layout.STACK_TOP);
  // A store across the end of the page writes nothing when the second page refuses it.
  a.mov(rax, -1).mov(rbx, END - 4);
  g.fault(absent(END, WRITE, "MOV across the end"), () => a.mov(qword(rbx), rax));
  g.fault(absent(END, WRITE, "SGDT across the end"), () => a.sgdt(at(rbx)));
  g.fault(absent(END, WRITE, "CMPXCHG across the end"), () => a.cmpxchg(qword(rbx), rax));
  g.expectAt(FRAME + 0xffc, 4, 0n, "nothing was written");
  g.exit();
}

/** Opcode bytes up to ModRM.reg: LOCK is legal with a memory operand, or never. */
interface Lockable {
  name: string;
  bytes: number[];
  reg: number;
  /** Bytes behind ModRM. */
  immediate?: number;
  legal: boolean;
}

function lockables(): Lockable[] {
  const list: Lockable[] = [];
  const add = (name: string, bytes: number[], reg: number, legal: boolean, immediate = 0): void => {
    list.push({ name, bytes, reg, legal, immediate });
  };
  ["ADD", "OR", "ADC", "SBB", "AND", "SUB", "XOR", "CMP"].forEach((name, i) => {
    for (const form of [0, 1]) add(`${name} M, R`, [8 * i + form], 1, name !== "CMP");
    for (const form of [2, 3]) add(`${name} R, M`, [8 * i + form], 1, false);
    for (const [opcode, length] of [
      [0x80, 1],
      [0x81, 4],
      [0x83, 1],
    ])
      add(`${name} M, imm`, [opcode], i, name !== "CMP", length);
  });
  ["TEST", "TEST", "NOT", "NEG", "MUL", "IMUL", "DIV", "IDIV"].forEach((name, i) =>
    add(name, [0xf7], i, name === "NOT" || name === "NEG", name === "TEST" ? 4 : 0),
  );
  ["INC", "DEC", "CALL", "CALL far", "JMP", "JMP far", "PUSH"].forEach((name, i) =>
    add(name, [0xff], i, i < 2),
  );
  ["BT", "BTS", "BTR", "BTC"].forEach((name, i) => {
    add(`${name} M, R`, [0x0f, 0xa3 + 8 * i], 1, i > 0);
    add(`${name} M, imm`, [0x0f, 0xba], 4 + i, i > 0, 1);
  });
  add("XCHG", [0x87], 1, true);
  add("XADD", [0x0f, 0xc1], 1, true);
  add("CMPXCHG", [0x0f, 0xb1], 1, true);
  add("CMPXCHG8B", [0x0f, 0xc7], 1, true);
  for (const [name, ...bytes] of [
    ["MOV M, R", 0x89],
    ["MOV R, M", 0x8b],
    ["LEA", 0x8d],
    ["POP", 0x8f],
    ["SHL M, 1", 0xd1],
    ["SHLD", 0x0f, 0xa5],
    ["MOVNTI", 0x0f, 0xc3],
    ["SETO", 0x0f, 0x90],
    ["MOVBE", 0x0f, 0x38, 0xf1],
    ["MOVUPS", 0x0f, 0x11],
    ["FLD", 0xd9],
    ["SGDT", 0x0f, 0x01],
    ["INVLPG", 0x0f, 0x01],
  ] as const) {
    add(name, bytes as number[], name === "INVLPG" ? 7 : 0, false);
  }
  return list;
}

/** LOCK is #UD before anything is read; where it is legal the absent operand is a write. */
function locks(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  a.mov(rbx, ABSENT).mov(rdx, READ_ONLY).xor(ecx, ecx);
  for (const { name, bytes, reg, immediate, legal } of lockables()) {
    const emit = (mod: number, rm: number): Assembler =>
      a.db(0xf0, ...bytes, mod | (reg << 3) | rm, ...new Array<number>(immediate ?? 0).fill(0));
    const memoryForm = legal
      ? absent(ABSENT, WRITE, `LOCK ${name} of an absent page`)
      : { vector: UD, note: `LOCK ${name}` };
    g.fault(memoryForm, () => emit(0, 3));
    if (legal) {
      const event = {
        ...absent(READ_ONLY, WRITE | PRESENT, `LOCK ${name} of a page that cannot be written`),
      };
      g.fault(event, () => emit(0, 2));
    }
    g.fault({ vector: UD, note: `LOCK ${name} of a register` }, () => emit(0xc0, 3));
  }
  for (const [name, ...bytes] of [
    ["NOP", 0x90],
    ["STI", 0xfb],
    ["STOSB", 0xaa],
    ["MOVSB", 0xa4],
    ["CPUID", 0x0f, 0xa2],
    ["RET", 0xc3],
    ["JMP", 0xeb, 0],
    ["MOV CR0", 0x0f, 0x20, 0xc0],
  ] as const) {
    g.fault({ vector: UD, note: `LOCK ${name}` }, () => a.db(0xf0, ...(bytes as number[])));
  }
  g.exit();
}

/** Prefixes up to the limit of 15 bytes, at the end of a page. */
function lengths(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  const nop = (length: number): number[] => [...new Array<number>(length - 1).fill(0x2e), 0x90];
  a.db(...nop(15));
  g.fault({ vector: GP, error: 0, note: "16 bytes" }, () => a.db(...nop(16)));
  // 15 prefixes end the page: no 16th byte is fetched. With fewer the next page is asked.
  g.data(FRAME + 0x1000 - 15, new Array<number>(15).fill(0x2e));
  const jump = (offset: number, event: ExpectedEvent): void => {
    const behind = a.fresh("behind");
    g.resumeAt(behind);
    g.expectEvent({ ...event, rip: BigInt(END - offset) });
    a.mov(rax, END - offset)
      .jmpAt(rax)
      .label(behind);
  };
  jump(15, { vector: GP, error: 0, note: "15 prefixes at the end of a page" });
  jump(14, { ...absent(END, 0x10, "14 prefixes at the end of a page") });
  g.exit();
}

/** Single instructions that are undefined or not by privilege, mode or operand, with an absent operand. */
function undefinedFirst(g: GuestBuilder): void {
  begin(g);
  const { a } = g;
  a.mov(rbx, ABSENT);
  const undefined = (note: string, ...bytes: number[]): void =>
    g.fault({ vector: UD, note }, () => a.db(...bytes));
  /** QEMU 7.2 takes these for what they are without the bits that make them undefined. */
  const unknownToQemu = (note: string, error: number, ...bytes: number[]): void =>
    g.fault({ vector: UD, note, onQemu: { vector: PF, error } }, () => a.db(...bytes));
  undefined("UD0 with an absent operand", 0x0f, 0xff, 0x03);
  undefined("UD1 with an absent operand", 0x0f, 0xb9, 0x03);
  undefined("UD2", 0x0f, 0x0b);
  undefined("MOV to CS", 0x8e, 0x0b);
  undefined("MOV to segment 6", 0x8e, 0x33);
  undefined("LEA of a register", 0x8d, 0xc3);
  undefined("LES in 64-bit mode", 0xc4, 0x03);
  undefined("PUSH ES in 64-bit mode", 0x06);
  unknownToQemu("POP /1", WRITE, 0x8f, 0x0b);
  unknownToQemu("FF /7", 0, 0xff, 0x3b);
  undefined("FE /2", 0xfe, 0x13);
  undefined("far JMP of a register", 0xff, 0xeb);
  undefined("LGDT of a register", 0x0f, 0x01, 0xd3);
  undefined("CMPXCHG8B of a register", 0x0f, 0xc7, 0xcb);
  undefined("MOV to CR1", 0x0f, 0x22, 0xcb);
  undefined("MOV to CR5", 0x0f, 0x22, 0xeb);
  g.user(() => {
    a.mov(rbx, ABSENT);
    g.fault({ vector: GP, error: 0, note: "LGDT at level 3: the privilege before the operand" }, () =>
      a.lgdt(at(rbx)),
    );
    g.fault({ vector: GP, error: 0, note: "LLDT at level 3" }, () => a.db(0x0f, 0x00, 0x13));
    g.fault({ vector: GP, error: 0, note: "LMSW at level 3" }, () => a.db(0x0f, 0x01, 0x33));
    g.fault({ vector: GP, error: 0, note: "INVLPG at level 3" }, () => a.invlpg(at(rbx)));
    g.fault(
      { vector: UD, note: "LOCK LGDT at level 3: undefined before privileged", onQemu: { vector: GP } },
      () => a.lock().lgdt(at(rbx)),
    );
    a.mov(rsi, ABSENT).mov(rdx, 0x80);
    g.fault({ vector: GP, error: 0, note: "OUTS at level 3: the port before the operand" }, () => a.outs(8));
  });
  g.exit();
}

export function faultOrderGuests(): Guest[] {
  const pieces = "QEMU 7.2 takes frames value by value and writes what it can; the SDM has all checks first";
  const lenient = "QEMU 7.2 takes LOCK where it is undefined and reads before it writes; the SDM is right";
  const fetches = "QEMU 7.2 fetches a 16th byte; no instruction has one";
  return [
    guest("operands and stacks", { cites: "SDM vol. 2, the pseudo-code of each" }, operands),
    guest(
      "frames are taken whole or not at all",
      { cites: "SDM vol. 2A, ENTER, IRET, RET", notOnQemu: pieces },
      frames,
    ),
    guest("where LOCK is legal", { cites: "SDM vol. 2A, LOCK; vol. 3A §8.1.2.2", notOnQemu: lenient }, locks),
    guest(
      "the limit of 15 bytes and the end of a page",
      { cites: "SDM vol. 3A §6.15, #GP", notOnQemu: fetches },
      lengths,
    ),
    guest(
      "undefined comes first, then privilege, then operands",
      { cites: "SDM vol. 3A §6.9" },
      undefinedFirst,
    ),
  ];
}
