/**
 * Recorded vectors as text: one line a case, holding what differs from a quiet machine before it and what it
 * changed. Knows the records' layout, no instruction and no engine.
 *
 * ```
 * SLOT BYTES INPUT… > OUTPUT…
 * 1f 660f58c1 x0=3ff8… x1=7ff0… mx=1fa0 > x0=7ff0… mx=1fa1
 * ```
 * SLOT says at which address the instruction lies. BYTES are the instruction's, with a prefix `32:` in 32-bit code.
 * Fields are hexadecimal numbers: `r0`–`rf` general registers, `f` RFLAGS, `cw` `sw` `tw` `fo` `fi` `fd` x87 control,
 * status, abridged tags, opcode and pointers, `s0`–`s7` ST(0)–ST(7) and MMX, `x0`–`xf` XMM, `mx` MXCSR, `fs` `gs`
 * bases, `m…` memory from that offset of the window, in bytes. Only behind `>`: `ip` RIP, `v` vector, `e` error code,
 * `c2` CR2, `cs`. What is not there is as on the quiet machine or, behind `>`, as it was before; an instruction that
 * falls through ends in #BP right behind its bytes.
 */
import { FX, RFLAGS } from "./case.js";
import {
  CASE,
  CODE,
  CODE_PAGES,
  CODE_STRIDE,
  FS_BASE,
  FS_BASE_AT,
  FX_AT,
  GPR_AT,
  GS_BASE,
  GS_BASE_AT,
  MEMORY_AT,
  MEMORY_BYTES,
  PAGE,
  RECORD_BYTES,
  RESULT,
  SEGMENTS_AT,
  SELECTOR,
  WINDOW_START,
} from "./layout.js";

/** A case without its form: everything that decides what happens. */
export interface PlacedCase {
  slot: number;
  mode: 64 | 32;
  code: Uint8Array;
  /** RECORD_BYTES, as the harness reads it. */
  record: Uint8Array;
}

export interface Vector extends PlacedCase {
  /** RECORD_BYTES, as the harness leaves it. */
  result: Uint8Array;
}

/** Bytes of code that a case has for itself; short branches reach into INT3s only. */
export const SLOT_BYTES = 512;
const SLOT_MARGIN = 192;
const SLOTS_PER_PAGE = PAGE / SLOT_BYTES;
export const SLOTS = CODE_PAGES * SLOTS_PER_PAGE;

/** Offset in the pages of code that are present. */
export const slotPlace = (slot: number): number => slot * SLOT_BYTES + SLOT_MARGIN;
/** Linear address of a slot's instruction. */
export const slotAddress = (slot: number): number =>
  CODE + Math.floor(slot / SLOTS_PER_PAGE) * CODE_STRIDE + (slotPlace(slot) % PAGE);

const BP_VECTOR = 3;
const RSP = 4;

/** A part of the state with a name: where it lies before (in the case) and after (in the result), -1: not there. */
export interface Field {
  name: string;
  before: number;
  after: number;
  bytes: number;
}

function fieldList(): Field[] {
  const fields: Field[] = [];
  const add = (name: string, before: number, after: number, bytes: number): void => {
    fields.push({ name, before, after, bytes });
  };
  const fx = (name: string, at: number, bytes: number): void => add(name, FX_AT + at, FX_AT + at, bytes);
  for (let i = 0; i < 16; i++) {
    const after = GPR_AT + 8 * i;
    add(`r${i.toString(16)}`, i === RSP ? CASE.RSP : after, after, 8);
  }
  add("f", CASE.RFLAGS, RESULT.RFLAGS, 8);
  fx("cw", FX.FCW, 2);
  fx("sw", FX.FSW, 2);
  fx("tw", FX.FTW, 1);
  fx("fo", FX.FOP, 2);
  fx("fi", FX.FIP, 8);
  fx("fd", FX.FDP, 8);
  fx("mx", FX.MXCSR, 4);
  for (let i = 0; i < 8; i++) fx(`s${i}`, FX.ST0 + 16 * i, 10);
  for (let i = 0; i < 16; i++) fx(`x${i.toString(16)}`, FX.XMM0 + 16 * i, 16);
  add("fs", FS_BASE_AT, FS_BASE_AT, 8);
  add("gs", GS_BASE_AT, GS_BASE_AT, 8);
  add("ip", -1, RESULT.RIP, 8);
  add("v", -1, RESULT.VECTOR, 8);
  add("e", -1, RESULT.ERROR, 8);
  add("c2", -1, RESULT.CR2, 8);
  add("cs", -1, RESULT.CS, 8);
  return fields;
}

/** Every field but memory. */
export const FIELDS: readonly Field[] = fieldList();
const BY_NAME = new Map(FIELDS.map((field) => [field.name, field]));

/** ES, DS, FS, GS. */
const DATA_SEGMENTS = 4;
const FCW_USUAL = 0x37f;
const MXCSR_USUAL = 0x1f80;
/** Bits that exist without extensions of a vendor; not recorded. */
const MXCSR_MASK = 0xffff;

