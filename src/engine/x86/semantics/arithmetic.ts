/** ADD to XOR, CMP, TEST, INC, DEC, NEG, NOT, exchanges. SDM vol. 2. */
import type { Value } from "../../ir/ir.js";
import type { Operation } from "../operands.js";
import {
  typeOf,
  type InstructionBuilder,
  type Semantics,
  type SemanticsTable,
} from "./instruction-builder.js";

type Compute = (b: InstructionBuilder, size: number, a: Value, c: Value) => Value;

/** Destination op= source, with flags set by `compute`. */
function binary(compute: Compute): Semantics {
  return (b, { operands: [destination, source] }) => {
    const right = b.read(source);
    b.modify(destination, (left) => compute(b, destination.size, left, right));
  };
}

/** As `binary`, but the result is thrown away. */
function compare(compute: Compute): Semantics {
  return (b, { operands: [destination, source] }) => {
    const right = b.read(source);
    compute(b, destination.size, b.read(destination), right);
  };
}

function withCarry(b: InstructionBuilder, size: number): Value {
  const carry = b.condition("b");
  return size === 8 ? b.extendU(carry) : carry;
}

const add: Compute = (b, size, left, right) => {
  const result = b.add(left, right);
  b.flagsAdd(size, left, right, result);
  return result;
};

const adc: Compute = (b, size, left, right) => {
  const result = b.add(b.add(left, right), withCarry(b, size));
  b.flagsAdd(size, left, right, result);
  return result;
};

const sub: Compute = (b, size, left, right) => {
  const result = b.sub(left, right);
  b.flagsSub(size, left, right, result);
  return result;
};

const sbb: Compute = (b, size, left, right) => {
  const result = b.sub(b.sub(left, right), withCarry(b, size));
  b.flagsSub(size, left, right, result);
  return result;
};

function logic(op: "and" | "or" | "xor"): Compute {
  return (b, size, left, right) => {
    const result = b[op](left, right);
    b.flagsLogic(size, result);
    return result;
  };
}

function increment(decrement: boolean): Semantics {
  return (b, { operands: [destination] }) => {
    b.modify(destination, (old) => {
      const one = b.constant(old.type, 1);
      const result = decrement ? b.sub(old, one) : b.add(old, one);
      b.flagsIncrement(destination.size, old, result, decrement);
      return result;
    });
  };
}

const exchange: Semantics = (b, { operands: [destination, source] }) => {
  const value = b.read(source);
  b.modify(destination, (old) => {
    b.write(source, old);
    return value;
  });
};

const exchangeAdd: Semantics = (b, { operands: [destination, source] }) => {
  const right = b.read(source);
  b.modify(destination, (old) => {
    const sum = add(b, destination.size, old, right);
    b.write(source, old);
    return sum;
  });
};

/**
 * Accumulator equal to the destination: store the source; else load the accumulator. Memory is written either way; a
 * register that differs keeps all its bits, as hardware does.
 */
const compareExchange: Semantics = (b, { operands: [destination, source] }) => {
  const size = destination.size;
  const value = b.read(source);
  const accumulator = b.gpr(0, size);
  const compareWith = (old: Value): Value => {
    const difference = sub(b, size, accumulator, old);
    return b.eqz(b.truncate(difference, size));
  };
  if (destination.kind === "register") {
    const old = b.read(destination);
    b.if(
      compareWith(old),
      () => b.write(destination, value),
      () => b.setGpr(0, size, old),
    );
    return;
  }
  b.modify(destination, (old) => {
    const equal = compareWith(old);
    b.if(b.eqz(equal), () => b.setGpr(0, size, old));
    return b.select(equal, value, old);
  });
};

/** CMPXCHG8B, and with REX.W CMPXCHG16B, whose operand must be aligned. Only ZF changes. */
const compareExchangePair: Semantics = (b, { size }) => {
  const half = size === 8 ? 8 : 4;
  const linear = b.linearAddress(half * 2, "modify");
  if (half === 8) b.requireAligned(linear, 16);
  const host = b.translate(linear, half * 2, "modify");
  const high = b.add(host, b.i32(half));
  const oldLow = b.loadHost(host, half);
  const oldHigh = b.loadHost(high, half);
  const equal = b.and(b.eq(oldLow, b.gpr(0, half)), b.eq(oldHigh, b.gpr(2, half)));
  const flags = b.and(b.statusFlags(), b.i32(~0x40));
  b.if(
    equal,
    () => {
      b.storeHost(host, b.gpr(3, half), half);
      b.storeHost(high, b.gpr(1, half), half);
    },
    () => {
      b.setGpr(0, half, oldLow);
      b.setGpr(2, half, oldHigh);
    },
  );
  b.commit(host, half * 2, "modify");
  b.setStatusFlags(b.or(flags, b.shl(equal, b.i32(6))));
};

function addWithFlag(flag: "b" | "o"): Semantics {
  return (b, operation: Operation) => {
    const [destination, source] = operation.operands;
    const right = b.read(source);
    const left = b.read(destination);
    const carry = b.condition(flag);
    const sum = b.add(b.add(left, right), typeOf(destination.size) === "i64" ? b.extendU(carry) : carry);
    const carries = b.or(b.and(left, right), b.and(b.or(left, right), b.not(sum)));
    const out = b.wrap(b.shrU(carries, b.constant(carries.type, destination.size * 8 - 1)));
    const overflow = b.condition("o");
    const carryFlag = b.condition("b");
    b.write(destination, sum);
    if (flag === "b") b.setCarryOverflow(out, overflow);
    else b.setCarryOverflow(carryFlag, out);
  };
}

export const ARITHMETIC: SemanticsTable = {
  add: binary(add),
  adc: binary(adc),
  sub: binary(sub),
  sbb: binary(sbb),
  and: binary(logic("and")),
  or: binary(logic("or")),
  xor: binary(logic("xor")),
  cmp: compare(sub),
  test: compare(logic("and")),
  inc: increment(false),
  dec: increment(true),
  neg: (b, { operands: [destination] }) => {
    b.modify(destination, (old) => sub(b, destination.size, b.constant(old.type, 0), old));
  },
  not: (b, { operands: [destination] }) => b.modify(destination, (old) => b.not(old)),
  xchg: exchange,
  xadd: exchangeAdd,
  cmpxchg: compareExchange,
  cmpxchg8b: compareExchangePair,
  adcx: addWithFlag("b"),
  adox: addWithFlag("o"),
};
