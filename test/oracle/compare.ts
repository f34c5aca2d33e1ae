/** What differs between two result records, by field, and what an exemption takes away from that. */
import { FX } from "./case.js";
import {
  FS_BASE_AT,
  FX_AT,
  GPR_AT,
  GS_BASE_AT,
  MEMORY_AT,
  MEMORY_BYTES,
  RECORD_BYTES,
  RESULT,
} from "./layout.js";
import { GPR_NAMES } from "../../src/x86/cpu-state.js";

/** A field of a result: name, offset, bytes. */
interface Field {
  name: string;
  at: number;
  bytes: 1 | 2 | 4 | 8;
}

function fields(): Field[] {
  const list: Field[] = GPR_NAMES.map((name, i) => ({ name, at: GPR_AT + 8 * i, bytes: 8 as const }));
  const add = (name: string, at: number, bytes: Field["bytes"]): number => list.push({ name, at, bytes });
  add("rip", RESULT.RIP, 8);
  add("rflags", RESULT.RFLAGS, 8);
  add("vector", RESULT.VECTOR, 8);
  add("error", RESULT.ERROR, 8);
  add("cr2", RESULT.CR2, 8);
  add("fsbase", FS_BASE_AT, 8);
  add("gsbase", GS_BASE_AT, 8);
  add("cs", RESULT.CS, 8);
  add("fcw", FX_AT + FX.FCW, 2);
  add("fsw", FX_AT + FX.FSW, 2);
  add("ftw", FX_AT + FX.FTW, 2);
  add("fop", FX_AT + FX.FOP, 2);
  add("fip", FX_AT + FX.FIP, 8);
  add("fdp", FX_AT + FX.FDP, 8);
  add("mxcsr", FX_AT + FX.MXCSR, 4);
  add("mxcsr_mask", FX_AT + FX.MXCSR + 4, 4);
  for (let i = 0; i < 8; i++) {
    add(`st${i}`, FX_AT + FX.ST0 + 16 * i, 8);
    add(`st${i}e`, FX_AT + FX.ST0 + 16 * i + 8, 2);
  }
  for (let i = 0; i < 32; i++) add(`xmm${i >> 1}${i & 1 ? "h" : "l"}`, FX_AT + FX.XMM0 + 8 * i, 8);
  for (let at = 0; at < MEMORY_BYTES; at += 8) add(`mem+${at}`, MEMORY_AT + at, 8);
  return list;
}

export const FIELDS: readonly Field[] = fields();
const FIELD_BY_NAME = new Map(FIELDS.map((f) => [f.name, f]));

export function readField(record: Uint8Array, field: Field): bigint {
  const view = new DataView(record.buffer, record.byteOffset, RECORD_BYTES);
  if (field.bytes === 8) return view.getBigUint64(field.at, true);
  if (field.bytes === 4) return BigInt(view.getUint32(field.at, true));
  return BigInt(view.getUint16(field.at, true));
}

export const fieldNamed = (record: Uint8Array, name: string): bigint =>
  readField(record, FIELD_BY_NAME.get(name)!);

/** Differences by field: host XOR ours, never 0. */
export type Differences = Map<string, bigint>;

/** Whether the first `words` 32-bit words of two records are equal, quickly. */
export function sameWords(a: Uint32Array, b: Uint32Array, at: number, words: number): boolean {
  for (let i = at; i < at + words; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function differences(host: Uint8Array, ours: Uint8Array): Differences {
  const found: Differences = new Map();
  for (const field of FIELDS) {
    const h = readField(host, field);
    const o = readField(ours, field);
    if (h !== o) found.set(field.name, h ^ o);
  }
  return found;
}

const PAGE_FAULT = 14;
const FETCH = 0x10;

/** Whether a result is a page fault of a fetch: of the instruction itself, or of what follows it. */
export const isFetchFault = (record: DataView): boolean =>
  record.getUint32(RESULT.VECTOR, true) === PAGE_FAULT &&
  (record.getUint32(RESULT.ERROR, true) & FETCH) !== 0;
