/**
 * Shrinks cases before they are recorded: parts of the initial state that do not matter to what the host's CPU does
 * are set to those of the quiet machine. Which do is found by trying: a set of parts that changes nothing is dropped,
 * another is halved.
 */
import { MEMORY_AT, MEMORY_BYTES } from "./layout.js";
import { runCases } from "./slots.js";
import type { SlotBatch } from "./slots.js";
import { FIELDS, quietRecord } from "./vector-text.js";
import type { PlacedCase, Vector } from "./vector-text.js";

/** A part of the initial state: where it lies in the case record. */
interface Part {
  at: number;
  bytes: number;
}

const MEMORY_PART = 8;
/** Fields of which single bits change: an untouched bit beside a changed one does not count. */
const BITS = new Set(["f", "sw", "mx"]);

const PARTS: readonly Part[] = [
  ...FIELDS.filter((f) => f.before >= 0).map((f) => ({ at: f.before, bytes: f.bytes })),
  ...Array.from({ length: MEMORY_BYTES / MEMORY_PART }, (_, i) => ({
    at: MEMORY_AT + MEMORY_PART * i,
    bytes: MEMORY_PART,
  })),
];

function withReset(c: PlacedCase, parts: readonly Part[]): Uint8Array {
  const record = c.record.slice();
  const quiet = quietRecord(c.slot, c.mode);
  for (const { at, bytes } of parts) record.set(quiet.subarray(at, at + bytes), at);
  return record;
}

/** Whether byte (or, with `bits`, bits) `after` came to be in the same way as `afterTrial`: written alike or left alone. */
function sameByte(before: number, after: number, trial: number, afterTrial: number, bits: boolean): boolean {
  if (after === afterTrial) return true;
  if (!bits) return after === before && afterTrial === trial;
  const left = ~(after ^ before) & ~(afterTrial ^ trial);
  return ((after ^ afterTrial) & ~left & 0xff) === 0;
}

/** Whether a trial did to its state what the original did. Fields count as a whole, memory by bytes. */
function sameOutcome(original: Vector, trial: PlacedCase, result: Uint8Array): boolean {
  for (const { name, before, after, bytes } of FIELDS) {
    let written = true;
    let leftAlone = before >= 0;
    for (let i = 0; i < bytes; i++) {
      const [was, is] = before < 0 ? [0, 0] : [original.record[before + i], trial.record[before + i]];
      const [h, t] = [original.result[after + i], result[after + i]];
      if (BITS.has(name)) {
        if (!sameByte(was, h, is, t, true)) return false;
        continue;
      }
      written &&= h === t;
      leftAlone &&= h === was && t === is;
    }
    if (!written && !leftAlone) return false;
  }
  return sameMemory(original, trial, result);
}

/** As `sameOutcome`, of memory; most instructions leave it alone, which is found out by words. */
function sameMemory(original: Vector, trial: PlacedCase, result: Uint8Array): boolean {
  const words = (of: Uint8Array): Uint32Array =>
    new Uint32Array(of.buffer, of.byteOffset + MEMORY_AT, MEMORY_BYTES / 4);
  const [was, is] = [words(original.record), words(trial.record)];
  const [h, t] = [words(original.result), words(result)];
  for (let w = 0; w < h.length; w++) {
    if (h[w] === t[w] || (h[w] === was[w] && t[w] === is[w])) continue;
    for (let i = 0, at = MEMORY_AT + 4 * w; i < 4; i++, at++) {
      if (!sameByte(original.record[at], original.result[at], trial.record[at], result[at], false))
        return false;
    }
  }
  return true;
}

interface Trial {
  /** Index of the vector. */
  of: number;
  parts: readonly Part[];
}

/** The trial's set split, or nothing when it is known to matter. */
function halves(trial: Trial): Trial[] {
  const { of, parts } = trial;
  if (parts.length === 1) return [];
  const middle = parts.length >> 1;
  return [
    { of, parts: parts.slice(0, middle) },
    { of, parts: parts.slice(middle) },
  ];
}

const differsFromQuiet = (c: PlacedCase): Part[] => {
  const quiet = quietRecord(c.slot, c.mode);
  return PARTS.filter(({ at, bytes }) => {
    for (let i = at; i < at + bytes; i++) if (c.record[i] !== quiet[i]) return true;
    return false;
  });
};

/** The same vectors with as quiet a state as leaves their outcome alone, and what the CPU does with that. */
export function minimise(vectors: readonly Vector[], run: (batch: SlotBatch) => Uint8Array): Vector[] {
  const droppable: Part[][] = vectors.map(() => []);
  let trials: Trial[] = vectors.map((v, of) => ({ of, parts: differsFromQuiet(v) }));
  while ((trials = trials.filter((t) => t.parts.length > 0)).length > 0) {
    const cases = trials.map((t) => ({ ...vectors[t.of], record: withReset(vectors[t.of], t.parts) }));
    const next: Trial[] = [];
    runCases(cases, run, (i, result) => {
      const { of, parts } = trials[i];
      if (sameOutcome(vectors[of], cases[i], result)) droppable[of].push(...parts);
      else next.push(...halves(trials[i]));
    });
    trials = next;
  }
  const small = vectors.map((v, i) => ({ ...v, record: withReset(v, droppable[i]) }));
  const minimal: Vector[] = [];
  runCases(small, run, (i, result) => minimal.push({ ...small[i], result }));
  return minimal;
}
