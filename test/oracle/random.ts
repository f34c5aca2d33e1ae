/** A fast generator of good random numbers (xoshiro128**), so that every case can be repeated from its seed. */
export class Random {
  private a = 1;
  private b = 2;
  private c = 3;
  private d = 4;

  /** Starts a sequence that depends on all of the numbers. */
  seed(...numbers: number[]): this {
    let h = 0x9e3779b9;
    const mix = (n: number): number => {
      h = Math.imul(h ^ n, 0x85ebca6b);
      h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
      h ^= h >>> 16;
      return h;
    };
    for (const n of numbers) mix(n | 0);
    [this.a, this.b, this.c, this.d] = [mix(1), mix(2), mix(3), mix(4) | 1];
    return this;
  }

  /** 32 random bits, unsigned. */
  u32(): number {
    const five = Math.imul(this.b, 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9);
    const t = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= t;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result >>> 0;
  }

  /** 64 random bits, unsigned. */
  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** 0 to `n` - 1. */
  below(n: number): number {
    return Math.floor((this.u32() / 0x100000000) * n);
  }

  /** True once in `n`. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(from: ArrayLike<T>): T {
    return from[this.below(from.length)];
  }
}
