/** Runs forms on the host's CPU and on an engine, batch by batch, and collects what differs. */
import type { JitMode } from "../../src/engine/contract.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { Batch } from "./batch.js";
import { Case, FX } from "./case.js";
import { differences, sameWords } from "./compare.js";
import type { Differences } from "./compare.js";
import { EngineRunner } from "./engine.js";
import { EXEMPTIONS } from "./exemptions.js";
import type { Exemption, Finished } from "./exemptions.js";
import type { Form } from "./form.js";
import { FX_AT, MEMORY_AT, RECORD_BYTES } from "./layout.js";
import { normalise } from "./linux.js";
import { everyForm } from "../../src/engine/x86/table/forms.js";
import { NativeRunner, hostHas } from "./native.js";
import { hostVendor } from "./vendor.js";

const FORMS = everyForm();

export interface Options {
  /** Cases a form. */
  rows: number;
  seed: number;
  /** How the engine executes; interpreted by default. */
  jit?: JitMode;
  /** Called with every finished batch, exact results of both worlds included. */
  onBatch?: (batch: Batch, host: Uint8Array, ours: Uint8Array) => void;
}

export interface Mismatch {
  form: Form;
  row: number;
  fields: Differences;
  finished: Finished;
}

export interface Summary {
  forms: number;
  cases: number;
  mismatches: Mismatch[];
  /** Cases that differed once and not again: see `repeated`. */
  unsteady: number;
  /** Exemptions that took a difference away, and in how many cases. */
  used: Used;
}

/** Cases by the exemption that took a difference away. */
export type Used = Map<Exemption, number>;

const KEPT = 100_000;
const WORDS = RECORD_BYTES / 4;
const FX_WORD = FX_AT / 4;

/** FSW.ES in the image's first word. */
const PENDING = 0x80_0000;
const POINTER_WORDS = 5;

/**
 * Equal in everything but MXCSR_MASK, the part of the FXSAVE image that is the kernel's and, unless an exception is
 * pending, FOP, FIP and FDP.
 */
function same(a: Uint32Array, b: Uint32Array, at: number): boolean {
  const tail = MEMORY_AT / 4;
  return (
    sameWords(a, b, at, FX_WORD + 1) &&
    a[at + FX_WORD + 6] === b[at + FX_WORD + 6] &&
    sameWords(a, b, at + FX_WORD + 8, (FX.END - FX.ST0) / 4) &&
    ((a[at + FX_WORD + 1] ^ b[at + FX_WORD + 1]) & 0xffff) === 0 &&
    ((a[at + FX_WORD] & PENDING) === 0 || sameWords(a, b, at + FX_WORD + 1, POINTER_WORDS)) &&
    sameWords(a, b, at + tail, WORDS - tail)
  );
}

/** Takes away what exemptions allow; what is left differs. */
function remaining(found: Differences, c: Finished, used: Used): Differences {
  for (const exemption of EXEMPTIONS) {
    if (found.size === 0) break;
    if (exemption.vendor !== undefined && exemption.vendor !== c.vendor) continue;
    if (!exemption.forms?.(c.form)) continue;
    const ignored = exemption.ignored?.(c);
    if (ignored === undefined) continue;
    let hides = false;
    for (const [name, bits] of found) {
      const left = bits & ~(ignored[name] ?? ("*" in ignored ? bits : 0n));
      if (left === bits) continue;
      hides = true;
      if (left === 0n) found.delete(name);
      else found.set(name, left);
    }
    if (hides) used.set(exemption, (used.get(exemption) ?? 0) + 1);
  }
  return found;
}

/** What differs in a finished case and is not exempt, by field. */
export function unexplained(c: Finished, used: Used = new Map()): Differences {
  const bytes = (of: DataView): Uint8Array => new Uint8Array(of.buffer, of.byteOffset, of.byteLength);
  return remaining(differences(bytes(c.host), bytes(c.ours)), c, used);
}

