/**
 * AESENC, AESENCLAST, AESDEC, AESDECLAST, AESIMC, AESKEYGENASSIST. Knows no registers.
 *
 * Specification: Intel SDM vol. 2; FIPS 197 §4 (the field), §5.1–5.3 (the steps of a round).
 */
import type { VectorOperation } from "./operation.js";

const STATE_BYTES = 16;
/** m(x) = x^8 + x^4 + x^3 + x + 1 without its highest term. */
const REDUCTION = 0x1b;
const AFFINE_CONSTANT = 0x63;
/** Coefficients of MixColumns and its inverse, for the row itself and those below it. */
const MIX = [2, 3, 1, 1];
const INVERSE_MIX = [14, 11, 13, 9];

function multiply(x: number, y: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) {
    if ((y >> bit) & 1) product ^= x;
    x = ((x << 1) & 0xff) ^ (x & 0x80 ? REDUCTION : 0);
  }
  return product;
}

function inverse(x: number): number {
  for (let y = 1; y < 256; y++) if (multiply(x, y) === 1) return y;
  return 0;
}

function affine(x: number): number {
  const doubled = x | (x << 8);
  return (x ^ (doubled >> 7) ^ (doubled >> 6) ^ (doubled >> 5) ^ (doubled >> 4) ^ AFFINE_CONSTANT) & 0xff;
}

interface Tables {
  substitute: Uint8Array;
  restore: Uint8Array;
  /** Products with a coefficient, by coefficient. */
  products: ReadonlyMap<number, Uint8Array>;
}

function makeTables(): Tables {
  const substitute = Uint8Array.from({ length: 256 }, (_, x) => affine(inverse(x)));
  const restore = new Uint8Array(256);
  substitute.forEach((value, x) => (restore[value] = x));
  const products = new Map(
    [...MIX, ...INVERSE_MIX].map((by) => [by, Uint8Array.from({ length: 256 }, (_, x) => multiply(x, by))]),
  );
  return { substitute, restore, products };
}

let made: Tables | undefined;

/** Made when the first guest asks: most never do, and all would wait for it. */
const tables = (): Tables => (made ??= makeTables());

/** One round's bytes: rows rotated by their number (`step` 1, backwards 3) and substituted. */
function shiftAndSubstitute(state: DataView, box: Uint8Array, step: number): Uint8Array {
  const out = new Uint8Array(STATE_BYTES);
  for (let at = 0; at < STATE_BYTES; at++) {
    const row = at & 3;
    const column = ((at >> 2) + row * step) & 3;
    out[at] = box[state.getUint8(4 * column + row)];
  }
  return out;
}

function mixColumns(state: Uint8Array, coefficients: readonly number[]): Uint8Array {
  const products = coefficients.map((by) => tables().products.get(by)!);
  return state.map((_, at) => {
    const column = at & ~3;
    return products.reduce((sum, product, i) => sum ^ product[state[column | ((at + i) & 3)]], 0);
  });
}

function store(destination: DataView, state: Uint8Array, key?: DataView): void {
  for (let at = 0; at < STATE_BYTES; at++) destination.setUint8(at, state[at] ^ (key ? key.getUint8(at) : 0));
}

/** A round; the last one of a cipher mixes no columns. */
export function encryptRound(last: boolean): VectorOperation {
  return (destination, key) => {
    const state = shiftAndSubstitute(destination, tables().substitute, 1);
    store(destination, last ? state : mixColumns(state, MIX), key);
    return 0;
  };
}

/** A round of the equivalent inverse cipher, FIPS 197 §5.3.5. */
export function decryptRound(last: boolean): VectorOperation {
  return (destination, key) => {
    const state = shiftAndSubstitute(destination, tables().restore, 3);
    store(destination, last ? state : mixColumns(state, INVERSE_MIX), key);
    return 0;
  };
}

/** AESIMC: a round key for the equivalent inverse cipher. */
export const inverseMixColumns: VectorOperation = (destination, source) => {
  const state = Uint8Array.from({ length: STATE_BYTES }, (_, at) => source.getUint8(at));
  store(destination, mixColumns(state, INVERSE_MIX));
  return 0;
};

/** AESKEYGENASSIST: SubWord of the odd dwords, and the same rotated with the round constant added. */
export const assistKeyGeneration: VectorOperation = (destination, source, constant) => {
  const box = tables().substitute;
  for (const odd of [1, 3]) {
    let word = 0;
    for (let i = 0; i < 4; i++) word |= box[source.getUint8(4 * odd + i)] << (8 * i);
    destination.setInt32(4 * (odd - 1), word, true);
    destination.setInt32(4 * odd, ((word >>> 8) | (word << 24)) ^ constant, true);
  }
  return 0;
};
