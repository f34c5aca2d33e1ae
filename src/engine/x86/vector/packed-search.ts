/** PHMINPOSUW and MPSADBW. Specification: Intel SDM vol. 2. */
import type { VectorOperation } from "./operation.js";

const WORDS = 8;
const BLOCK = 4;

/** The least word of the source and its place, all else zero. */
export const leastWord: VectorOperation = (destination, source) => {
  let place = 0;
  for (let i = 1; i < WORDS; i++) {
    if (source.getUint16(2 * i, true) < source.getUint16(2 * place, true)) place = i;
  }
  destination.setUint32(0, source.getUint16(2 * place, true) | (place << 16), true);
  for (let at = 4; at < 16; at += 4) destination.setUint32(at, 0, true);
  return 0;
};

/** Sums of absolute differences between one block of four bytes of the source and eight overlapping ones. */
export const slidingDifferences: VectorOperation = (destination, source, immediate) => {
  const fixed = (immediate & 3) * BLOCK;
  const moving = ((immediate >> 2) & 1) * BLOCK;
  const sums: number[] = [];
  for (let place = 0; place < WORDS; place++) {
    let sum = 0;
    for (let i = 0; i < BLOCK; i++)
      sum += Math.abs(destination.getUint8(moving + place + i) - source.getUint8(fixed + i));
    sums.push(sum);
  }
  sums.forEach((sum, place) => destination.setUint16(2 * place, sum, true));
  return 0;
};