/** What differs in a batch and is not exempt. */
function compareBatch(batch: Batch, host: Uint8Array, ours: Uint8Array, used: Used): Mismatch[] {
  const mismatches: Mismatch[] = [];
  const vendor = hostVendor()!;
  const view = (of: Uint8Array, i: number): DataView =>
    new DataView(of.buffer, of.byteOffset + i * RECORD_BYTES, RECORD_BYTES);
  const hostWords = new Uint32Array(host.buffer, host.byteOffset, host.length / 4);
  const ourWords = new Uint32Array(ours.buffer, ours.byteOffset, ours.length / 4);
  for (let i = 0; i < batch.cases; i++) {
    normalise(view(host, i));
    normalise(view(ours, i));
    if (same(hostWords, ourWords, i * WORDS)) continue;
    const finished: Finished = {
      form: batch.forms[i],
      vendor,
      code: batch.bytes(i).slice(),
      before: copy(batch.record(i)),
      host: copy(host.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES)),
      ours: copy(ours.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES)),
    };
    const left = unexplained(finished, used);
    if (left.size > 0) mismatches.push({ form: batch.forms[i], row: batch.rows[i], fields: left, finished });
  }
  return mismatches;
}

/**
 * Those mismatches that a second run of the same batch has again. Linux may run another process in the middle of a case,
 * which changes x87 pointers on AMD's CPUs; what is the CPU's own doing repeats itself.
 */
export function repeated(first: readonly Mismatch[], second: readonly Mismatch[]): Mismatch[] {
  return first.filter(({ form, row }) => second.some((m) => m.form === form && m.row === row));
}

const copy = (bytes: Uint8Array): DataView => new DataView(bytes.slice().buffer);

/** Runs `rows` cases of every form. Needs an x86-64 Linux host. */
export function runOracle(forms: readonly Form[], options: Options): Summary {
  const summary: Summary = { forms: forms.length, cases: 0, mismatches: [], unsteady: 0, used: new Map() };
  const native = new NativeRunner();
  const jit = options.jit ?? "off";
  let engine = new EngineRunner(createWasmEngine({ jit }));
  const batch = new Batch();
  const finish = (): void => {
    const host = native.run(batch);
    const ours = engine.run(batch);
    options.onBatch?.(batch, host, ours);
    const first = compareBatch(batch, host, ours, summary.used);
    const again = first.length > 0 ? compareBatch(batch, native.run(batch), ours, new Map()) : [];
    const mismatches = repeated(first, again);
    summary.unsteady += first.length - mismatches.length;
    summary.mismatches.push(...mismatches.slice(0, KEPT - summary.mismatches.length));
    summary.cases += batch.cases;
    batch.clear();
    if (jit === "off") return;
    // Thousands of modules, for code that does not come again.
    engine.dispose();
    engine = new EngineRunner(createWasmEngine({ jit }));
  };
  try {
    const c = new Case();
    const segments = native.takesLocalSegments();
    const runnable = forms.filter((form) => hostKnows(form) && (segments || !form.segmented));
    summary.forms = runnable.length;
    runnable.forEach((form) => {
      const id = nameHash(form.name);
      if (!batch.takes(form)) finish();
      for (let row = 0; row < options.rows; row++) {
        batch.add(form, row, c, options.seed, id, row);
        if (batch.full) finish();
      }
    });
    if (batch.cases > 0) finish();
  } finally {
    native.remove();
    engine.dispose();
  }
  return summary;
}

/** Whether the host's CPU has every feature that the form's lines need. */
export function hostKnows(form: Form): boolean {
  return form.covers.every((id) => {
    const { always, with64Bits, in64BitCode } = FORMS[id].features;
    return [always, with64Bits, in64BitCode].every((name) => name === undefined || hostHas(name));
  });
}

/** A case's randomness depends on its form's name, not on its place in the list. */
export function nameHash(name: string): number {
  let h = 0;
  for (const character of name) h = (Math.imul(h, 31) + character.charCodeAt(0)) | 0;
  return h;
}
