/**
 * Floating-point states as FXSAVE images: x87 with every TOP, tags, rounding and precision control, masked and
 * unmasked exceptions, flags that are set already; XMM registers whose lanes meet each other; MXCSR in every mode.
 * Operands in memory to go with them. Knows no instruction.
 *
 * Specification: Intel SDM vol. 1 §10.5.1 (image), §8.1.3–8.1.7 (x87 words), §10.2.3 (MXCSR).
 */
import * as operands from "./float-operands.js";
import type { Random } from "./random.js";

type Words = Uint32Array;

/** Words of the image. */
const FX_CONTROL_STATUS = 0;
const FX_TAGS_OPCODE = 1;
const FX_POINTERS = 2;
const FX_MXCSR = 6;
const FX_REGISTERS = 8;
const FX_XMM = 40;
const REGISTER_WORDS = 4;

const MASKS = 0x3f;
const RESERVED_ONE = 0x40;
const PRECISION_SHIFT = 8;
const ROUNDING_SHIFT = 10;
/** Mostly full precision; 1 is reserved. */
const PRECISIONS = [0, 0, 2, 2, 3, 3, 3, 3, 1];

const TOP_SHIFT = 11;
const CONDITIONS = 0x4700;
const STACK_FAULT = 0x40;
const ALL_IN_USE = 0xff;

/** FCW: all exceptions masked, or any of them. */
function controlWord(random: Random): number {
  const masks = random.once(2) ? MASKS : random.u32() & MASKS;
  const precision = random.pick(PRECISIONS) << PRECISION_SHIFT;
  return masks | RESERVED_ONE | precision | (random.below(4) << ROUNDING_SHIFT);
}

/** FSW: flags that are set already are mostly masked, so that waiting instructions get to run. */
function statusWord(control: number, random: Random): number {
  let flags = random.once(3) ? random.u32() & MASKS : 0;
  if (!random.once(10)) flags &= control;
  const fault = random.once(8) ? STACK_FAULT : 0;
  return (random.below(8) << TOP_SHIFT) | (random.u32() & CONDITIONS) | flags | fault;
}

/** Which registers are in use: mostly those that instructions read, while the one that a push takes is not. */
function tagByte(top: number, random: Random): number {
  const choice = random.below(6);
  if (choice === 0) return ALL_IN_USE;
  if (choice === 1) return random.u32() & ALL_IN_USE;
  const emptied = random.once(4) ? 1 << random.below(8) : 0;
  return ALL_IN_USE & ~(1 << ((top + 7) & 7)) & ~emptied;
}

/** The x87 part of the image at `fx`: ST(0) of any class, the others related to it or small numbers. */
export function fillX87(words: Words, fx: number, random: Random): void {
  const control = controlWord(random);
  const status = statusWord(control, random);
  words[fx + FX_CONTROL_STATUS] = control | (status << 16);
  words[fx + FX_TAGS_OPCODE] = tagByte((status >> TOP_SHIFT) & 7, random);
  const first = fx + FX_REGISTERS;
  if (random.once(8)) operands.smallExtended(words, first, random);
  else operands.extended(words, first, random);
  for (let i = 1; i < 8; i++) {
    const at = first + i * REGISTER_WORDS;
    if (random.once(5)) operands.smallExtended(words, at, random);
    else operands.relatedExtended(words, at, first, random);
  }
}

const OPCODE_MASK = 0x7ff;

/**
 * The last instruction's opcode and pointers in the image at `fx`, if it has an exception pending: without one, AMD's
 * XSAVE does not keep them, and a process loses them whenever Linux runs another in between.
 */
export function fillX87Pointers(words: Words, fx: number, random: Random): void {
  const control = words[fx + FX_CONTROL_STATUS];
  if (((control >>> 16) & ~control & MASKS) === 0) return;
  words[fx + FX_TAGS_OPCODE] |= (random.u32() & OPCODE_MASK) << 16;
  for (let i = 0; i < 2; i++) {
    const at = fx + FX_POINTERS + 2 * i;
    words[at] = random.u32();
    words[at + 1] = random.u32() & 0x7fff;
  }
}

/** What the lanes of a vector register or of memory are. */
export type Lanes = "single" | "double" | "integer";

