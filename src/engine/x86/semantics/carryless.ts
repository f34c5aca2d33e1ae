/**
 * PCLMULQDQ and CRC32: arithmetic of polynomials over GF(2). Specification: Intel SDM vol. 2.
 */
import type { Value } from "../../ir/ir.js";
import * as layout from "../layout.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";
import { immediateByte } from "./packed-integer.js";

/** Every fourth bit. */
const SPARSE = 0x1111111111111111n;
const CLASSES = [0, 1, 2, 3];
/** Bits of PCLMULQDQ's immediate that choose the upper half of an operand, and the shift that makes 8 of them. */
const UPPER_DESTINATION = 1 << 0;
const UPPER_SOURCE = 1 << 4;
const LOW_NIBBLES = new Uint8Array(16).fill(0x0f);
/** Nibbles with their bits reversed. */
const REVERSED_NIBBLES = Uint8Array.from(
  { length: 16 },
  (_, x) => ((x & 1) << 3) | ((x & 2) << 1) | ((x & 4) >> 1) | ((x & 8) >> 3),
);
/** Bytes of each half in reverse order. */
const REVERSED_BYTES = Uint8Array.from({ length: 16 }, (_, i) => i ^ 7);

/**
 * Low 64 bits of a product without carries. Integer products of every fourth bit have room for their carries: at most
 * 16 bits meet in one place, and only in the topmost one, where the carry is lost.
 */
function lowProduct(b: InstructionBuilder, x: Value, y: Value): Value {
  const part = (value: Value): Value[] => CLASSES.map((k) => b.and(value, b.i64(SPARSE << BigInt(k))));
  const xs = part(x);
  const ys = part(y);
  return CLASSES.map((k) => {
    const sum = CLASSES.map((i) => b.mul(xs[i], ys[(k - i) & 3])).reduce((p, q) => b.xor(p, q));
    return b.and(sum, b.i64(SPARSE << BigInt(k)));
  }).reduce((p, q) => b.or(p, q));
}

/** Both halves with their 64 bits in reverse order. */
function reverseHalves(b: InstructionBuilder, v: Value): Value {
  const nibbles = b.v128(LOW_NIBBLES);
  const table = b.v128(REVERSED_NIBBLES);
  const low = b.operation("v128", "v128.and", [v, nibbles]);
  const high = b.operation("v128", "i8x16.shr_u", [v, b.i32(4)]);
  const swappedLow = b.operation("v128", "i8x16.swizzle", [table, low]);
  const swappedHigh = b.operation("v128", "i8x16.swizzle", [table, high]);
  const up = b.operation("v128", "i8x16.shl", [swappedLow, b.i32(4)]);
  const bytes = b.operation("v128", "v128.or", [up, swappedHigh]);
  return b.operation("v128", "i8x16.shuffle", [bytes, bytes], REVERSED_BYTES);
}

const half = (b: InstructionBuilder, v: Value, lane: number): Value =>
  b.operation("i64", "i64x2.extract_lane", [v], lane);
const withHigh = (b: InstructionBuilder, low: Value, high: Value): Value =>
  b.operation("v128", "i64x2.replace_lane", [b.operation("v128", "i64x2.splat", [low]), high], 1);

const multiply: Semantics = (b, { operands: [destination, source, immediate] }) => {
  const how = immediateByte(b, immediate);
  const right = b.readVector(source);
  const left = b.readVector(destination);
  const chosen = (v: Value, bit: number): Value =>
    b.select(b.and(how, b.i32(bit)), half(b, v, 1), half(b, v, 0));
  const x = chosen(left, UPPER_DESTINATION);
  const y = chosen(right, UPPER_SOURCE);
  // The product of the reversed factors is the reversed product, whose lowest bit is bit 126.
  const reversed = reverseHalves(b, withHigh(b, x, y));
  const upper = lowProduct(b, half(b, reversed, 0), half(b, reversed, 1));
  const turned = half(b, reverseHalves(b, b.operation("v128", "i64x2.splat", [upper])), 0);
  b.writeVector(destination, withHigh(b, lowProduct(b, x, y), b.shrU(turned, b.i64(1))));
};

/** Remainder of a byte (bits 7:0 of `value`) that `zeros` bytes follow. */
function remainder(b: InstructionBuilder, value: Value, zeros: number): Value {
  const index = b.shl(b.and(value, b.i32(0xff)), b.i32(2));
  return b.load("i32.load", index, layout.CRC32C + zeros * layout.CRC32C_STRIDE);
}

/** CRC after `size` (1, 2, 4) further bytes. */
function update(b: InstructionBuilder, crc: Value, data: Value, size: number): Value {
  const sum = b.xor(crc, data);
  const bytes = Array.from({ length: size }, (_, i) => remainder(b, b.shrU(sum, b.i32(8 * i)), size - 1 - i));
  const folded = bytes.reduce((x, y) => b.xor(x, y));
  return size === 4 ? folded : b.xor(b.shrU(crc, b.i32(8 * size)), folded);
}

const crc32: Semantics = (b, { operands: [destination, source] }) => {
  const data = b.read(source);
  const crc = b.read(destination);
  const { size } = source as { size: number };
  if (size < 8) return b.write(destination, update(b, crc, data, size));
  const first = update(b, crc, b.wrap(data), 4);
  b.write(destination, update(b, first, b.wrap(b.shrU(data, b.i64(32))), 4));
};

export const CARRYLESS: SemanticsTable = { pclmulqdq: multiply, crc32 };
