/**
 * Records vectors from the host's CPU: `node dist/test/oracle/record.js`, on x86-64 Linux; `LOCORE_ORACLE_SEED`
 * chooses others. Writes test/fixtures/oracle/VENDOR/*.txt, which `recorded.test.ts` runs on every host. Of each line
 * of the instruction table up to 16 cases are kept: one of each variant (operand size, register or memory, code size),
 * then those that end differently from the ones before.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { everyForm } from "../../src/engine/x86/table/forms.js";
import { allForms } from "./all-forms.js";
import { Case } from "./case.js";
import { fieldNamed } from "./compare.js";
import type { Form } from "./form.js";
import { RECORD_BYTES, RESULT } from "./layout.js";
import { normalise } from "./linux.js";
import { minimise } from "./minimise.js";
import { NativeRunner, nativeCpu, nativeMissing } from "./native.js";
import { hostKnows, nameHash } from "./run.js";
import { oracleSeed } from "./settings.js";
import { runCases } from "./slots.js";
import type { SlotBatch } from "./slots.js";
import { FIELDS, SLOTS, formatVector, slotAddress } from "./vector-text.js";
import type { PlacedCase, Vector } from "./vector-text.js";
import { fileOf, filesOf } from "./vector-files.js";
import { hostVendor } from "./vendor.js";

const FORMS = everyForm();

const KEPT = 16;
/** Cases tried for each line of the table, and lines tried at once. */
const TRIED = 128;
const AT_ONCE = SLOTS / TRIED;
/** Cases of one line that end alike. */
const ALIKE = 2;
/** Version of the files' format. */
const FORMAT = 1;

interface Chosen {
  form: Form;
  row: number;
}
type Candidate = Chosen & Vector;

/** Forms by the line of the table that they are of; x87 lines are many instructions, told apart by name. */
function groups(): Form[][] {
  const found = new Map<string, Form[]>();
  for (const form of allForms().filter((one) => !one.segmented && hostKnows(one))) {
    const line = FORMS[form.covers[0]];
    const key = line.mnemonic === "x87" ? form.name.replace(/, (32|64)$/, "") : String(line.id);
    found.set(key, [...(found.get(key) ?? []), form]);
  }
  return [...found.values()];
}

function makeCase(form: Form, c: Case, slot: number, row: number): PlacedCase {
  const record = new Uint8Array(RECORD_BYTES);
  c.random.seed(oracleSeed(), nameHash(form.name), row);
  c.begin(form, record, slotAddress(slot));
  form.build(c);
  for (const fix of c.whenEndIsKnown) fix(slotAddress(slot) + c.code.length);
  return { slot, mode: form.mode === 64 ? 64 : 32, code: Uint8Array.from(c.code), record };
}

const hex = (value: bigint): string => value.toString(16);

/** What a case's end has in common with others: exception, flags, which fields changed. */
function signature(v: Vector): string {
  const field = (name: string): string => hex(fieldNamed(v.result, name));
  const changed = FIELDS.filter(
    (f) =>
      f.before >= 0 &&
      v.result.subarray(f.after, f.after + f.bytes).some((b, i) => b !== v.record[f.before + i]),
  );
  const counts = new Map<string, number>();
  for (const f of changed) counts.set(f.name[0], (counts.get(f.name[0]) ?? 0) + 1);
  const flags = ["rflags", "fsw", "mxcsr"].map(field);
  return [field("vector"), field("error"), ...flags, ...[...counts].flat()].join(" ");
}

/** The candidates worth keeping, in the order of their forms. */
function select(candidates: readonly Candidate[], forms: readonly Form[]): Candidate[] {
  const kept = new Set<Candidate>();
  const alike = new Map<string, number>();
  const signatures = new Map(candidates.map((one) => [one, signature(one)]));
  const ending = (one: Candidate): string => signatures.get(one)!;
  const keep = (one: Candidate | undefined): void => {
    if (one === undefined || kept.size >= KEPT) return;
    kept.add(one);
    const key = ending(one);
    alike.set(key, (alike.get(key) ?? 0) + 1);
  };
  const completed = (v: Vector): boolean => v.result[RESULT.VECTOR] === 3;
  for (const form of forms) keep(candidates.find((v) => v.form === form && completed(v)));
  for (let limit = 1; limit <= ALIKE; limit++) {
    for (const one of candidates) if (!kept.has(one) && (alike.get(ending(one)) ?? 0) < limit) keep(one);
  }
  return [...kept].sort((a, b) => forms.indexOf(a.form) - forms.indexOf(b.form));
}

/** Makes cases of all forms of some groups, runs them and keeps the most telling of each group. */
function choose(some: readonly Form[][], run: (batch: SlotBatch) => Uint8Array): Chosen[] {
  const c = new Case();
  const made = some.flatMap((forms) =>
    Array.from({ length: TRIED }, (_, i) => ({
      form: forms[i % forms.length],
      row: Math.floor(i / forms.length),
    })),
  );
  const cases = made.map(({ form, row }, slot) => makeCase(form, c, slot, row));
  const candidates: Candidate[] = [];
  runCases(cases, run, (i, result) => candidates.push({ ...cases[i], ...made[i], result }));
  return some.flatMap((forms, g) => select(candidates.slice(g * TRIED, (g + 1) * TRIED), forms));
}

/** Up to SLOTS chosen cases, each in a slot of its own, and what the CPU does with them. */
function place(chosen: readonly Chosen[], run: (batch: SlotBatch) => Uint8Array): Candidate[] {
  const c = new Case();
  const cases = chosen.map(({ form, row }, i) => makeCase(form, c, i, row));
  const placed: Candidate[] = [];
  runCases(cases, run, (i, result) => placed.push({ ...chosen[i], ...cases[i], result }));
  return placed;
}

function text(vectors: readonly (Vector & { form: Form })[]): string {
  const lines = [
    `# Recorded by test/oracle/record.ts on ${nativeCpu()}, ${new Date().toISOString().slice(0, 10)}, seed ${oracleSeed()}, format ${FORMAT}.`,
  ];
  let name = "";
  for (const v of vectors) {
    if (v.form.name !== name) lines.push(`= ${(name = v.form.name)}`);
    lines.push(formatVector(v));
  }
  return lines.join("\n") + "\n";
}

function main(): void {
  const missing = nativeMissing();
  if (missing !== undefined) throw new Error(`vectors cannot be recorded: ${missing}`);
  const native = new NativeRunner();
  const run = (batch: SlotBatch): Uint8Array => {
    const results = native.run(batch).slice();
    for (let i = 0; i < batch.cases; i++)
      normalise(new DataView(results.buffer, results.byteOffset + i * RECORD_BYTES, RECORD_BYTES));
    return results;
  };
  try {
    const all = groups();
    const chosen: Chosen[] = [];
    for (let i = 0; i < all.length; i += AT_ONCE) chosen.push(...choose(all.slice(i, i + AT_ONCE), run));
    console.log(`${chosen.length} cases chosen`);
    const small: (Vector & { form: Form })[] = [];
    for (let i = 0; i < chosen.length; i += SLOTS) {
      const placed = place(chosen.slice(i, i + SLOTS), run);
      small.push(...minimise(placed, run).map((v, k) => ({ ...v, form: placed[k].form })));
      console.log(`${small.length} shrunk`);
    }
    for (const file of filesOf(hostVendor()!)) {
      mkdirSync(new URL(".", file.url), { recursive: true });
      writeFileSync(file.url, text(small.filter((v) => fileOf(v.form) === file.name)));
    }
    console.log(`${small.length} vectors`);
  } finally {
    native.remove();
  }
}

main();
