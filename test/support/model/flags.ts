/**
 * What integer instructions compute, written from the manual's "Operation" and "Flags Affected" sections with
 * big integers and no cleverness. Tests compare engines with this; it shares nothing with them.
 *
 * Specification: SDM vol. 2, the instruction named by each function; vol. 1 §3.4.3 (RFLAGS).
 */
export const CF = 1n << 0n;
export const PF = 1n << 2n;
export const AF = 1n << 4n;
export const ZF = 1n << 6n;
export const SF = 1n << 7n;
export const DF = 1n << 10n;
export const OF = 1n << 11n;
/** The six arithmetic flags. */
export const STATUS = CF | PF | AF | ZF | SF | OF;

export type Size = 8 | 16 | 32 | 64;

/** What an instruction leaves: `value` at operand size, the status flags, and which of those are defined. */
export interface Effect {
  value: bigint;
  flags: bigint;
  defined: bigint;
}

export const mask = (size: Size): bigint => (1n << BigInt(size)) - 1n;
const sign = (size: Size): bigint => 1n << BigInt(size - 1);
const when = (condition: boolean, flag: bigint): bigint => (condition ? flag : 0n);
export const signed = (size: Size, v: bigint): bigint => BigInt.asIntN(size, v);

function parity(value: bigint): boolean {
  let ones = 0;
  for (let v = value & 0xffn; v !== 0n; v >>= 1n) ones += Number(v & 1n);
  return ones % 2 === 0;
}

/** SF, ZF and PF of a result. */
export function resultFlags(size: Size, value: bigint): bigint {
  const v = value & mask(size);
  return when(v === 0n, ZF) | when((v & sign(size)) !== 0n, SF) | when(parity(v), PF);
}

function adding(size: Size, a: bigint, b: bigint, carry: bigint): Effect {
  const value = (a + b + carry) & mask(size);
  const signedSum = signed(size, a) + signed(size, b) + carry;
  const flags =
    resultFlags(size, value) |
    when(a + b + carry > mask(size), CF) |
    when((a & 15n) + (b & 15n) + carry > 15n, AF) |
    when(signedSum !== signed(size, value), OF);
  return { value, flags, defined: STATUS };
}

function subtracting(size: Size, a: bigint, b: bigint, borrow: bigint): Effect {
  const value = (a - b - borrow) & mask(size);
  const signedDifference = signed(size, a) - signed(size, b) - borrow;
  const flags =
    resultFlags(size, value) |
    when(a < b + borrow, CF) |
    when((a & 15n) < (b & 15n) + borrow, AF) |
    when(signedDifference !== signed(size, value), OF);
  return { value, flags, defined: STATUS };
}

function logical(size: Size, value: bigint): Effect {
  return { value, flags: resultFlags(size, value), defined: STATUS & ~AF };
}

export type AluOp = "add" | "or" | "adc" | "sbb" | "and" | "sub" | "xor" | "cmp" | "test";

/** ADD, ADC, SUB, SBB, CMP, AND, OR, XOR, TEST of operands at `size`. CMP and TEST leave the first operand. */
export function alu(op: AluOp, size: Size, first: bigint, second: bigint, flags: bigint): Effect {
  const a = first & mask(size);
  const b = second & mask(size);
  const carry = (flags & CF) !== 0n ? 1n : 0n;
  switch (op) {
    case "add":
      return adding(size, a, b, 0n);
    case "adc":
      return adding(size, a, b, carry);
    case "sub":
      return subtracting(size, a, b, 0n);
    case "sbb":
      return subtracting(size, a, b, carry);
    case "cmp":
      return { ...subtracting(size, a, b, 0n), value: a };
    case "and":
      return logical(size, a & b);
    case "or":
      return logical(size, a | b);
    case "xor":
      return logical(size, a ^ b);
    case "test":
      return { ...logical(size, a & b), value: a };
  }
}

export type UnaryOp = "inc" | "dec" | "neg" | "not";

/** INC, DEC (CF unchanged), NEG, NOT (no flags). */
export function unary(op: UnaryOp, size: Size, operand: bigint, flags: bigint): Effect {
  const a = operand & mask(size);
  const keep = flags & CF;
  if (op === "not") return { value: ~a & mask(size), flags: flags & STATUS, defined: STATUS };
  if (op === "neg") return subtracting(size, 0n, a, 0n);
  const effect = op === "inc" ? adding(size, a, 1n, 0n) : subtracting(size, a, 1n, 0n);
  return { ...effect, flags: (effect.flags & ~CF) | keep };
}

export type ShiftOp = "rol" | "ror" | "rcl" | "rcr" | "shl" | "shr" | "sar";

const countMask = (size: Size): bigint => (size === 64 ? 0x3fn : 0x1fn);
const bit = (value: bigint, at: number): boolean => ((value >> BigInt(at)) & 1n) === 1n;

