/** What a random message of a share's protocols is made of: numbers at the edges, lengths at which it is cut, file kinds (R3.1). */
import { randomBytes, type Random } from "../support/random.js";

const NUMBERS = [0, 1, 2, 7, 0x7f, 0xff, 0x1000, 0xffff, 0x10000, 2 ** 20, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
const LARGE = [0n, 1n, 4095n, 65536n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
export const DATA = randomBytes(11, 3000);
export const KINDS = [0o100644, 0o010600, 0o140600, 0o020600, 0o060600, 0o644, 0o104755, 0o777777];

/** Where a message of so many bytes is cut into pieces. */
export function cutsOf(random: Random, length: number): number[] {
  return Array.from({ length: random.below(6) }, () => random.below(length + 1));
}

export function anyU32(random: Random): number {
  return random.below(3) === 0 ? random.below(2 ** 32) : random.pick(NUMBERS);
}

export function anyU64(random: Random): bigint {
  return random.below(3) === 0 ? BigInt(random.below(5000)) : random.pick(LARGE);
}
