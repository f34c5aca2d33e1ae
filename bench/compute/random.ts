/**
 * One sequence of pseudo-random numbers, as guest code and as TypeScript: a linear congruential generator modulo
 * 2^32. Its low bits are poor; programs use the high ones.
 *
 * Constants: Knuth, The Art of Computer Programming, vol. 2 §3.3.4, table 1, line 16.
 */
import type { Assembler, Gpr } from "../../test/support/asm/index.js";

const MULTIPLIER = 1664525;
const INCREMENT = 1013904223;
export const SEED = 20_26;

/** The number after `state`. */
export const nextRandom = (state: number): number => (Math.imul(state, MULTIPLIER) + INCREMENT) >>> 0;

/** `count` numbers after `seed`. */
export function randomWords(count: number, seed = SEED): Uint32Array {
  const words = new Uint32Array(count);
  let state = seed;
  for (let i = 0; i < count; i++) words[i] = state = nextRandom(state);
  return words;
}

/** Replaces a 32-bit register by the number after it. */
export function emitNextRandom(a: Assembler, state: Gpr): void {
  a.imul3(state, state, MULTIPLIER).add(state, INCREMENT);
}
