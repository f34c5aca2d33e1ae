/**
 * The tables as the build keeps them: rows of numbers and texts, and each operand once. A start reads a tenth of what the same tables
 * would be as objects.
 */
import type { Operand, Operation } from "../operands.js";
import type { FormFeatures } from "./features.js";
import type { Form, OperandSpec } from "./form.js";

/** Those fields of a form that say yes or no, a bit each, from bit 0. */
const FLAGS = [
  "hasModrm",
  "lock",
  "invalidIn64",
  "only64",
  "default64",
  "force64",
  "ends",
  "rep",
  "dwordRegister",
] as const;

type FormRow = [
  map: number,
  opcode: number,
  prefix: Form["prefix"],
  vectorLength: number,
  extension: number,
  rm: Form["rm"],
  modrmByte: number,
  mnemonic: string,
  operands: number[],
  sizing: Form["sizing"],
  flags: number,
  unit: Form["unit"],
  features: number,
];

type OperationRow = [mnemonic: string, size: number, isMemory: 0 | 1, operands: number[], key: string];

/** Plain data, for JSON. */
export interface PackedForms {
  specs: OperandSpec[];
  features: FormFeatures[];
  rows: FormRow[];
  /** Numbers of rows by `map << 8 | opcode`, in the order in which they are tried: those with a mandatory prefix first. */
  opcodes: Record<number, number[]>;
}

/** Plain data, for JSON. */
export interface PackedOperations {
  operands: Operand[];
  rows: OperationRow[];
}

/** Gives each value that is equal to none before a number. */
class Numbered<T> {
  readonly list: T[] = [];
  readonly #numbers = new Map<string, number>();

  number(value: T): number {
    const text = JSON.stringify(value);
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.list.length);
    return this.list.push(value) - 1;
  }
}

/** What `unpackForm` makes the same forms of, each by its number. */
export function packForms(forms: readonly Form[]): PackedForms {
  const specs = new Numbered<OperandSpec>();
  const features = new Numbered<FormFeatures>();
  const rows = forms.map((form): FormRow => {
    const { map, opcode, prefix, vectorLength, extension, rm, modrmByte, mnemonic, sizing, unit } = form;
    const operands = form.operands.map((operand) => specs.number(operand));
    const flags = FLAGS.reduce((bits, name, bit) => bits | (Number(form[name]) << bit), 0);
    const number = features.number(form.features);
    return [
      map,
      opcode,
      prefix,
      vectorLength,
      extension,
      rm,
      modrmByte,
      mnemonic,
      operands,
      sizing,
      flags,
      unit,
      number,
    ];
  });
  return { specs: specs.list, features: features.list, rows, opcodes: byOpcode(forms) };
}

function byOpcode(forms: readonly Form[]): Record<number, number[]> {
  const lists: Record<number, Form[]> = {};
  for (const form of forms) (lists[(form.map << 8) | form.opcode] ??= []).push(form);
  const inOrder = (list: Form[]): number[] =>
    list.sort((a, b) => Number(a.prefix === "") - Number(b.prefix === "") || a.id - b.id).map(({ id }) => id);
  return Object.fromEntries(Object.entries(lists).map(([key, list]) => [key, inOrder(list)]));
}

/** By index: taking a row apart is slow in code that runs a few times. */
export function unpackForm({ specs, features, rows }: PackedForms, id: number): Form {
  const row = rows[id];
  const flags = row[10];
  return {
    id,
    map: row[0],
    opcode: row[1],
    prefix: row[2],
    vectorLength: row[3],
    extension: row[4],
    rm: row[5],
    modrmByte: row[6],
    mnemonic: row[7],
    operands: row[8].map((spec) => specs[spec]),
    sizing: row[9],
    // In the order of FLAGS.
    hasModrm: (flags & 1) !== 0,
    lock: (flags & 2) !== 0,
    invalidIn64: (flags & 4) !== 0,
    only64: (flags & 8) !== 0,
    default64: (flags & 16) !== 0,
    force64: (flags & 32) !== 0,
    ends: (flags & 64) !== 0,
    rep: (flags & 128) !== 0,
    dwordRegister: (flags & 256) !== 0,
    unit: row[11],
    features: features[row[12]],
  };
}

/** What `unpackOperations` makes the same operations of. */
export function packOperations(list: readonly Operation[]): PackedOperations {
  const numbered = new Numbered<Operand>();
  const rows = list.map(({ mnemonic, size, isMemory, operands, key }): OperationRow => {
    const numbers = operands.map((operand) => numbered.number(operand));
    return [mnemonic, size, isMemory ? 1 : 0, numbers, key];
  });
  return { operands: numbered.list, rows };
}

/** The operations, by number. */
export function unpackOperations({ operands, rows }: PackedOperations): Operation[] {
  return rows.map((row, id) => ({
    id,
    mnemonic: row[0],
    size: row[1],
    isMemory: row[2] === 1,
    operands: row[3].map((number) => operands[number]),
    key: row[4],
  }));
}
