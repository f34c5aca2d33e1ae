/** Bit tests, bit scans, SETcc, CMOVcc, byte swaps. SDM vol. 2. */
import type { Value } from "../../ir/ir.js";
import {
  CONDITIONS,
  type InstructionBuilder,
  type Semantics,
  type SemanticsTable,
} from "./instruction-builder.js";

type BitChange = (b: InstructionBuilder, value: Value, mask: Value) => Value;

/** Address of the operand-sized unit that holds bit `offset` (signed) of the bit string at the memory operand. */
function bitStringAddress(
  b: InstructionBuilder,
  size: number,
  offset: Value,
  access: "read" | "modify",
): Value {
  const signed = b.extendS(b.signExtend(offset, size));
  const unit = b.shrS(signed, b.i64(size === 8 ? 6 : size === 4 ? 5 : 4));
  return b.linearAddress(size, access, b.mul(unit, b.i64(size)));
}

/** BT, BTS, BTR, BTC: CF is the old bit; the other flags stay. */
function bitTest(change?: BitChange): Semantics {
  return (b, { operands: [destination, source] }) => {
    const size = destination.size;
    const offset = b.read(source);
    const position = b.and(offset, b.constant(offset.type, size * 8 - 1));
    const apply = (old: Value): Value => {
      b.setCarry(b.and(b.wrap(b.shrU(old, position)), b.i32(1)));
      if (!change) return old;
      return change(b, old, b.shl(b.constant(old.type, 1), position));
    };
    if (destination.kind === "memory" && source.kind === "register") {
      const access = change ? "modify" : "read";
      const host = b.translate(bitStringAddress(b, size, offset, access), size, access);
      const value = apply(b.loadHost(host, size));
      if (!change) return;
      b.storeHost(host, value, size);
      b.commit(host, size, "modify");
    } else if (change) b.modify(destination, apply);
    else apply(b.read(destination));
  };
}

/** BSF and BSR: a zero source leaves the destination alone and sets ZF. */
function bitScan(reverse: boolean): Semantics {
  return (b, { operands: [destination, source] }) => {
    const value = b.read(source);
    b.if(b.ne(value, b.constant(value.type, 0)), () => {
      const width = b.constant(value.type, value.type === "i64" ? 63 : 31);
      b.write(destination, reverse ? b.sub(width, b.clz(value)) : b.ctz(value));
    });
    b.flagsLogic(source.size, value);
  };
}

/** TZCNT and LZCNT: a zero source gives the operand width and sets CF. */
function countZeros(leading: boolean): Semantics {
  return (b, { operands: [destination, source] }) => {
    const bits = source.size * 8;
    const value = b.read(source);
    const typeBits = value.type === "i64" ? 64 : 32;
    let count: Value;
    if (leading) count = b.sub(b.clz(value), b.constant(value.type, typeBits - bits));
    else count = b.select(b.eqz(value), b.constant(value.type, bits), b.ctz(value));
    b.write(destination, count);
    b.flagsResult(source.size, count, b.eqz(value), b.i32(0));
  };
}

function swapBytes(b: InstructionBuilder, value: Value, size: number): Value {
  if (size === 2) return b.and(b.or(b.shl(value, b.i32(8)), b.shrU(value, b.i32(8))), b.i32(0xffff));
  if (size === 4) {
    const outer = b.and(b.rotl(value, b.i32(8)), b.i32(0x00ff00ff));
    return b.or(outer, b.and(b.rotr(value, b.i32(8)), b.i32(0xff00ff00)));
  }
  const high = b.extendU(swapBytes(b, b.wrap(value), 4));
  const low = b.extendU(swapBytes(b, b.wrap(b.shrU(value, b.i64(32))), 4));
  return b.or(b.shl(high, b.i64(32)), low);
}

const CONDITIONAL: SemanticsTable = Object.fromEntries(
  CONDITIONS.flatMap((condition): [string, Semantics][] => [
    [`set${condition}`, (b, { operands: [destination] }) => b.write(destination, b.condition(condition))],
    [
      `cmov${condition}`,
      (b, { operands: [destination, source] }) => {
        const value = b.read(source);
        b.write(destination, b.select(b.condition(condition), value, b.read(destination)));
      },
    ],
  ]),
);

export const BITS: SemanticsTable = {
  ...CONDITIONAL,
  bt: bitTest(),
  bts: bitTest((b, old, mask) => b.or(old, mask)),
  btr: bitTest((b, old, mask) => b.and(old, b.not(mask))),
  btc: bitTest((b, old, mask) => b.xor(old, mask)),
  bsf: bitScan(false),
  bsr: bitScan(true),
  tzcnt: countZeros(false),
  lzcnt: countZeros(true),
  popcnt: (b, { operands: [destination, source] }) => {
    const value = b.read(source);
    b.write(destination, b.popcnt(value));
    b.setStatusFlags(b.shl(b.eqz(value), b.i32(6)));
  },
  bswap: (b, { operands: [destination] }) =>
    b.modify(destination, (old) => swapBytes(b, old, destination.size)),
  movbe: (b, { operands: [destination, source] }) =>
    b.write(destination, swapBytes(b, b.read(source), source.size)),
};
