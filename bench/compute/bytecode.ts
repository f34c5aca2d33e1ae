/**
 * An interpreter of a small bytecode, with a copy of the dispatch behind every handler: indirect jumps whose targets
 * follow from data. One instruction is an opcode byte and an operand byte; there is an accumulator and variables.
 */
import {
  addressOf,
  byte,
  dword,
  eax,
  ebx,
  ecx,
  cl,
  qword,
  rax,
  rcx,
  rsi,
} from "../../test/support/asm/index.js";
import type { Assembler } from "../../test/support/asm/index.js";
import type { GuestBuilder } from "../../test/conformance/support/guest.js";
import { ARRAY, DONE } from "./program.js";
import type { ComputeProgram } from "./program.js";

const CODE = ARRAY;
const TABLE = ARRAY + 0x1000;
const VARIABLES = ARRAY + 0x2000;

interface Machine {
  accumulator: number;
  variables: Uint32Array;
  /** Index of the next instruction. */
  next: number;
}

interface Operation {
  /** Guest code: accumulator EBX, operand ECX (zero-extended), RSI the next instruction. */
  emit(a: Assembler): unknown;
  /** The same here. */
  run(m: Machine, operand: number): void;
}

const variable = dword({ index: rcx, scale: 4, disp: VARIABLES });

/** Jumps back or forward: the operand is the index of an instruction. */
function emitJump(a: Assembler, otherwise: "e" | "ne"): void {
  const stay = a.fresh("stay");
  a.test(ebx, ebx).jcc(otherwise, stay);
  a.lea(rsi, byte({ index: rcx, scale: 2, disp: CODE })).label(stay);
}

const OPERATIONS = {
  load: { emit: (a) => a.mov(ebx, variable), run: (m, n) => (m.accumulator = m.variables[n]) },
  store: { emit: (a) => a.mov(variable, ebx), run: (m, n) => (m.variables[n] = m.accumulator) },
  add: { emit: (a) => a.add(ebx, variable), run: (m, n) => (m.accumulator += m.variables[n]) },
  xor: { emit: (a) => a.xor(ebx, variable), run: (m, n) => (m.accumulator ^= m.variables[n]) },
  multiply: {
    emit: (a) => a.imul(ebx, ecx),
    run: (m, value) => (m.accumulator = Math.imul(m.accumulator, value)),
  },
  subtract: { emit: (a) => a.sub(ebx, ecx), run: (m, value) => (m.accumulator -= value) },
  and: { emit: (a) => a.and(ebx, ecx), run: (m, value) => (m.accumulator &= value) },
  shift: { emit: (a) => a.shr(ebx, cl), run: (m, by) => (m.accumulator >>>= by) },
  jumpIfZero: { emit: (a) => emitJump(a, "ne"), run: (m, to) => m.accumulator === 0 && (m.next = to) },
  jumpUnlessZero: { emit: (a) => emitJump(a, "e"), run: (m, to) => m.accumulator !== 0 && (m.next = to) },
} satisfies Record<string, Operation>;

type OperationName = keyof typeof OPERATIONS;
const NAMES = Object.keys(OPERATIONS) as OperationName[];
const STOP = NAMES.length;
const [COUNTER, HASH, MIXED, ODD] = [0, 1, 2, 3];

/** while (--counter) { hash = hash * 31 + counter; mixed ^= hash >> 7; if (mixed & 1) odd += hash; } */
const PROGRAM: [OperationName, number][] = [
  ["load", HASH],
  ["multiply", 31],
  ["add", COUNTER],
  ["store", HASH],
  ["shift", 7],
  ["xor", MIXED],
  ["store", MIXED],
  ["and", 1],
  ["jumpIfZero", 12],
  ["load", ODD],
  ["add", HASH],
  ["store", ODD],
  ["load", COUNTER],
  ["subtract", 1],
  ["store", COUNTER],
  ["jumpUnlessZero", 0],
];

function interpret(turns: number): number {
  const m: Machine = { accumulator: 0, variables: new Uint32Array(4), next: 0 };
  m.variables[COUNTER] = turns;
  while (m.next < PROGRAM.length) {
    const [name, operand] = PROGRAM[m.next++];
    const operation: Operation = OPERATIONS[name];
    operation.run(m, operand);
    m.accumulator >>>= 0;
  }
  return (m.variables[ODD] + m.variables[MIXED]) >>> 0;
}

function dispatch(a: Assembler): void {
  a.movzx(eax, byte(rsi)).movzx(ecx, byte(rsi, 1)).add(rsi, 2);
  a.jmpAt(qword({ index: rax, scale: 8, disp: TABLE }));
}

function write(g: GuestBuilder, turns: number): number {
  const { a } = g;
  g.data(CODE, [...PROGRAM.flatMap(([name, operand]) => [NAMES.indexOf(name), operand]), STOP, 0]);
  const label = (i: number): string => `operation${i}`;
  for (let i = 0; i <= STOP; i++) a.mov(qword(TABLE + 8 * i), addressOf(label(i)));
  a.mov(dword(VARIABLES + 4 * COUNTER), turns)
    .mov(rsi, CODE)
    .xor(ebx, ebx);
  dispatch(a);
  NAMES.forEach((name, i) => {
    a.label(label(i));
    OPERATIONS[name].emit(a);
    dispatch(a);
  });
  a.label(label(STOP))
    .mov(eax, dword(VARIABLES + 4 * ODD))
    .add(eax, dword(VARIABLES + 4 * MIXED))
    .jmp(DONE);
  return interpret(turns);
}

/** Size: turns of the interpreted loop. */
export const bytecode: ComputeProgram = {
  name: "bytecode",
  what: "an interpreter: indirect jumps",
  class: "integer",
  size: 1_500_000,
  tiny: 300,
  write,
};
