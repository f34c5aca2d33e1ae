/**
 * SSE conversions between integers and floats, and between the float formats.
 *
 * Specification: Intel SDM vol. 2 CVTPI2PS … CVTTSS2SI; vol. 1 §4.9.1 (integer indefinite).
 */
import { XMM_BYTES } from "../../../spec/x86-encoding.js";
import { TWO_32 } from "../../../bytes/words.js";
import { binaryConvert, binaryFromInteger, binaryToInteger } from "../softfloat/binary.js";
import { PRECISION, ROUND_ZERO } from "../softfloat/environment.js";
import { isPlain, nativeNarrow, nativeRound } from "../softfloat/native.js";
import type { Run } from "./arithmetic.js";
import { DOUBLE, SINGLE, type Lane, type SseContext } from "./context.js";

/** Upper words below this magnitude leave 53 bits or fewer, which binary64 holds exactly. */
const EXACT_UPPER = 2 ** 20;
/** Below this magnitude a rounded number fits 32 bits in every mode. */
const FITS_32 = 2 ** 31 - 1;

/** Clears the rest of the register behind `from`. */
function clearAbove(result: DataView, from: number): void {
  for (let at = from; at < XMM_BYTES; at += 4) result.setUint32(at, 0, true);
}

/** The integer in `width` bits as an exact number, or NaN when it needs more than 53 bits. */
function readInteger(view: DataView, offset: number, width: 32 | 64): number {
  if (width === 32) return view.getInt32(offset, true);
  const upper = view.getInt32(offset + 4, true);
  if (upper < -EXACT_UPPER || upper >= EXACT_UPPER) return Number.NaN;
  return upper * TWO_32 + view.getUint32(offset, true);
}

/** CVTSI2SS, CVTPI2PS, CVTDQ2PD and their kin: `count` integers of `width` bits. */
export function fromIntegers(width: 32 | 64, lane: Lane, count: number): Run {
  return ({ view, b, env, result }) => {
    for (let i = 0; i < count; i++) {
      const from = b + 4 * i;
      const to = i * lane.bytes;
      const number = readInteger(view, from, width);
      // NaN equals nothing, so what is not exact goes the exact way.
      if ((lane.bytes === 8 ? number : Math.fround(number)) === number) lane.writeNumber(result, to, number);
      else {
        const value = width === 32 ? BigInt(view.getInt32(from, true)) : view.getBigInt64(from, true);
        lane.write(result, to, binaryFromInteger(lane.format, value, env));
      }
    }
  };
}

/** A float lane to an integer lane at byte `to` of the result. */
function toInteger(
  { view, env, result }: SseContext,
  lane: Lane,
  from: number,
  width: 32 | 64,
  truncate: boolean,
  to: number,
): void {
  const rounding = truncate ? ROUND_ZERO : env.rounding;
  const value = lane.readNumber(view, from);
  if (Math.abs(value) < FITS_32 && isPlain(value, lane.format.width)) {
    const rounded = nativeRound(value, rounding);
    if (rounded !== value) env.flags |= PRECISION;
    result.setInt32(to, rounded, true);
    if (width === 64) result.setInt32(to + 4, rounded < 0 ? -1 : 0, true);
    return;
  }
  const integer = binaryToInteger(lane.format, lane.read(view, from), width, rounding, env);
  if (width === 32) result.setInt32(to, Number(integer), true);
  else result.setBigInt64(to, integer, true);
}

/** CVTPS2DQ, CVTPD2DQ, CVTPS2PI and, truncating, their kin; what lies above the integers is cleared. */
export function toIntegers(lane: Lane, count: number, truncate: boolean): Run {
  return (context) => {
    for (let i = 0; i < count; i++) {
      toInteger(context, lane, context.b + i * lane.bytes, 32, truncate, 4 * i);
    }
    clearAbove(context.result, 4 * count);
  };
}

/** CVTSS2SI, CVTSD2SI and, truncating, their kin: 64 result bits, the upper 32 zero for a 32-bit integer. */
export function toGeneralRegister(lane: Lane, width: 32 | 64, truncate: boolean): Run {
  return (context) => {
    clearAbove(context.result, 4);
    toInteger(context, lane, context.b, width, truncate, 0);
  };
}

/** CVTSS2SD and CVTPS2PD. */
export function widen(count: number): Run {
  return ({ view, b, env, result }) => {
    for (let i = 0; i < count; i++) {
      const value = SINGLE.readNumber(view, b + 4 * i);
      if (isPlain(value, 32)) DOUBLE.writeNumber(result, 8 * i, value);
      else {
        const bits = SINGLE.read(view, b + 4 * i);
        DOUBLE.write(result, 8 * i, binaryConvert(SINGLE.format, DOUBLE.format, bits, env));
      }
    }
  };
}

/** CVTSD2SS and CVTPD2PS; what lies above the results is cleared. */
export function narrow(count: number): Run {
  return ({ view, b, env, result }) => {
    for (let i = 0; i < count; i++) {
      const quick = nativeNarrow(DOUBLE.readNumber(view, b + 8 * i), env);
      if (!Number.isNaN(quick)) SINGLE.writeNumber(result, 4 * i, quick);
      else {
        const bits = DOUBLE.read(view, b + 8 * i);
        SINGLE.write(result, 4 * i, binaryConvert(DOUBLE.format, SINGLE.format, bits, env));
      }
    }
    clearAbove(result, 4 * count);
  };
}
