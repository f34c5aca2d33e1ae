/** Random numbers that are the same in every run: xorshift32. */

const FIRST_STATE = 0x9e3779b9;

/** A sequence of 32-bit numbers that repeats only after 2^32 - 1 of them. */
export class FixedSequence {
  /** Where the sequence is: 1 to 2^32 - 1. */
  state: number;

  constructor(state = FIRST_STATE) {
    this.state = state;
  }

  /** The next 32 bits, unsigned. */
  next(): number {
    let { state } = this;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (this.state = state >>> 0);
  }
}
