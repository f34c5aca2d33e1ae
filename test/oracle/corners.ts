/** Values where instructions change their minds, and how registers and memory are filled with them. */
import type { Random } from "./random.js";

const CORNERS = [0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn,
  0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn, 0x00ff00ff00ff00ffn, 0x8080808080808080n,
  0x7fffffff80000000n, 0xffffffff00000000n, 0x8000800080008000n, 0x7fff7fff7fff7fffn, 0x5555555555555555n]; // prettier-ignore
/** Ones, halves, infinities, NaNs of both kinds, subnormals, the largest, limits of integers, halfway cases. */
const DOUBLES = [0x3ff0000000000000n, 0xbff8000000000000n, 0x7ff0000000000000n, 0xfff0000000000000n,
  0x7ff8000000000001n, 0x7ff0000000000001n, 0xfff8000000000000n, 0xfff4000000000123n, 0x000fffffffffffffn,
  0x0010000000000000n, 0x0000000000000001n, 0x8000000000000001n, 0x7fefffffffffffffn, 0x41dfffffffe00000n,
  0xc1e0000000000000n, 0x41dfffffffc00000n, 0x43e0000000000000n, 0xc3e0000000000000n, 0x3fe0000000000000n,
  0x4330000000000001n, 0x3ca0000000000000n, 0x36a0000000000000n, 0x380fffffffffffffn, 0x47efffffefffffffn,
  0x8000000000000000n, 0x0n]; // prettier-ignore
const SINGLES = [0x3f800000, 0xbfc00000, 0x7f800000, 0xff800000, 0x7fc00001, 0x7f800001, 0xffc00000, 0xffa00055,
  0x007fffff, 0x00800000, 0x00000001, 0x80000001, 0x7f7fffff, 0xff7fffff, 0x33800000, 0x4effffff, 0xcf000000,
  0x5f000000, 0x3f000000, 0x4b000001, 0x80000000, 0]; // prettier-ignore

const pairs = (values: readonly bigint[]): Uint32Array =>
  Uint32Array.from(values.flatMap((v) => [Number(v & 0xffffffffn), Number(v >> 32n)]));
const CORNER_WORDS = pairs(CORNERS);
const DOUBLE_WORDS = pairs(DOUBLES);

export type Taste = "integer" | "single" | "double" | "random";

function put(words: Uint32Array, at: number, from: Uint32Array, random: Random): void {
  const i = 2 * random.below(from.length / 2);
  words[at] = from[i];
  words[at + 1] = from[i + 1];
}

/** Fills pairs of words: a third random, the rest corner values of `taste`; some repeat the pair before. */
export function fill(words: Uint32Array, start: number, end: number, taste: Taste, random: Random): void {
  for (let at = start; at < end; at += 2) {
    const choice = random.u32() & 15;
    if (choice < 2 && at > start) {
      words[at] = words[at - 2];
      words[at + 1] = words[at - 1];
    } else if (taste === "random" || choice < 7) {
      words[at] = random.u32();
      words[at + 1] = random.u32();
    } else if (taste === "single") {
      words[at] = random.pick(SINGLES);
      words[at + 1] = random.pick(SINGLES);
    } else put(words, at, taste === "double" ? DOUBLE_WORDS : CORNER_WORDS, random);
  }
}