/** 16 bytes of lanes at `at`, related to those at `other` or, when that is `at`, to none. */
export function fillLanes(words: Words, at: number, other: number, lanes: Lanes, random: Random): void {
  for (let i = 0; i < 4; i += lanes === "single" ? 1 : 2) {
    if (lanes === "single") {
      const alone = at === other;
      words[at + i] = alone ? operands.single(random) : operands.relatedSingle(words[other + i], random);
    } else if (lanes === "integer") operands.integer(words, at + i, random);
    else if (at === other) operands.double(words, at + i, random);
    else operands.relatedDouble(words, at + i, other + i, random);
  }
}

const MXCSR_FLAGS = 0x3f;
const MXCSR_DAZ = 0x40;
const MXCSR_MASKS = 0x1f80;
const MXCSR_ROUNDING_SHIFT = 13;
const MXCSR_FTZ = 0x8000;

function mxcsr(random: Random): number {
  const masks = random.once(2) ? MXCSR_MASKS : random.u32() & MXCSR_MASKS;
  const flags = random.once(2) ? 0 : random.u32() & MXCSR_FLAGS;
  const modes = (random.once(3) ? MXCSR_FTZ : 0) | (random.once(3) ? MXCSR_DAZ : 0);
  return masks | flags | modes | (random.below(4) << MXCSR_ROUNDING_SHIFT);
}

/** The SSE part of the image at `fx`: MXCSR, and `count` registers whose lanes are related to the first's. */
export function fillSse(words: Words, fx: number, lanes: Lanes, random: Random): void {
  words[fx + FX_MXCSR] = mxcsr(random);
  const first = fx + FX_XMM;
  for (let i = 0; i < 16; i++) fillLanes(words, first + i * REGISTER_WORDS, first, lanes, random);
}

/** What an x87 instruction finds in memory; "environment" serves FLDENV, FRSTOR and FLDCW. */
export type X87Memory = "f32" | "f64" | "f80" | "integer" | "decimal" | "environment";

/** An operand at `at`; what is behind it is left alone but for an environment, which takes seven words. */
export function fillX87Memory(
  words: Words,
  at: number,
  kind: X87Memory,
  wide: boolean,
  random: Random,
): void {
  switch (kind) {
    case "f32":
      words[at] = operands.single(random);
      break;
    case "f64":
      operands.double(words, at, random);
      break;
    case "f80":
      operands.extended(words, at, random);
      break;
    case "integer":
      operands.integer(words, at, random);
      break;
    case "decimal":
      operands.packedDecimal(words, at, random);
      break;
    case "environment": {
      const control = random.once(8) ? random.u32() & 0xffff : controlWord(random);
      const status = statusWord(control, random) | (random.once(8) ? 0x8080 : 0);
      if (wide) words.set([control, status, random.u32() & 0xffff], at);
      else words.set([control | (status << 16), random.u32() & 0xffff], at);
    }
  }
}

const ARITHMETIC = "add|sub|mul|div|min|max|sqrt|cmp|hadd|hsub|addsub|round|dp|comi|ucomi|rcp|rsqrt";
const SINGLE = new RegExp(`^(${ARITHMETIC})(ps|ss)$|^cvtt?(ps|ss)2`);
const DOUBLE = new RegExp(`^(${ARITHMETIC})(pd|sd)$|^cvtt?(pd|sd)2`);
const FROM_INTEGER = /^cvt(dq|pi|si)2/;

/** What the lanes of an instruction's operands are, by its mnemonic in the table; undefined when not floating point. */
export function lanesOf(mnemonic: string): Lanes | undefined {
  if (SINGLE.test(mnemonic)) return "single";
  if (DOUBLE.test(mnemonic)) return "double";
  return FROM_INTEGER.test(mnemonic) ? "integer" : undefined;
}

/** Memory at `at`, `bytes` of it, whose lanes are related to those of XMM0 in the image at `fx`. */
export function fillFloatMemory(
  words: Words,
  at: number,
  bytes: number,
  fx: number,
  lanes: Lanes,
  random: Random,
): void {
  for (let i = 0; i < bytes / 4; i += REGISTER_WORDS) fillLanes(words, at + i, fx + FX_XMM, lanes, random);
}
