/**
 * PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM: strings of up to 16 bytes or 8 words compared in one of four ways.
 * Knows no registers: lengths come in the immediate argument, index and flags go out in the result.
 *
 * Specification: Intel SDM vol. 2 §4.1 (imm8 control byte).
 */
import { XMM_BYTES } from "../../../spec/x86-encoding.js";
import { FLAG_CF, FLAG_OF, FLAG_SF, FLAG_ZF } from "../../../spec/x86-privileged.js";
import type { VectorOperation } from "./operation.js";

/** Control byte. */
const WORDS = 1 << 0;
const SIGNED = 1 << 1;
const AGGREGATION_SHIFT = 2;
const NEGATE = 1 << 4;
const ONLY_VALID = 1 << 5;
/** Index of the last instead of the first; a mask of elements instead of bits. */
const LAST = 1 << 6;
const ELEMENT_MASK = 1 << 6;

const [EQUAL_ANY, RANGES, EQUAL_EACH] = [0, 1, 2];

/** Where the immediate argument holds the explicit lengths: those of the first and the second string. */
export const FIRST_LENGTH_SHIFT = 8;
export const SECOND_LENGTH_SHIFT = 16;
const LENGTH_MASK = 0xff;
/** Where the result holds the index; the flags lie below, as in RFLAGS. */
export const INDEX_SHIFT = 16;

/** A string and how many of its elements count. */
interface Text {
  at: (index: number) => number;
  length: number;
}

function elements(bytes: DataView, control: number): (index: number) => number {
  if (control & WORDS)
    return control & SIGNED ? (i) => bytes.getInt16(2 * i, true) : (i) => bytes.getUint16(2 * i, true);
  return control & SIGNED ? (i) => bytes.getInt8(i) : (i) => bytes.getUint8(i);
}

/** Elements before the first zero. */
function implicitLength(at: (index: number) => number, count: number): number {
  let length = 0;
  while (length < count && at(length) !== 0) length++;
  return length;
}

function isInSet(first: Text, value: number): boolean {
  for (let i = 0; i < first.length; i++) if (first.at(i) === value) return true;
  return false;
}

function isInRange(first: Text, value: number): boolean {
  for (let i = 0; i + 1 < first.length; i += 2) {
    if (first.at(i) <= value && value <= first.at(i + 1)) return true;
  }
  return false;
}

/** Whether the first string stands at `start` of the second; what lies behind the register's end is taken as equal. */
function standsAt(first: Text, second: Text, start: number, count: number): boolean {
  for (let i = 0; i < first.length && start + i < count; i++) {
    if (start + i >= second.length || first.at(i) !== second.at(start + i)) return false;
  }
  return true;
}

/** IntRes1 bit of element `j` of the second string. */
function matches(kind: number, first: Text, second: Text, j: number, count: number): boolean {
  const valid = j < second.length;
  if (kind === EQUAL_ANY) return valid && isInSet(first, second.at(j));
  if (kind === RANGES) return valid && isInRange(first, second.at(j));
  if (kind !== EQUAL_EACH) return standsAt(first, second, j, count);
  const bothEnded = !valid && j >= first.length;
  return bothEnded || (valid && j < first.length && first.at(j) === second.at(j));
}

/** IntRes2: one bit for each element of the second string. */
function compareStrings(control: number, first: Text, second: Text, count: number): number {
  let bits = 0;
  for (let j = 0; j < count; j++) {
    const found = matches((control >> AGGREGATION_SHIFT) & 3, first, second, j, count);
    const negated = control & NEGATE && !(control & ONLY_VALID && j >= second.length);
    if (found !== Boolean(negated)) bits |= 1 << j;
  }
  return bits;
}

function indexOf(bits: number, control: number, count: number): number {
  if (bits === 0) return count;
  return 31 - Math.clz32(control & LAST ? bits : bits & -bits);
}

function writeMask(destination: DataView, bits: number, control: number, count: number): void {
  if (!(control & ELEMENT_MASK)) {
    for (let at = 0; at < XMM_BYTES; at += 4) destination.setUint32(at, at === 0 ? bits : 0, true);
    return;
  }
  for (let j = 0; j < count; j++) {
    const element = (bits >> j) & 1 ? -1 : 0;
    if (control & WORDS) destination.setInt16(2 * j, element, true);
    else destination.setInt8(j, element);
  }
}

/**
 * The comparison of all four. The destination is the first string and receives the mask; the result holds CF, ZF, SF
 * and OF, and the index from `INDEX_SHIFT` on. `explicit`: lengths lie in the immediate argument, cut to the count.
 */
export function stringComparison(explicit: boolean): VectorOperation {
  return (destination, source, control) => {
    const count = control & WORDS ? XMM_BYTES / 2 : XMM_BYTES;
    const text = (bytes: DataView, shift: number): Text => {
      const at = elements(bytes, control);
      const given = (control >> shift) & LENGTH_MASK;
      return { at, length: explicit ? Math.min(given, count) : implicitLength(at, count) };
    };
    const first = text(destination, FIRST_LENGTH_SHIFT);
    const second = text(source, SECOND_LENGTH_SHIFT);
    const bits = compareStrings(control, first, second, count);
    writeMask(destination, bits, control, count);
    let flags = bits === 0 ? 0 : FLAG_CF;
    if (second.length < count) flags |= FLAG_ZF;
    if (first.length < count) flags |= FLAG_SF;
    if (bits & 1) flags |= FLAG_OF;
    return flags | (indexOf(bits, control, count) << INDEX_SHIFT);
  };
}
