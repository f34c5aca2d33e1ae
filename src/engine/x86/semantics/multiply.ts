/** MUL, IMUL, DIV, IDIV. SDM vol. 2. */
import { VECTOR_DE } from "../../../spec/x86-privileged.js";
import type { Value } from "../../ir/ir.js";
import { MAIL_VALUE } from "../layout.js";
import type { Operand } from "../operands.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";
import { multiplyHighSigned, multiplyHighUnsigned } from "./products.js";

/** Writes a double-width product to AX, DX:AX, EDX:EAX or RDX:RAX. */
function writeProduct(b: InstructionBuilder, size: number, low: Value, high: Value): void {
  if (size === 1) return b.setGpr(0, 2, low);
  b.setGpr(0, size, low);
  b.setGpr(2, size, high);
}

/** CF and OF say that the high half matters; the rest follows the low half. */
function productFlags(b: InstructionBuilder, size: number, low: Value, significant: Value): void {
  b.flagsResult(size, low, significant, significant);
}

function multiply(signed: boolean): Semantics {
  return (b, { operands: [source] }) => {
    const size = source.size;
    const factor = b.read(source);
    if (size === 8) {
      const accumulator = b.gpr(0, 8);
      const low = b.mul(accumulator, factor);
      const high = signed
        ? multiplyHighSigned(b, accumulator, factor)
        : multiplyHighUnsigned(b, accumulator, factor);
      const significant = signed ? b.ne(high, b.shrS(low, b.i64(63))) : b.ne(high, b.i64(0));
      writeProduct(b, 8, low, high);
      return productFlags(b, 8, low, significant);
    }
    const widen = (v: Value): Value => (signed ? b.extendS(b.signExtend(v, size)) : b.extendU(v));
    const product = b.mul(widen(b.gpr(0, size)), widen(factor));
    const low = b.wrap(product);
    const significant = b.ne(product, widen(b.truncate(low, size)));
    writeProduct(b, size, low, b.wrap(b.shrU(product, b.i64(size * 8))));
    productFlags(b, size, low, significant);
  };
}

/** Two- and three-operand IMUL: the truncated product, CF and OF when it does not fit. */
function multiplyTruncated(b: InstructionBuilder, destination: Operand, x: Value, y: Value): void {
  const low = b.truncate(b.mul(x, y), destination.size);
  b.write(destination, low);
  b.flagsProduct(destination.size, x, y, low);
}

const multiplyTwo: Semantics = (b, { operands: [destination, source] }) => {
  const right = b.read(source);
  multiplyTruncated(b, destination, b.read(destination), right);
};

const multiplyThree: Semantics = (b, { operands: [destination, source, immediate] }) => {
  const left = b.read(source);
  multiplyTruncated(b, destination, left, b.read(immediate));
};

/** The double-width dividend of 8-, 16- and 32-bit division as an i64. */
function dividend(b: InstructionBuilder, size: number, signed: boolean): Value {
  if (size === 1) {
    const ax = b.gpr(0, 2);
    return signed ? b.extendS(b.signExtend(ax, 2)) : b.extendU(ax);
  }
  const low = b.extendU(b.gpr(0, size));
  const high = b.extendU(b.gpr(2, size));
  const whole = b.or(b.shl(high, b.i64(size * 8)), low);
  return signed && size === 2 ? b.signExtend(whole, 4) : whole;
}

function writeQuotient(b: InstructionBuilder, size: number, quotient: Value, remainder: Value): void {
  const narrow = (v: Value): Value => (size === 8 ? v : b.wrap(v));
  b.setGpr(0, size, narrow(quotient));
  if (size === 1) b.setAh(b.wrap(remainder));
  else b.setGpr(2, size, narrow(remainder));
}

const divideUnsigned: Semantics = (b, { operands: [source] }) => {
  const size = source.size;
  const divisor = b.extendU(b.read(source));
  b.if(b.eqz(divisor), () => b.raise(VECTOR_DE));
  if (size === 8) {
    b.if(b.ne(b.gpr(2, 8), b.i64(0)), () => {
      b.setState("i64.store", MAIL_VALUE, divisor);
      b.helper("divide_wide");
    });
    const low = b.gpr(0, 8);
    return writeQuotient(b, 8, b.divU(low, divisor), b.remU(low, divisor));
  }
  const whole = dividend(b, size, false);
  const quotient = b.divU(whole, divisor);
  b.if(b.ne(b.shrU(quotient, b.i64(size * 8)), b.i64(0)), () => b.raise(VECTOR_DE));
  writeQuotient(b, size, quotient, b.remU(whole, divisor));
};

const MINIMUM = -(1n << 63n);

const divideSigned: Semantics = (b, { operands: [source] }) => {
  const size = source.size;
  const divisor = size === 8 ? b.read(source) : b.extendS(b.signExtend(b.read(source), size));
  b.if(b.eqz(divisor), () => b.raise(VECTOR_DE));
  let whole: Value;
  if (size === 8) {
    whole = b.gpr(0, 8);
    b.if(b.ne(b.gpr(2, 8), b.shrS(whole, b.i64(63))), () => {
      b.setState("i64.store", MAIL_VALUE, divisor);
      b.helper("divide_wide_signed");
    });
  } else whole = dividend(b, size, true);
  // The one quotient that does not fit an i64 would trap.
  const overflows = b.and(b.eq(whole, b.i64(MINIMUM)), b.eq(divisor, b.i64(-1)));
  b.if(overflows, () => b.raise(VECTOR_DE));
  const quotient = b.divS(whole, divisor);
  if (size !== 8) {
    b.if(b.ne(b.signExtend(quotient, size), quotient), () => b.raise(VECTOR_DE));
  }
  writeQuotient(b, size, quotient, b.remS(whole, divisor));
};

export const MULTIPLY: SemanticsTable = {
  mul: multiply(false),
  imul1: multiply(true),
  imul2: multiplyTwo,
  imul3: multiplyThree,
  div: divideUnsigned,
  idiv: divideSigned,
};
