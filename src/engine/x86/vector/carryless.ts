/** PCLMULQDQ: the product of two polynomials over GF(2). Specification: Intel SDM vol. 2. */
import type { VectorOperation } from "./operation.js";

/** Bits of the immediate that choose the upper half of an operand. */
const UPPER_DESTINATION = 1 << 0;
const UPPER_SOURCE = 1 << 4;
const UPPER_HALF = 8;
const WORD_BITS = 32;

/** Adds the product of two 32-bit polynomials to `result` at the dword `place`. */
function accumulate(result: Uint32Array, place: number, x: number, y: number): void {
  let low = 0;
  let high = 0;
  for (let bit = 0; bit < WORD_BITS; bit++) {
    if (!((y >>> bit) & 1)) continue;
    low ^= x << bit;
    if (bit > 0) high ^= x >>> (WORD_BITS - bit);
  }
  result[place] ^= low;
  result[place + 1] ^= high;
}

export const carrylessMultiply: VectorOperation = (destination, source, immediate) => {
  const x = immediate & UPPER_DESTINATION ? UPPER_HALF : 0;
  const y = immediate & UPPER_SOURCE ? UPPER_HALF : 0;
  const result = new Uint32Array(4);
  for (let i = 0; i < 2; i++) {
    for (let j = 0; j < 2; j++) {
      accumulate(result, i + j, destination.getUint32(x + 4 * i, true), source.getUint32(y + 4 * j, true));
    }
  }
  result.forEach((word, i) => destination.setUint32(4 * i, word, true));
  return 0;
};
