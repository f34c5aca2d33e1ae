/** A small seeded generator, so that a failing run can be repeated. Not for anything but tests. */
export class Random {
  constructor(private state: number) {}

  /** An integer from 0 to `limit` − 1 (xorshift32). */
  below(limit: number): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }
}

/** So many bytes that look random; the same for the same seed, which is not 0. */
export function randomBytes(seed: number, length: number): Uint8Array {
  const random = new Random(seed);
  return Uint8Array.from({ length }, () => random.below(2 ** 8));
}
