/** Random numbers where the machine brings none: the same ones in every run. Knows no CPU. */

const FIRST_RANDOM = 0x9e3779b9;

/** A fixed sequence for RDRAND where the machine brings none: xorshift32. */
export function fixedSequence(): () => number {
  let state = FIRST_RANDOM;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
