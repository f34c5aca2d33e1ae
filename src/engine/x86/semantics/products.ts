/** Products wider than WebAssembly has them, and whether they fit. Knows no instruction. */
import type { FunctionBuilder } from "../../ir/function-builder.js";
import type { Value } from "../../ir/ir.js";

/** High 64 bits of the unsigned 128-bit product, by 32-bit halves. */
export function multiplyHighUnsigned(b: FunctionBuilder, x: Value, y: Value): Value {
  const mask = b.i64(0xffffffffn);
  const shift = b.i64(32);
  const xLow = b.and(x, mask);
  const xHigh = b.shrU(x, shift);
  const yLow = b.and(y, mask);
  const yHigh = b.shrU(y, shift);
  const low = b.mul(xLow, yLow);
  const middle = b.add(b.mul(xHigh, yLow), b.shrU(low, shift));
  const cross = b.add(b.mul(xLow, yHigh), b.and(middle, mask));
  return b.add(b.add(b.mul(xHigh, yHigh), b.shrU(middle, shift)), b.shrU(cross, shift));
}

/** High 64 bits of the signed product: the unsigned one, less each operand where the other is negative. */
export function multiplyHighSigned(b: FunctionBuilder, x: Value, y: Value): Value {
  const high = multiplyHighUnsigned(b, x, y);
  const sign = b.i64(63);
  return b.sub(b.sub(high, b.and(b.shrS(x, sign), y)), b.and(b.shrS(y, sign), x));
}

/** Whether the signed product of `x` and `y`, whose low `size` bytes are `low`, does not fit them; i32. */
export function productOverflows(b: FunctionBuilder, size: number, x: Value, y: Value, low: Value): Value {
  if (size === 8) return b.ne(multiplyHighSigned(b, x, y), b.shrS(low, b.i64(63)));
  const widen = (v: Value): Value => b.extendS(b.signExtend(v, size));
  return b.ne(b.mul(widen(x), widen(y)), widen(low));
}
