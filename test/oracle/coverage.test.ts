/**
 * Whether the comparison with the host's CPU reaches everything: each line of the engine's table, at each operand size
 * and with register and memory operand, and each x87 encoding, is what some case decodes to, or is exempt for a stated
 * reason. Runs on every host: cases are made and decoded, not executed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Decoder } from "../../src/engine/x86/decode.js";
import { OPERATIONS, type Operation } from "../../src/engine/x86/operands.js";
import type { Instruction } from "../../src/engine/x86/instruction.js";
import { UNDEFINED_FORM, everyForm } from "../../src/engine/x86/table/forms.js";
import type { Form as TableForm } from "../../src/engine/x86/table/form.js";
import { X87_TABLE, x87Index } from "../../src/engine/x86/x87.js";
import { allForms } from "./all-forms.js";
import { Case } from "./case.js";
import { EXEMPTIONS } from "./exemptions.js";
import type { Form } from "./form.js";
import { CODE, RECORD_BYTES } from "./layout.js";

const FORMS = everyForm();

/** Cases made of each form; where the opcode or ModRM names one of eight registers, enough for all of them. */
const CASES = 8;
const CASES_BY_REGISTER = 96;
const LONGEST = 15;

interface Reached {
  /** Mode, line and operation: what the decoder makes of a case's bytes. */
  lines: Set<string>;
  x87: Set<number>;
  /** Forms with a case that is not of a line that they say they cover. */
  strays: Set<string>;
}

const key = (mode: Form["mode"], line: TableForm, operation: Operation): string =>
  `${mode} ${line.id} ${operation.id}`;

function note(form: Form, instruction: Instruction, reached: Reached): void {
  const line = instruction.form;
  if (line === UNDEFINED_FORM) return;
  if (!form.covers.includes(line.id)) {
    // NOP and PAUSE are XCHG's encodings; a LOCK or REP prefix may choose another line of the same opcode.
    if (FORMS[form.covers[0]].opcode !== line.opcode) reached.strays.add(form.name);
    return;
  }
  if (line.mnemonic === "x87") reached.x87.add(x87Index(line.opcode, instruction.modrm));
  const operation = OPERATIONS.find(instruction);
  if (operation >= 0) reached.lines.add(key(form.mode, line, OPERATIONS.list[operation]));
}

function reach(forms: readonly Form[]): Reached {
  const reached: Reached = { lines: new Set(), x87: new Set(), strays: new Set() };
  const decoder = new Decoder();
  const c = new Case();
  const record = new Uint8Array(RECORD_BYTES);
  const bytes = new Uint8Array(LONGEST);
  for (const form of forms) {
    const byRegister = form.covers.length > 1 || FORMS[form.covers[0]].mnemonic === "x87";
    const cases = byRegister ? CASES_BY_REGISTER : CASES;
    for (let row = 0; row < cases; row++) {
      c.random.seed(1, row);
      c.begin(form, record, CODE);
      form.build(c);
      bytes.fill(0);
      bytes.set(c.code.slice(0, LONGEST));
      decoder.decode(bytes, 0, LONGEST, form.mode / 8);
      note(form, decoder.instruction, reached);
    }
  }
  return reached;
}

const reached = reach(allForms());
const exempt = (line: TableForm, mode: 64 | 32): boolean => EXEMPTIONS.some((e) => e.skips?.(line, mode));

/** Every (line, operation) pair that an encoding can name in a mode, found by decoding all prefixes and ModRM kinds. */
function possible(mode: 64 | 32): Map<string, string> {
  const found = new Map<string, string>();
  const decoder = new Decoder();
  const bytes = new Uint8Array(LONGEST);
  for (const line of FORMS) {
    if (line === UNDEFINED_FORM || exempt(line, mode)) continue;
    for (const code of encodings(line, mode)) {
      bytes.fill(0);
      bytes.set(code);
      decoder.decode(bytes, 0, LONGEST, mode / 8);
      const { instruction } = decoder;
      const operation = OPERATIONS.find(instruction);
      if (instruction.form !== line || operation < 0) continue;
      const { key: name } = OPERATIONS.list[operation];
      found.set(key(mode, line, OPERATIONS.list[operation]), `${mode}-bit: ${name} (line ${line.id})`);
    }
  }
  return found;
}

const MANDATORY: Record<string, number[]> = { "": [], NP: [], "66": [0x66], F2: [0xf2], F3: [0xf3] };
const MAPS = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const PP = ["NP", "66", "F3", "F2"];
const VEX_MAP = 4;

/** Encodings of a line: operand-size prefix or not, REX.W or not, ModRM naming memory and a register. */
function* encodings(line: TableForm, mode: 64 | 32): Generator<number[]> {
  const reg = Math.max(0, line.extension) << 3;
  const modrm = line.modrmByte >= 0 ? [line.modrmByte] : [reg, 0xc0 | reg];
  for (const byte of modrm) {
    for (const size of [[], [0x66]]) {
      for (const wide of mode === 64 ? [false, true] : [false]) {
        if (line.map >= VEX_MAP) {
          const pp = Math.max(0, PP.indexOf(line.prefix));
          yield [0xc4, 0xe0 | (line.map - VEX_MAP), (wide ? 0x80 : 0) | 0x78 | pp, line.opcode, byte];
        } else {
          const prefixes = [...size, ...MANDATORY[line.prefix], ...(wide ? [0x48] : [])];
          yield [...prefixes, ...MAPS[line.map], line.opcode, byte];
        }
      }
    }
  }
}

for (const mode of [64, 32] as const) {
  test(`R6.1 every user-mode form of the table is reached in ${mode}-bit code, or exempt`, () => {
    const missing = [...possible(mode)].filter(([k]) => !reached.lines.has(k)).map(([, text]) => text);
    assert.deepEqual(missing, []);
  });
}

test("R6.1 every x87 encoding is reached", () => {
  const missing = X87_TABLE.flatMap((x87, index) =>
    x87 && !reached.x87.has(index) ? [`${x87.mnemonic}, entry ${index}`] : [],
  );
  assert.deepEqual(missing, []);
});

test("R6.1 a form's cases are of the lines that it covers", () => {
  assert.deepEqual([...reached.strays], []);
});
