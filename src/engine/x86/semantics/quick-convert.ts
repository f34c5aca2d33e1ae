/**
 * Quick paths of SSE conversions, on the same terms as quick-float.ts. SDM vol. 2 (CVT…).
 */
import type { Value } from "../../ir/ir.js";
import { Lanes } from "./float-lanes.js";
import type { InstructionBuilder } from "./instruction-builder.js";
import type { Quick } from "./quick-float.js";

type Scalar = "ss" | "sd";
const FLOAT = { ss: "f32", sd: "f64" } as const;
/** Integers up to this magnitude are floats. */
const EXACT_INTEGER = { ss: 2n ** 24n, sd: 2n ** 53n };

/** A general register's integer of 4 or 8 bytes. */
export function fromInteger(b: InstructionBuilder, to: Scalar, bytes: number, value: Value): Quick {
  const type = bytes === 8 ? "i64" : "i32";
  const result = b.operation(FLOAT[to], `${FLOAT[to]}.convert_${type}_s`, [value]);
  const fine = b.i32(1);
  if (to === "sd" && bytes === 4) return { result, fine, exact: true };
  const limit = EXACT_INTEGER[to];
  const shifted = b.add(value, b.constant(type, limit));
  return { result, fine, exact: b.leU(shifted, b.constant(type, 2n * limit)) };
}

/** To a general register's integer of 4 or 8 bytes, all 8 bytes of the register. */
export function toInteger(
  b: InstructionBuilder,
  from: Scalar,
  bytes: number,
  truncate: boolean,
  x: Value,
): Quick {
  const lanes = new Lanes(b, from);
  const rounded = lanes.compute(truncate ? "trunc" : "nearest", x);
  const limit = bytes === 8 ? 2 ** 63 : 2 ** 31;
  const fits = lanes.compare("lt", lanes.compute("abs", rounded), lanes.number(limit));
  const type = bytes === 8 ? "i64" : "i32";
  const integer = b.operation(type, `${type}.trunc_sat_${FLOAT[from]}_s`, [rounded]);
  return {
    result: b.extendU(integer),
    fine: b.and(fits, lanes.isOrdinary(x)),
    exact: lanes.compare("eq", rounded, x),
  };
}

/** CVTSS2SD: always exact. */
export function widenScalar(b: InstructionBuilder, x: Value): Quick {
  const lanes = new Lanes(b, "ss");
  return { result: b.operation("f64", "f64.promote_f32", [x]), fine: lanes.isOrdinary(x), exact: true };
}

/** CVTSD2SS. */
export function narrowScalar(b: InstructionBuilder, x: Value): Quick {
  const [wide, narrow] = [new Lanes(b, "sd"), new Lanes(b, "ss")];
  const result = b.operation("f32", "f32.demote_f64", [x]);
  const fine = b.or(
    b.and(wide.isNormal(x), narrow.isAboveSmallest(result)),
    b.and(wide.isZero(x), narrow.isZero(result)),
  );
  const back = b.operation("f64", "f64.promote_f32", [result]);
  return { result, fine, exact: wide.compare("eq", back, x) };
}

/** CVTPS2PD of the two singles in the low half of `v`. */
export function widenPair(b: InstructionBuilder, v: Value): Quick {
  const result = b.operation("v128", "f64x2.promote_low_f32x4", [v]);
  // Doubles hold every subnormal single as a normal number: the source is asked. What lies above it does not count.
  const lanes = new Lanes(b, "ps");
  const low = b.operation(
    "v128",
    "i8x16.shuffle",
    [v, v],
    Uint8Array.from({ length: 16 }, (_, i) => i & 7),
  );
  return { result, fine: lanes.all(lanes.isOrdinary(low)), exact: true };
}

/** CVTPD2PS: the upper half becomes zero. */
export function narrowPair(b: InstructionBuilder, v: Value): Quick {
  const [wide, narrow] = [new Lanes(b, "pd"), new Lanes(b, "ps")];
  const result = b.operation("v128", "f32x4.demote_f64x2_zero", [v]);
  const low = b.operation(
    "v128",
    "i8x16.shuffle",
    [result, result],
    Uint8Array.from({ length: 16 }, (_, i) => i & 7),
  );
  const zeros = b.and(wide.all(wide.isZero(v)), narrow.all(narrow.isZero(low)));
  const normal = b.and(wide.all(wide.isNormal(v)), narrow.all(narrow.isAboveSmallest(low)));
  return { result, fine: b.or(zeros, normal) };
}

/** CVTDQ2PD of the two integers in the low half of `v`: always exact. */
export function pairFromIntegers(b: InstructionBuilder, v: Value): Quick {
  return { result: b.operation("v128", "f64x2.convert_low_i32x4_s", [v]), fine: b.i32(1), exact: true };
}

/** CVTDQ2PS. */
export function singlesFromIntegers(b: InstructionBuilder, v: Value): Quick {
  const splat = (n: number): Value => b.operation("v128", "i32x4.splat", [b.i32(n)]);
  const shifted = b.operation("v128", "i32x4.add", [v, splat(2 ** 24)]);
  const small = b.operation("v128", "i32x4.le_u", [shifted, splat(2 ** 25)]);
  return {
    result: b.operation("v128", "f32x4.convert_i32x4_s", [v]),
    fine: b.i32(1),
    exact: b.operation("i32", "i32x4.all_true", [small]),
  };
}

/** CVTPS2DQ, CVTPD2DQ and, truncating, their kin; the latter clear the upper half. */
export function toIntegers(b: InstructionBuilder, from: "ps" | "pd", truncate: boolean, v: Value): Quick {
  const lanes = new Lanes(b, from);
  const rounded = lanes.compute(truncate ? "trunc" : "nearest", v);
  const fits = lanes.compare("lt", lanes.compute("abs", rounded), lanes.number(2 ** 31));
  const convert = from === "ps" ? "i32x4.trunc_sat_f32x4_s" : "i32x4.trunc_sat_f64x2_s_zero";
  return {
    result: b.operation("v128", convert, [rounded]),
    fine: lanes.all(lanes.both(fits, lanes.isOrdinary(v))),
    exact: lanes.all(lanes.compare("eq", rounded, v)),
  };
}
