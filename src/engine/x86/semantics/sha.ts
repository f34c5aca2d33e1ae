/**
 * The SHA extensions: rounds and message schedules of SHA-1 and SHA-256 on vectors of four dwords.
 *
 * Specification: Intel SDM vol. 2 (SHA1RNDS4 to SHA256MSG2); FIPS 180-4 §4.1 (functions), §4.2.1 (constants).
 */
import type { Value } from "../../ir/ir.js";
import * as layout from "../layout.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";
import { immediateByte } from "./packed-integer.js";

/** FIPS 180-4 §4.2.1, by the immediate's low two bits. */
const SHA1_CONSTANTS = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6];
const ROUNDS_OF_RNDS4 = 4;
const ROUNDS_OF_RNDS2 = 2;

/** Dwords from the lowest. */
type Dwords = readonly Value[];
type Transform = (b: InstructionBuilder, first: Dwords, second: Dwords) => Dwords;

function dwords(b: InstructionBuilder, vector: Value): Dwords {
  return [0, 1, 2, 3].map((lane) => b.operation("i32", "i32x4.extract_lane", [vector], lane));
}

function fromDwords(b: InstructionBuilder, lanes: Dwords): Value {
  const start = b.v128(new Uint8Array(16));
  return lanes.reduce((v, dword, lane) => b.operation("v128", "i32x4.replace_lane", [v, dword], lane), start);
}

/** destination := transform(destination, source). */
function transformed(transform: Transform): Semantics {
  return (b, { operands: [destination, source] }) => {
    const second = dwords(b, b.readVector(source));
    const first = dwords(b, b.readVector(destination));
    b.writeVector(destination, fromDwords(b, transform(b, first, second)));
  };
}

const left = (b: InstructionBuilder, x: Value, count: number): Value => b.rotl(x, b.i32(count));
const right = (b: InstructionBuilder, x: Value, count: number): Value => b.rotr(x, b.i32(count));
const sum = (b: InstructionBuilder, ...terms: Value[]): Value => terms.reduce((x, y) => b.add(x, y));
const parity = (b: InstructionBuilder, ...terms: Value[]): Value => terms.reduce((x, y) => b.xor(x, y));

const choose = (b: InstructionBuilder, x: Value, y: Value, z: Value): Value =>
  b.xor(b.and(x, y), b.and(b.not(x), z));

const majority = (b: InstructionBuilder, x: Value, y: Value, z: Value): Value =>
  parity(b, b.and(x, y), b.and(x, z), b.and(y, z));

/** σ0 and σ1: two rotations and a shift. */
const smallSigma =
  (r1: number, r2: number, shift: number) =>
  (b: InstructionBuilder, x: Value): Value =>
    parity(b, right(b, x, r1), right(b, x, r2), b.shrU(x, b.i32(shift)));
const sigma0 = smallSigma(7, 18, 3);
const sigma1 = smallSigma(17, 19, 10);

/** Σ0 and Σ1: three rotations. */
const bigSigma =
  (r1: number, r2: number, r3: number) =>
  (b: InstructionBuilder, x: Value): Value =>
    parity(b, right(b, x, r1), right(b, x, r2), right(b, x, r3));
const bigSigma0 = bigSigma(2, 13, 22);
const bigSigma1 = bigSigma(6, 11, 25);

/** f(b, c, d) of four rounds, by the immediate's low two bits. */
function sha1Function(b: InstructionBuilder, kind: Value, x: Value, y: Value, z: Value): Value {
  const is = (n: number): Value => b.eq(kind, b.i32(n));
  const other = b.select(is(2), majority(b, x, y, z), parity(b, x, y, z));
  return b.select(is(0), choose(b, x, y, z), other);
}

const sha1Rounds: Semantics = (b, { operands: [destination, source, immediate] }) => {
  const words = dwords(b, b.readVector(source));
  const state = dwords(b, b.readVector(destination));
  const kind = b.and(immediateByte(b, immediate), b.i32(3));
  const [k0, k1, k2, k3] = SHA1_CONSTANTS.map((k) => b.i32(k));
  const is = (n: number): Value => b.eq(kind, b.i32(n));
  const constant = b.select(is(0), k0, b.select(is(1), k1, b.select(is(2), k2, k3)));
  let [a, x, y, z] = [state[3], state[2], state[1], state[0]];
  // E is part of the first word already.
  let e = b.i32(0);
  for (let round = 0; round < ROUNDS_OF_RNDS4; round++) {
    const next = sum(b, sha1Function(b, kind, x, y, z), left(b, a, 5), words[3 - round], e, constant);
    [a, x, y, z, e] = [next, a, left(b, x, 30), y, z];
  }
  b.writeVector(destination, fromDwords(b, [z, y, x, a]));
};

/** Two rounds; XMM0 holds the words with their constants added. */
const sha256Rounds: Semantics = (b, { operands: [destination, source] }) => {
  const upper = dwords(b, b.readVector(source));
  const lower = dwords(b, b.readVector(destination));
  const words = dwords(b, b.state("v128.load", layout.XMM));
  let [a, x, y, z] = [upper[3], upper[2], lower[3], lower[2]];
  let [e, f, g, h] = [upper[1], upper[0], lower[1], lower[0]];
  for (let round = 0; round < ROUNDS_OF_RNDS2; round++) {
    const one = sum(b, choose(b, e, f, g), bigSigma1(b, e), words[round], h);
    const two = sum(b, majority(b, a, x, y), bigSigma0(b, a));
    [a, x, y, z, e, f, g, h] = [b.add(one, two), a, x, y, b.add(one, z), e, f, g];
  }
  b.writeVector(destination, fromDwords(b, [f, e, x, a]));
};

const sha1Next: Transform = (b, first, [x, y, z, w]) => [x, y, z, b.add(w, left(b, first[3], 30))];

const sha1Message1: Transform = (b, [w3, w2, w1, w0], second) => [
  b.xor(second[2], w3),
  b.xor(second[3], w2),
  b.xor(w3, w1),
  b.xor(w2, w0),
];

const sha1Message2: Transform = (b, [x3, x2, x1, x0], [w15, w14, w13]) => {
  const w16 = left(b, b.xor(x0, w13), 1);
  return [left(b, b.xor(x3, w16), 1), left(b, b.xor(x2, w15), 1), left(b, b.xor(x1, w14), 1), w16];
};

const sha256Message1: Transform = (b, first, second) => {
  const following = [first[1], first[2], first[3], second[0]];
  return first.map((word, i) => b.add(word, sigma0(b, following[i])));
};

const sha256Message2: Transform = (b, first, second) => {
  const w16 = b.add(first[0], sigma1(b, second[2]));
  const w17 = b.add(first[1], sigma1(b, second[3]));
  const w18 = b.add(first[2], sigma1(b, w16));
  return [w16, w17, w18, b.add(first[3], sigma1(b, w17))];
};

export const SHA: SemanticsTable = {
  sha1rnds4: sha1Rounds,
  sha1nexte: transformed(sha1Next),
  sha1msg1: transformed(sha1Message1),
  sha1msg2: transformed(sha1Message2),
  sha256rnds2: sha256Rounds,
  sha256msg1: transformed(sha256Message1),
  sha256msg2: transformed(sha256Message2),
};
