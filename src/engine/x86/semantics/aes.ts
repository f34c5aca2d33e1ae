/**
 * AESENC, AESENCLAST, AESDEC, AESDECLAST, AESIMC, AESKEYGENASSIST by tables of what a byte adds to its column, see
 * constant-tables.ts.
 *
 * Specification: Intel SDM vol. 2; FIPS 197 §5.1–5.3 (the steps of a round), §5.3.5 (equivalent inverse cipher).
 */
import type { Value } from "../../ir/ir.js";
import * as layout from "../layout.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";
import { immediateByte } from "./packed-integer.js";

const ROWS = [0, 1, 2, 3];
const COLUMNS = [0, 1, 2, 3];
/** ShiftRows: row `r` of a column comes from `r` columns further on, or as many back. */
const FORWARDS = 1;
const BACKWARDS = 3;

type Lookup = (b: InstructionBuilder, byte: Value) => Value;

/** What a byte of row 0 adds to its column in a round. */
const mixed =
  (table: number): Lookup =>
  (b, byte) =>
    b.load("i32.load", b.shl(byte, b.i32(2)), table);
const encrypted = mixed(layout.AES_ENCRYPT);
const decrypted = mixed(layout.AES_DECRYPT);

/** SubBytes and its inverse. */
const substituted: Lookup = (b, byte) =>
  b.load("i32.load8_u", b.shl(byte, b.i32(2)), layout.AES_ENCRYPT + layout.AES_SUBSTITUTED);
const restored: Lookup = (b, byte) => b.load("i32.load8_u", byte, layout.AES_RESTORE);

/** Adds what the four bytes of a column give, each rotated to its row. */
function column(b: InstructionBuilder, bytes: readonly Value[], lookup: Lookup): Value {
  return ROWS.map((row) => {
    const word = lookup(b, bytes[row]);
    return row === 0 ? word : b.rotl(word, b.i32(8 * row));
  }).reduce((x, y) => b.xor(x, y));
}

function fromColumns(b: InstructionBuilder, columns: readonly Value[]): Value {
  const start = b.operation("v128", "i32x4.splat", [columns[0]]);
  return columns.reduce(
    (v, word, i) => (i === 0 ? v : b.operation("v128", "i32x4.replace_lane", [v, word], i)),
    start,
  );
}

const byteAt = (b: InstructionBuilder, address: Value, column: number, row: number): Value =>
  b.load("i32.load8_u", address, 4 * (column & 3) + row);

/** destination := a round of destination, with the source as its key. */
function round(step: number, lookup: Lookup): Semantics {
  return (b, { operands: [destination, source] }) => {
    const key = b.readVector(source);
    const state = b.vectorAddress(destination);
    const columns = COLUMNS.map((c) =>
      column(
        b,
        ROWS.map((row) => byteAt(b, state, c + row * step, row)),
        lookup,
      ),
    );
    b.writeVector(destination, b.operation("v128", "v128.xor", [fromColumns(b, columns), key]));
  };
}

/** AESIMC: a round key for the equivalent inverse cipher. The tables of decryption undo SubBytes, so it is done first. */
const inverseMixColumns: Semantics = (b, { operands: [destination, source] }) => {
  const from = b.vectorAddress(source);
  const columns = COLUMNS.map((c) =>
    column(
      b,
      ROWS.map((row) => substituted(b, byteAt(b, from, c, row))),
      decrypted,
    ),
  );
  b.writeVector(destination, fromColumns(b, columns));
};

/** AESKEYGENASSIST: SubWord of the odd dwords, and the same rotated with the round constant added. */
const assistKeyGeneration: Semantics = (b, { operands: [destination, source, immediate] }) => {
  const constant = immediateByte(b, immediate);
  const from = b.vectorAddress(source);
  const words = [1, 3].map((odd) =>
    column(
      b,
      ROWS.map((row) => byteAt(b, from, odd, row)),
      substituted,
    ),
  );
  const pairs = words.flatMap((word) => [word, b.xor(b.rotr(word, b.i32(8)), constant)]);
  b.writeVector(destination, fromColumns(b, pairs));
};

export const AES: SemanticsTable = {
  aesenc: round(FORWARDS, encrypted),
  aesenclast: round(FORWARDS, substituted),
  aesdec: round(BACKWARDS, decrypted),
  aesdeclast: round(BACKWARDS, restored),
  aesimc: inverseMixColumns,
  aeskeygenassist: assistKeyGeneration,
};
