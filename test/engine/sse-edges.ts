/**
 * Floats at the edges of their exponent range, and rows of them: where a computation that is to find the error of another
 * may overflow or lose bits itself.
 */
import type { Row } from "./sse-quick.js";

/** A float format by its fields. */
export interface Format {
  bits: 32 | 64;
  /** Bits of the significand without the hidden one. */
  fraction: number;
  bias: number;
}

const SINGLE: Format = { bits: 32, fraction: 23, bias: 127 };
const DOUBLE: Format = { bits: 64, fraction: 52, bias: 1023 };

/** To nearest with PE clear: what a quick path calls exact is reported as such. */
const NEAREST = 0x1f80;
/** To nearest with PE set, and the other modes; DAZ and FTZ. */
const OTHERS = [0x1fa0, 0x3f80, 0x5f80, 0x7f80, 0x9fc0];
const RANDOM_ROWS = 1500;

/** The format of what an operation of the exact unit reads. */
export function formatOf(unit: string): Format {
  return /^cvtt?(ss|ps)2|^cvtsi2ss|^cvtdq2ps|^(?!cvt).*(ss|ps)$/.test(unit) ? SINGLE : DOUBLE;
}

/** Biased exponents at the ends, around 1, and where a unit in the last place is 1 or the smallest normal number. */
function exponents({ fraction, bias }: Format): number[] {
  const largest = 2 * bias;
  return [1, 2, fraction + 1, bias - 1, bias, bias + fraction, largest - 1, largest];
}

/** Exponents where a conversion to a single or to an integer leaves its range. */
function conversionExponents({ bias }: Format): number[] {
  const powers = [-SINGLE.bias - SINGLE.fraction, -SINGLE.bias, 1 - SINGLE.bias, -1, 30, 31, 62, 63];
  const singles = [SINGLE.bias, SINGLE.bias + 1];
  return [...powers, ...singles].map((power) => bias + power).filter((exponent) => exponent > 0);
}

function numbers(format: Format, exponentList: readonly number[]): bigint[] {
  const width = BigInt(format.fraction);
  const ones = (1n << width) - 1n;
  const fractions = [0n, 1n, 7n, 1n << (width - 1n), ones - 1n, ones];
  const special = [
    0n,
    1n,
    ones,
    BigInt(2 * format.bias + 1) << width,
    (BigInt(2 * format.bias + 1) << width) | 1n,
  ];
  const normal = exponentList.flatMap((exponent) =>
    fractions.map((fraction) => (BigInt(exponent) << width) | fraction),
  );
  const sign = 1n << BigInt(format.bits - 1);
  return [...special, ...normal].flatMap((number) => [number, number | sign]);
}

/** `low` in the lowest lane; where there are four, `high` is in the next. */
const lanes = (format: Format, low: bigint, high: bigint): bigint =>
  format.bits === 64 ? low : low | (high << 32n);

function rows(format: Format, x: bigint, y: bigint, count: number): Row[] {
  return [NEAREST, OTHERS[count % OTHERS.length]].map((control) => ({
    left: [lanes(format, x, y), lanes(format, y, x)],
    right: [lanes(format, y, x), lanes(format, x, y)],
    control,
  }));
}

/** Every such number with every one. */
export function edgePairs(format: Format): Row[] {
  const list = numbers(format, exponents(format));
  return list.flatMap((x, i) => list.flatMap((y, j) => rows(format, x, y, i + j)));
}

/** Every such number, for operations of one operand. */
export function edges(format: Format): Row[] {
  return numbers(format, [...exponents(format), ...conversionExponents(format)]).flatMap((x) =>
    OTHERS.flatMap((_, i) => rows(format, x, x, i)),
  );
}

/** Pairs with exponents near the same edge and random fractions. */
export function nearEdges(format: Format, random: () => bigint): Row[] {
  const width = BigInt(format.fraction);
  const list = exponents(format);
  const largest = 2 * format.bias;
  const near = (edge: number): bigint => {
    const exponent = Math.min(largest, Math.max(1, edge + Number(random() % 5n) - 2));
    const fraction = random() & ((1n << width) - 1n);
    // Half of them with zeros at the end, so that some results are exact.
    const kept = (random() & 1n) === 0n ? fraction : (fraction >> (width / 2n + 1n)) << (width / 2n + 1n);
    return ((random() & 1n) << BigInt(format.bits - 1)) | (BigInt(exponent) << width) | kept;
  };
  return Array.from({ length: RANDOM_ROWS }, (_, i) => {
    const edge = list[Number(random() % BigInt(list.length))];
    return rows(format, near(edge), near(edge), i);
  }).flat();
}
