/**
 * Every x87 encoding as forms of the comparison: memory forms of each operand size, register forms with any ST(i),
 * and the encodings that are undefined. States and operands come from `float-state.ts`.
 */
import { everyForm } from "../../src/engine/x86/table/forms.js";
import type { Form as TableForm } from "../../src/engine/x86/table/form.js";
import { X87_FIRST_OPCODE, lookupX87, operandBytes } from "../../src/engine/x86/x87.js";
import type { OperandKind, X87Instruction } from "../../src/engine/x86/x87.js";
import type { Case } from "./case.js";
import { choose, encode } from "./encode.js";
import type { Variant } from "./encode.js";
import { fillX87, fillX87Memory, fillX87Pointers } from "./float-state.js";
import type { X87Memory } from "./float-state.js";
import type { Form } from "./form.js";

const FORMS = everyForm();

const OPCODES = Array.from({ length: 8 }, (_, i) => X87_FIRST_OPCODE + i);
const REGISTER_MODE = 0xc0;

/** What lies in memory where an instruction reads it. */
const CONTENTS: Partial<Record<OperandKind, X87Memory>> = {
  f32: "f32",
  f64: "f64",
  f80: "f80",
  i16: "integer",
  i32: "integer",
  i64: "integer",
  bcd: "decimal",
  cw: "environment",
  env: "environment",
  state: "environment",
};
/** Words of an environment before the registers of FRSTOR. */
const ENVIRONMENT_WORDS = 7;
const LARGEST_OPERAND_WORDS = 27;
const scratch = new Uint32Array(LARGEST_OPERAND_WORDS);

/** The line of the engine's table that a ModRM byte belongs to. */
const tableLine = (opcode: number, modrm: number): TableForm =>
  FORMS.find(
    (form) =>
      form.mnemonic === "x87" &&
      form.opcode === opcode &&
      form.rm === (modrm >= REGISTER_MODE ? "r" : "m") &&
      (form.extension < 0 || form.extension === ((modrm >> 3) & 7)),
  )!;

/** A random x87 state instead of the case's quiet one. */
function randomX87(c: Case): void {
  const { buffer, byteOffset, byteLength } = c.fx;
  const words = new Uint32Array(buffer, byteOffset, byteLength / 4);
  fillX87(words, 0, c.random);
  fillX87Pointers(words, 0, c.random);
}

/** Fills the operand at `linear` with what the instruction makes something of, if it lies in the window. */
function fillOperand(c: Case, kind: OperandKind, size: number, linear: bigint): void {
  const contents = CONTENTS[kind];
  const offset = c.windowOffset(linear);
  if (contents === undefined || offset < 0) return;
  for (let i = 0; i < scratch.length; i++) scratch[i] = c.random.u32();
  fillX87Memory(scratch, 0, contents, size !== 2, c.random);
  const bytes = new Uint8Array(scratch.buffer, 0, operandBytes(kind, size === 2 ? 16 : 32));
  const room = c.memory.length - offset;
  c.memory.set(bytes.subarray(0, room), offset);
  if (kind === "state") fillRegisters(c, offset + (size === 2 ? 2 : 4) * ENVIRONMENT_WORDS);
}

/** The registers of an FRSTOR image: those that the state has in its registers are as good. */
function fillRegisters(c: Case, offset: number): void {
  for (let i = 0; i < 8; i++) {
    const at = offset + 10 * i;
    if (at + 10 > c.memory.length) return;
    for (let b = 0; b < 10; b++) c.memory[at + b] = c.fx.getUint8(32 + 16 * ((i + 3) & 7) + b);
  }
}

function memoryForm(
  opcode: number,
  reg: number,
  x87: X87Instruction,
  size: Variant["size"],
  mode: 64 | 32,
): Form {
  const line = tableLine(opcode, reg << 3);
  const sized = x87.operand === "env" || x87.operand === "state" ? ` ${size === 2 ? 16 : 32}` : "";
  return {
    name: `${x87.mnemonic} ${x87.operand}${sized}, ${mode}`,
    mnemonic: x87.mnemonic,
    covers: [line.id],
    mode,
    build: (c) => {
      randomX87(c);
      const variant: Variant = { line, size, memory: true };
      const choices = choose(c, variant);
      choices.reg = reg;
      choices.accessBytes = operandBytes(x87.operand, size === 2 ? 16 : 32);
      choices.target = c.target(choices.accessBytes);
      fillOperand(c, x87.operand, size, choices.target);
      encode(c, variant, choices);
    },
  };
}

/** Whether the eight encodings of a ModRM.reg are one instruction with ST(i). */
const uniform = (opcode: number, reg: number): boolean =>
  Array.from({ length: 8 }, (_, i) => lookupX87(opcode, REGISTER_MODE | (reg << 3) | i)).every(
    (one, _, all) => one !== undefined && one.mnemonic === all[0]?.mnemonic,
  );

/** One of the register forms `modrms` in each case. */
function registerForm(
  name: string,
  mnemonic: string,
  opcode: number,
  modrms: readonly number[],
  mode: 64 | 32,
): Form {
  return {
    name: `${name}, ${mode}`,
    mnemonic,
    covers: [...new Set(modrms.map((modrm) => tableLine(opcode, modrm).id))],
    mode,
    build: (c) => {
      randomX87(c);
      const modrm = c.random.pick(modrms);
      const variant: Variant = { line: tableLine(opcode, modrm), size: 0, memory: false };
      const choices = choose(c, variant);
      choices.reg = (modrm >> 3) & 7;
      choices.rm = modrm & 7;
      encode(c, variant, choices);
    },
  };
}

function registerForms(opcode: number, mode: 64 | 32): Form[] {
  const forms: Form[] = [];
  const undefinedBytes: number[] = [];
  const code = opcode.toString(16);
  for (let reg = 0; reg < 8; reg++) {
    const first = REGISTER_MODE | (reg << 3);
    if (uniform(opcode, reg)) {
      const { mnemonic } = lookupX87(opcode, first)!;
      const all = Array.from({ length: 8 }, (_, i) => first | i);
      forms.push(registerForm(`${mnemonic} ${code}/${reg}`, mnemonic, opcode, all, mode));
      continue;
    }
    for (let modrm = first; modrm < first + 8; modrm++) {
      const x87 = lookupX87(opcode, modrm);
      if (x87) forms.push(registerForm(x87.mnemonic, x87.mnemonic, opcode, [modrm], mode));
      else undefinedBytes.push(modrm);
    }
  }
  if (undefinedBytes.length > 0) {
    forms.push(registerForm(`undefined ${code}`, "x87 undefined", opcode, undefinedBytes, mode));
  }
  return forms;
}

function memoryForms(opcode: number, mode: 64 | 32): Form[] {
  const forms: Form[] = [];
  for (let reg = 0; reg < 8; reg++) {
    const x87 = lookupX87(opcode, reg << 3);
    if (!x87) continue;
    const sizes: Variant["size"][] = x87.operand === "env" || x87.operand === "state" ? [2, 4] : [0];
    for (const size of sizes) forms.push(memoryForm(opcode, reg, x87, size, mode));
  }
  return forms;
}

/** All of them, in 64-bit mode and in 32-bit code. */
export function x87Forms(): Form[] {
  return ([64, 32] as const).flatMap((mode) =>
    OPCODES.flatMap((opcode) => [...memoryForms(opcode, mode), ...registerForms(opcode, mode)]),
  );
}
