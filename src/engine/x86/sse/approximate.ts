/**
 * RCPSS, RSQRTSS and their packed forms: approximations whose relative error the manual bounds by 1.5 × 2^-12.
 * Ours is the exact result rounded to 12 significant bits, the same on every host. They raise and report nothing,
 * take denormals as zeros and give zeros for tiny results, whatever MXCSR says.
 *
 * Specification: Intel SDM vol. 2 RCPPS, RSQRTPS (tables of special operands).
 */
import { defaultNan, packBinary, BINARY32 } from "../softfloat/value.js";
import type { Run } from "./arithmetic.js";
import { SINGLE } from "./context.js";

const SMALLEST_NORMAL = 2 ** -126;
const QUIET_BIT = 0x0040_0000n;
const DEFAULT_NAN = packBinary(BINARY32, defaultNan());
/** Adding and subtracting this multiple keeps 12 of a binary64 significand's 53 bits (Veltkamp's splitting). */
const KEEP_12_BITS = 2 ** 41 + 1;

function cutTo12Bits(value: number): number {
  const wide = value * KEEP_12_BITS;
  return wide - (wide - value);
}

function reciprocal(value: number): number {
  const result = 1 / value;
  if (!Number.isFinite(result)) return result;
  const rounded = cutTo12Bits(result);
  return Math.abs(rounded) < SMALLEST_NORMAL ? rounded * 0 : rounded;
}

/** Negative operands are NaN here and get the default NaN. */
function reciprocalRoot(value: number): number {
  const root = value === 0 ? value : Math.sqrt(value);
  const result = 1 / root;
  return Number.isFinite(result) ? cutTo12Bits(result) : result;
}

/** RCP, or RSQRT when `root`, of `count` lanes. */
export function approximateReciprocal(root: boolean, count: number): Run {
  const compute = root ? reciprocalRoot : reciprocal;
  return ({ view, b, result }) => {
    for (let i = 0; i < count; i++) {
      const at = 4 * i;
      const value = SINGLE.readNumber(view, b + at);
      if (Number.isNaN(value)) {
        SINGLE.write(result, at, SINGLE.read(view, b + at) | QUIET_BIT);
        continue;
      }
      const computed = compute(Math.abs(value) < SMALLEST_NORMAL ? value * 0 : value);
      if (Number.isNaN(computed)) SINGLE.write(result, at, DEFAULT_NAN);
      else SINGLE.writeNumber(result, at, computed);
    }
  };
}
