/**
 * SSE conversions between integers and floats, and between the float formats.
 *
 * Specification: Intel SDM vol. 2 CVTPI2PS … CVTTSS2SI; vol. 1 §4.9.1 (integer indefinite).
 */
import { binaryConvert, binaryFromInteger, binaryToInteger } from "../softfloat/binary.js";
import { PRECISION, ROUND_ZERO } from "../softfloat/environment.js";
import { isPlain, nativeNarrow, nativeRound } from "../softfloat/native.js";
import type { Run } from "./arithmetic.js";
import { DOUBLE, SINGLE, XMM_BYTES, type Lane, type SseContext } from "./context.js";

/** Integers up to this magnitude are exact in binary64. */
const EXACT_INTEGER = 2n ** 53n;
/** Below this magnitude a rounded number fits 32 bits in every mode. */
const FITS_32 = 2 ** 31 - 1;

/** Clears the rest of the register behind `from`. */
function clearAbove(result: DataView, from: number): void {
  for (let at = from; at < XMM_BYTES; at += 4) result.setUint32(at, 0, true);
}

/** An integer lane of 32 or 64 bits to a float lane. */
function integerToFloat({ env, result }: SseContext, value: bigint, lane: Lane, to: number): void {
  const exact = value > -EXACT_INTEGER && value < EXACT_INTEGER;
  const number = exact ? Number(value) : Number.NaN;
  if (lane.bytes === 8 ? exact : Math.fround(number) === number) lane.writeNumber(result, to, number);
  else lane.write(result, to, binaryFromInteger(lane.format, value, env));
}

/** CVTSI2SS, CVTPI2PS, CVTDQ2PD and their kin: `count` integers of `width` bits. */
export function fromIntegers(width: 32 | 64, lane: Lane, count: number): Run {
  return (context) => {
    const { view, b } = context;
    for (let i = 0; i < count; i++) {
      const value = width === 32 ? BigInt(view.getInt32(b + 4 * i, true)) : view.getBigInt64(b, true);
      integerToFloat(context, value, lane, i * lane.bytes);
    }
  };
}

/** A float lane to an integer lane. */
function floatToInteger(
  context: SseContext,
  lane: Lane,
  from: number,
  width: 32 | 64,
  truncate: boolean,
): bigint {
  const { view, env } = context;
  const rounding = truncate ? ROUND_ZERO : env.rounding;
  const value = lane.readNumber(view, from);
  if (Math.abs(value) < FITS_32 && isPlain(value, lane.format.width)) {
    const rounded = nativeRound(value, rounding);
    if (rounded !== value) env.flags |= PRECISION;
    return BigInt(rounded);
  }
  return binaryToInteger(lane.format, lane.read(view, from), width, rounding, env);
}

/** CVTPS2DQ, CVTPD2DQ, CVTPS2PI and, truncating, their kin; what lies above the integers is cleared. */
export function toIntegers(lane: Lane, count: number, truncate: boolean): Run {
  return (context) => {
    for (let i = 0; i < count; i++) {
      const value = floatToInteger(context, lane, context.b + i * lane.bytes, 32, truncate);
      context.result.setInt32(4 * i, Number(value), true);
    }
    clearAbove(context.result, 4 * count);
  };
}

/** CVTSS2SI, CVTSD2SI and, truncating, their kin: 64 result bits, the upper 32 zero for a 32-bit integer. */
export function toGeneralRegister(lane: Lane, width: 32 | 64, truncate: boolean): Run {
  return (context) => {
    const value = floatToInteger(context, lane, context.b, width, truncate);
    context.result.setBigUint64(0, BigInt.asUintN(width, value), true);
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