/** SHL, SHR, SAR: SDM vol. 2B "SAL/SAR/SHL/SHR". AF is undefined, OF only for a count of 1. */
function shifting(op: "shl" | "shr" | "sar", size: Size, a: bigint, count: bigint): Effect {
  const wide = op === "sar" ? signed(size, a) : a;
  const value = (op === "shl" ? a << count : wide >> count) & mask(size);
  const out = op === "shl" ? bit(a << count, size) : ((wide >> (count - 1n)) & 1n) === 1n;
  const top = bit(value, size - 1);
  const overflow = op === "shl" ? top !== out : op === "shr" && bit(a, size - 1);
  // SDM: the CF of SHL and SHR is undefined where the count is not below the operand size.
  const carryKnown = op === "sar" || count < BigInt(size);
  const defined = (STATUS & ~AF & ~OF & ~CF) | when(count === 1n, OF) | when(carryKnown, CF);
  return { value, flags: resultFlags(size, value) | when(out, CF) | when(overflow, OF), defined };
}

/** ROL, ROR: only CF and OF change. */
function rotating(op: "rol" | "ror", size: Size, a: bigint, masked: bigint, flags: bigint): Effect {
  const by = masked % BigInt(size);
  const back = BigInt(size) - by;
  const value = (op === "rol" ? (a << by) | (a >> back) : (a >> by) | (a << back)) & mask(size);
  const top = bit(value, size - 1);
  const carry = op === "rol" ? bit(value, 0) : top;
  const overflow = op === "rol" ? top !== carry : top !== bit(value, size - 2);
  const kept = flags & STATUS & ~CF & ~OF;
  return {
    value,
    flags: kept | when(carry, CF) | when(overflow, OF),
    defined: STATUS & ~when(masked !== 1n, OF),
  };
}

/** RCL, RCR: rotation through CF, of size + 1 bits. */
function rotatingThroughCarry(
  op: "rcl" | "rcr",
  size: Size,
  a: bigint,
  masked: bigint,
  flags: bigint,
): Effect {
  const width = BigInt(size + 1);
  const by = masked % width;
  const ring = a | ((flags & CF) !== 0n ? 1n << BigInt(size) : 0n);
  const all = (1n << width) - 1n;
  const turned =
    (op === "rcl" ? (ring << by) | (ring >> (width - by)) : (ring >> by) | (ring << (width - by))) & all;
  const value = turned & mask(size);
  const carry = bit(turned, size);
  const top = bit(value, size - 1);
  const overflow = op === "rcl" ? top !== carry : top !== bit(value, size - 2);
  const kept = flags & STATUS & ~CF & ~OF;
  return {
    value,
    flags: kept | when(carry, CF) | when(overflow, OF),
    defined: STATUS & ~when(masked !== 1n, OF),
  };
}

/** A shift or rotation by `count`, which is masked as the manual says; a masked count of 0 changes nothing. */
export function shift(op: ShiftOp, size: Size, operand: bigint, count: bigint, flags: bigint): Effect {
  const a = operand & mask(size);
  const masked = count & countMask(size);
  if (masked === 0n) return { value: a, flags: flags & STATUS, defined: STATUS };
  if (op === "shl" || op === "shr" || op === "sar") return shifting(op, size, a, masked);
  if (op === "rol" || op === "ror") return rotating(op, size, a, masked, flags);
  return rotatingThroughCarry(op, size, a, masked, flags);
}

/** SHLD, SHRD. Undefined as a whole where the masked count exceeds a 16-bit operand. */
export function doubleShift(
  op: "shld" | "shrd",
  size: 16 | 32 | 64,
  destination: bigint,
  source: bigint,
  count: bigint,
  flags: bigint,
): Effect | undefined {
  const a = destination & mask(size);
  const b = source & mask(size);
  const masked = count & countMask(size);
  if (masked === 0n) return { value: a, flags: flags & STATUS, defined: STATUS };
  if (masked > BigInt(size)) return undefined;
  const width = BigInt(size);
  const left = op === "shld";
  const value =
    (left ? (a << masked) | (b >> (width - masked)) : (a >> masked) | (b << (width - masked))) & mask(size);
  const carry = left ? bit(a, size - Number(masked)) : bit(a, Number(masked) - 1);
  const overflow = bit(a, size - 1) !== bit(value, size - 1);
  const defined = STATUS & ~AF & ~when(masked !== 1n, OF);
  return { value, flags: resultFlags(size, value) | when(carry, CF) | when(overflow, OF), defined };
}

/** A register after a result of `size` was written to it: 32 bits zero-extend, 8 and 16 keep the rest. */
export function merge(size: Size, old: bigint, value: bigint): bigint {
  if (size === 64) return value;
  if (size === 32) return value & mask(32);
  return (old & ~mask(size) & mask(64)) | (value & mask(size));
}
