/**
 * One float or a vector of them, as quick paths compute with them: arithmetic by WebAssembly's own operations, and
 * questions whose answer is an i32 for a scalar and a mask of lanes for a vector. Knows no instruction and no MXCSR.
 */
import { XMM_BYTES } from "../../../spec/x86-encoding.js";
import type { Type, Value } from "../../ir/ir.js";
import type { InstructionBuilder } from "./instruction-builder.js";

/** The suffix of a mnemonic: packed or scalar, single or double. */
export type Shape = "ps" | "pd" | "ss" | "sd";

interface Format {
  float: "f32" | "f64";
  integer: "i32" | "i64";
  vector: "f32x4" | "f64x2";
  bytes: 4 | 8;
  smallestNormal: number;
  /** The exponent's lowest bit after the sign has been shifted out. */
  exponentBit: bigint;
  /** Exponents of normal numbers, as a span above the lowest one. */
  normalSpan: bigint;
  /** Bits of a significand, the hidden one included. */
  precision: number;
}

const SINGLE: Format = {
  float: "f32",
  integer: "i32",
  vector: "f32x4",
  bytes: 4,
  smallestNormal: 2 ** -126,
  exponentBit: 1n << 24n,
  normalSpan: 0xfen << 24n,
  precision: 24,
};
const DOUBLE: Format = {
  float: "f64",
  integer: "i64",
  vector: "f64x2",
  bytes: 8,
  smallestNormal: 2 ** -1022,
  exponentBit: 1n << 53n,
  normalSpan: 0x7fen << 53n,
  precision: 53,
};

export class Lanes {
  readonly format: Format;
  readonly packed: boolean;
  /** Type of values, and of answers. */
  readonly type: Type;
  private readonly answer: "i32" | "v128";
  private readonly prefix: string;

  constructor(
    private readonly b: InstructionBuilder,
    readonly shape: Shape,
  ) {
    this.packed = shape.startsWith("p");
    this.format = shape.endsWith("s") ? SINGLE : DOUBLE;
    this.type = this.packed ? "v128" : this.format.float;
    this.answer = this.packed ? "v128" : "i32";
    this.prefix = this.packed ? this.format.vector : this.format.float;
  }

  load(address: Value): Value {
    return this.b.load(this.packed ? "v128.load" : `${this.format.float}.load`, address);
  }
  store(address: Value, value: Value): void {
    this.b.store(this.packed ? "v128.store" : `${this.format.float}.store`, address, value);
  }

  /** The same number in every lane. */
  number(value: number): Value {
    if (!this.packed) return this.format.float === "f32" ? this.b.f32(value) : this.b.f64(value);
    const bytes = new Uint8Array(XMM_BYTES);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < XMM_BYTES; at += this.format.bytes) {
      if (this.format.bytes === 4) view.setFloat32(at, value, true);
      else view.setFloat64(at, value, true);
    }
    return this.b.v128(bytes);
  }

  /** An operation by its name without the type: "add", "sqrt", "nearest". */
  compute(name: string, ...args: Value[]): Value {
    return this.b.operation(this.type, `${this.prefix}.${name}`, args);
  }

  // ── questions ─────────────────────────────────────────────────────────────────────────────────────────

  compare(name: "eq" | "lt" | "le" | "gt" | "ge", x: Value, y: Value): Value {
    return this.b.operation(this.answer, `${this.prefix}.${name}`, [x, y]);
  }
  both(p: Value, q: Value): Value {
    return this.b.operation(this.answer, `${this.answer}.and`, [p, q]);
  }
  either(p: Value, q: Value): Value {
    return this.b.operation(this.answer, `${this.answer}.or`, [p, q]);
  }
  /** x where an answer holds, y elsewhere. */
  choose(answer: Value, x: Value, y: Value): Value {
    if (!this.packed) return this.b.select(answer, x, y);
    return this.b.operation("v128", "v128.bitselect", [x, y, answer]);
  }
  negated(answer: Value): Value {
    if (this.packed) return this.b.operation("v128", "v128.not", [answer]);
    return this.b.xor(answer, this.b.i32(1));
  }
  /** The answer that holds in no lane. */
  nowhere(): Value {
    return this.packed ? this.b.v128(new Uint8Array(XMM_BYTES)) : this.b.i32(0);
  }
  /** Stores an answer as CMP does: all ones or zeros in each lane. */
  storeAnswer(address: Value, answer: Value): void {
    if (this.packed) return this.b.store("v128.store", address, answer);
    const mask = this.b.sub(this.b.i32(0), answer);
    const { integer } = this.format;
    this.b.store(`${integer}.store`, address, integer === "i64" ? this.b.extendS(mask) : mask);
  }
  /** Whether an answer holds in every lane, i32. */
  all(answer: Value): Value {
    return this.packed ? this.b.operation("i32", "i32x4.all_true", [answer]) : answer;
  }

  /** A scalar's bits without its sign, shifted to the top. */
  private magnitude(x: Value): Value {
    return this.b.shl(this.bits(x), this.b.constant(this.format.integer, 1));
  }
  private bits(x: Value): Value {
    const { float, integer } = this.format;
    return this.b.operation(integer, `${integer}.reinterpret_${float}`, [x]);
  }

  isZero(x: Value): Value {
    if (this.packed) return this.compare("eq", x, this.number(0));
    return this.b.eqz(this.magnitude(x));
  }
  /** Neither zero, subnormal, infinite nor NaN. */
  isNormal(x: Value): Value {
    return this.isBetween(x, 0n);
  }
  /** Normal and larger than the smallest normal number, to which a tiny result may have been rounded. */
  isAboveSmallest(x: Value): Value {
    return this.isBetween(x, 1n);
  }
  private isBetween(x: Value, above: 0n | 1n): Value {
    const { b, format } = this;
    if (this.packed) {
      const size = this.compute("abs", x);
      const finite = this.compare("lt", size, this.number(Infinity));
      return this.both(finite, this.compare(above ? "gt" : "ge", size, this.number(format.smallestNormal)));
    }
    const distance = b.sub(this.magnitude(x), b.constant(format.integer, format.exponentBit + above));
    return b.ltU(distance, b.constant(format.integer, format.normalSpan - above));
  }
  isOrdinary(x: Value): Value {
    return this.either(this.isNormal(x), this.isZero(x));
  }

  /** Zeros at the end of a scalar's significand, an integer of its size; that of a zero counts as a power of two's. */
  private trailingZeros(x: Value): Value {
    const { integer, precision } = this.format;
    return this.b.ctz(this.b.or(this.bits(x), this.b.constant(integer, 1n << BigInt(precision - 1))));
  }
  /** Whether the product of two ordinary scalars surely needs no rounding, unless it leaves the range: i32. */
  productIsExact(x: Value, y: Value): Value {
    const zeros = this.b.add(this.trailingZeros(x), this.trailingZeros(y));
    return this.b.geU(zeros, this.b.constant(this.format.integer, this.format.precision));
  }
  /**
   * Whether the sum of two ordinary scalars, itself ordinary, needed no rounding: less the larger of them, which leaves no
   * error (Dekker's fast two-sum) and cannot overflow, it is the smaller one.
   */
  sumIsExact(x: Value, y: Value, sum: Value): Value {
    const firstIsLarger = this.compare("ge", this.compute("abs", x), this.compute("abs", y));
    const part = this.compute("sub", sum, this.choose(firstIsLarger, x, y));
    return this.compare("eq", part, this.choose(firstIsLarger, y, x));
  }
}
