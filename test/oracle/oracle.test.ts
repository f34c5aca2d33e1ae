/**
 * Integer, vector and floating-point instructions of the built-in engine against the CPU this test runs on. Seeded; a failure
 * names form, operands and both results. `LOCORE_ORACLE_SEED` and `LOCORE_ORACLE_ROWS` widen it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { STATUS } from "../support/model/flags.js";
import { formsPerGuest, runOnEngine } from "./engine.js";
import { allForms } from "./forms.js";
import type { Form } from "./forms.js";
import { nativeMissing, runNative } from "./native.js";
import { RAISED, RESULT_WORDS, makeRows, readResult } from "./rows.js";
import type { Result, Row } from "./rows.js";

const SEED = BigInt(process.env.LOCORE_ORACLE_SEED ?? 20250601);
const ROWS = Number(process.env.LOCORE_ORACLE_ROWS ?? 40);
const SHOWN = 40;

const hex = (words: readonly bigint[]): string => words.map((w) => w.toString(16)).join(" ");
const show = (r: Result): string =>
  r.flags === RAISED
    ? "#DE"
    : `gpr ${hex(r.gpr)} flags ${r.flags.toString(16)} si/di ${hex(r.pointers)} xmm ${hex(r.xmm)} mem ${hex(r.memory)}`;

/** What differs between two results of one row, or undefined. */
function difference(form: Form, row: Row, host: Result, ours: Result): string | undefined {
  if (host.flags === RAISED || ours.flags === RAISED) return host.flags === ours.flags ? undefined : "#DE";
  const mask = (form.defined?.(row) ?? STATUS) & STATUS;
  if ((host.flags & mask) !== (ours.flags & mask)) return "flags";
  if (form.undefinedResult?.(row)) return undefined;
  if (hex(host.gpr) !== hex(ours.gpr)) return "registers";
  if (hex(host.pointers) !== hex(ours.pointers)) return "RSI or RDI";
  if (hex(host.xmm) !== hex(ours.xmm)) return "XMM0";
  if (hex(host.memory) !== hex(ours.memory)) return "memory";
  return undefined;
}

function compare(
  forms: readonly Form[],
  rows: readonly Row[][],
  host: Uint8Array,
  ours: Uint8Array,
): string[] {
  const lines: string[] = [];
  forms.forEach((form, f) => {
    const index = rows[f].findIndex((row, i) => {
      const at = f * ROWS + i;
      return difference(form, row, readResult(host, at), readResult(ours, at)) !== undefined;
    });
    if (index < 0) return;
    const at = f * ROWS + index;
    const row = rows[f][index];
    const [h, o] = [readResult(host, at), readResult(ours, at)];
    const operands = `rax, rcx, rdx ${hex(row.gpr)} flags ${row.flags.toString(16)} xmm ${hex(row.xmm)} mem ${hex(row.memory)}`;
    lines.push(
      `${form.name}: ${difference(form, row, h, o)} differ\n  in   ${operands}\n  host ${show(h)}\n  ours ${show(o)}`,
    );
  });
  return lines;
}

const missing = nativeMissing();

test(
  "R6.1 integer, vector and floating-point instructions do what the host's CPU does",
  { skip: missing ?? false },
  () => {
    const forms = allForms();
    const rows = forms.map((form, i) => makeRows(ROWS, SEED + BigInt(i), form.repeats ?? false));
    const host = runNative(forms, rows);
    const engine = createWasmEngine();
    const lines: string[] = [];
    const step = formsPerGuest(ROWS);
    for (let at = 0; at < forms.length; at += step) {
      const some = forms.slice(at, at + step);
      const theirRows = rows.slice(at, at + step);
      const ours = runOnEngine(engine, some, theirRows);
      const start = at * ROWS * RESULT_WORDS * 8;
      lines.push(...compare(some, theirRows, host.subarray(start, start + ours.length), ours));
    }
    assert.equal(
      lines.length,
      0,
      `${lines.length} of ${forms.length} forms differ\n${lines.slice(0, SHOWN).join("\n")}`,
    );
  },
);