/** The case record of the quiet machine: zeros, usual control words, a stack in the window. */
export function quietRecord(slot: number, mode: 64 | 32): Uint8Array {
  const record = new Uint8Array(RECORD_BYTES);
  const view = new DataView(record.buffer);
  view.setUint32(CASE.RIP, slotAddress(slot), true);
  view.setUint32(CASE.CS, mode === 64 ? SELECTOR.CODE64 : SELECTOR.CODE32, true);
  view.setUint32(CASE.SS, SELECTOR.DATA, true);
  for (let i = 0; i < DATA_SEGMENTS; i++) view.setUint16(SEGMENTS_AT + 2 * i, SELECTOR.DATA, true);
  view.setUint32(CASE.RSP, WINDOW_START + MEMORY_BYTES / 2, true);
  view.setUint32(CASE.RFLAGS, RFLAGS.FIXED | RFLAGS.IF, true);
  view.setBigUint64(FS_BASE_AT, FS_BASE, true);
  view.setBigUint64(GS_BASE_AT, GS_BASE, true);
  view.setUint16(FX_AT + FX.FCW, FCW_USUAL, true);
  view.setUint32(FX_AT + FX.MXCSR, MXCSR_USUAL, true);
  return record;
}

/** The result of an instruction that changes nothing and falls through. */
export function quietResult(c: PlacedCase): Uint8Array {
  const result = new Uint8Array(RECORD_BYTES);
  const view = new DataView(result.buffer);
  for (const { before, after, bytes } of FIELDS) {
    if (before >= 0) result.set(c.record.subarray(before, before + bytes), after);
  }
  result.set(c.record.subarray(MEMORY_AT, MEMORY_AT + MEMORY_BYTES), MEMORY_AT);
  view.setBigUint64(RESULT.RIP, BigInt(slotAddress(c.slot) + c.code.length + 1), true);
  view.setBigUint64(RESULT.VECTOR, BigInt(BP_VECTOR), true);
  view.setUint32(FX_AT + FX.MXCSR + 4, MXCSR_MASK, true);
  view.setBigUint64(RESULT.CS, BigInt(c.mode === 64 ? SELECTOR.CODE64 : SELECTOR.CODE32), true);
  return result;
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, "0");
const hexBytes = (bytes: Uint8Array): string => Array.from(bytes, hexByte).join("");

function parseBytes(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** Little-endian bytes as a number. */
function readNumber(bytes: Uint8Array): string {
  const digits = Array.from(bytes, hexByte).reverse().join("").replace(/^0+/, "");
  return digits === "" ? "0" : digits;
}

function writeNumber(text: string, into: Uint8Array): void {
  const digits = text.padStart(2 * into.length, "0");
  for (let i = 0; i < into.length; i++) {
    const at = digits.length - 2 * (i + 1);
    into[i] = parseInt(digits.slice(at, at + 2), 16);
  }
}

/** Equal bytes that a run of different ones may contain: fewer cost less than starting anew. */
const GAP = 4;

/** Runs of memory that differ, as `m` fields. */
function memoryFields(from: Uint8Array, to: Uint8Array): string[] {
  const texts: string[] = [];
  for (let at = MEMORY_AT; at < MEMORY_AT + MEMORY_BYTES; at++) {
    if (from[at] === to[at]) continue;
    let end = at + 1;
    for (let i = end; i < MEMORY_AT + MEMORY_BYTES && i - end < GAP; i++) if (from[i] !== to[i]) end = i + 1;
    texts.push(`m${(at - MEMORY_AT).toString(16)}=${hexBytes(to.subarray(at, end))}`);
    at = end;
  }
  return texts;
}

/** What of `to` differs from `from`, which is laid out alike. */
function differences(from: Uint8Array, to: Uint8Array, side: "before" | "after"): string[] {
  const texts: string[] = [];
  for (const field of FIELDS) {
    const at = field[side];
    if (at < 0) continue;
    const value = to.subarray(at, at + field.bytes);
    if (value.some((byte, i) => byte !== from[at + i])) texts.push(`${field.name}=${readNumber(value)}`);
  }
  return [...texts, ...memoryFields(from, to)];
}

/** Applies fields to a record. Throws on a field that does not exist there. */
function apply(record: Uint8Array, texts: readonly string[], side: "before" | "after"): void {
  for (const text of texts) {
    const [name, value] = text.split("=");
    const field = BY_NAME.get(name);
    if (field && field[side] >= 0) {
      writeNumber(value, record.subarray(field[side], field[side] + field.bytes));
    } else if (/^m[0-9a-f]+$/.test(name) && value !== undefined) {
      record.set(parseBytes(value), MEMORY_AT + parseInt(name.slice(1), 16));
    } else throw new Error(`recorded vector: there is no field "${text}"`);
  }
}

/** The line of a vector. */
export function formatVector(v: Vector): string {
  const input = differences(quietRecord(v.slot, v.mode), v.record, "before");
  const output = differences(quietResult(v), v.result, "after");
  const code = (v.mode === 32 ? "32:" : "") + hexBytes(v.code);
  return [v.slot.toString(16), code, ...input, ">", ...output].join(" ");
}

/** Reads a line back. Throws an Error that quotes what it cannot read. */
export function parseVector(line: string): Vector {
  const [slotText, codeText, ...rest] = line.split(" ");
  const arrow = rest.indexOf(">");
  const match = /^(32:)?((?:[0-9a-f]{2})+)$/.exec(codeText ?? "");
  const slot = parseInt(slotText, 16);
  if (!match || arrow < 0 || !(slot < SLOTS)) throw new Error(`recorded vector: cannot read "${line}"`);
  const mode = match[1] === undefined ? 64 : 32;
  const record = quietRecord(slot, mode);
  apply(record, rest.slice(0, arrow), "before");
  const placed = { slot, mode, code: parseBytes(match[2]), record } as const;
  const result = quietResult(placed);
  apply(result, rest.slice(arrow + 1), "after");
  return { ...placed, result };
}
