/**
 * Flags of a region at compile time: which instruction set them last, on operands that variables hold. Conditions are
 * computed from the operands; the two words of x86/flags.ts are made only where somebody needs them.
 *
 * What set them last may be different by the way control came: then a code says it at run time (flag-code.ts).
 */
import type { Value, Variable } from "../ir/ir.js";
import type { FunctionBuilder } from "../ir/function-builder.js";
import {
  addCarries,
  carryAndOverflow,
  carryWord,
  resultWord,
  rotatedOut,
  shiftedOut,
  subBorrows,
  type CarryOverflow,
} from "../x86/semantics/flag-words.js";
import type { Condition } from "../x86/semantics/instruction-builder.js";
import { productOverflows } from "../x86/semantics/products.js";

/** Who set all flags. Operands are in `left` and `right`, results in `result`. */
export const SOURCES = [
  /** FLAG_RESULT is in `result`, FLAG_CARRY in `left`. */
  "words",
  "add",
  "sub",
  "logic",
  /** CF and OF are in `left` and `right`, 0 or 1. */
  "given",
  /** `right` is the count. */
  "shl",
  "shr",
  "sar",
  /** Signed multiplication. */
  "product",
] as const;
export type Source = (typeof SOURCES)[number];

/** Who set some of them since. */
export const CHANGES = [
  "none",
  /** All but CF, which stays; the result is in `changed`. */
  "increment",
  "decrement",
  /** CF alone: it is in `changed`. */
  "carry",
  /** CF and OF: they are in `changed` and `overflow`. */
  "both",
  /** CF and OF by a rotation, whose result is in `changed`. */
  "rol",
  "ror",
] as const;
export type Change = (typeof CHANGES)[number];

export type OperandName = "left" | "right" | "result" | "changed" | "overflow";
/** Variables that hold operands: i64, zero-extended; `overflow` is an i32. */
export type OperandVariables = Readonly<Record<OperandName, Variable>>;

export interface Pending {
  /** "dynamic": as the code in its variable says, which may name increments and decrements as changes. */
  readonly source: Source | "dynamic";
  readonly size: number;
  /** Addition or subtraction without a carry in. */
  readonly plain: boolean;
  readonly change: Change;
  readonly changeSize: number;
  /** Operands as values of the code that follows, where they are. */
  readonly values?: Partial<Record<OperandName, Value>>;
}

/** The variables of the two words hold the flags. */
export const WORDS: Pending = { source: "words", size: 8, plain: false, change: "none", changeSize: 8 };
export const DYNAMIC: Pending = { ...WORDS, source: "dynamic" };

export type Known = Pending & { source: Source };

/** Whether a code can tell this change; otherwise the words have to be made where control joins. */
export function isCounting(change: Change): boolean {
  return change === "increment" || change === "decrement";
}

/** Reads the operands of pending flags and computes from them. */
export class PendingFlags {
  constructor(
    private readonly b: FunctionBuilder,
    private readonly variables: OperandVariables,
    readonly pending: Known,
  ) {}

  /** An operand as an integer of its size's type. */
  private get(name: OperandName): Value {
    const known = this.pending.values?.[name];
    if (known) return known;
    const value = this.b.get(this.variables[name]);
    const size = name === "changed" ? this.pending.changeSize : this.pending.size;
    return size === 8 ? value : this.b.wrap(value);
  }

  private get counted(): boolean {
    return isCounting(this.pending.change);
  }

  /** What ZF, SF and PF are of, and its size. */
  private outcome(): { value: Value; size: number } {
    const { size, changeSize } = this.pending;
    return this.counted
      ? { value: this.get("changed"), size: changeSize }
      : { value: this.get("result"), size };
  }

  private bit(value: Value, position: number): Value {
    const { b } = this;
    return b.and(b.wrap(b.shrU(value, b.constant(value.type, position))), b.i32(1));
  }

  /** Carries out of every bit of the last addition, or borrows. */
  private carries(): Value {
    const { b } = this;
    const [left, right, result] = [this.get("left"), this.get("right"), this.get("result")];
    return this.pending.source === "add"
      ? addCarries(b, left, right, result)
      : subBorrows(b, left, right, result);
  }

  /** CF and OF of a source that is neither an addition nor a subtraction. */
  private sourced(): CarryOverflow {
    const { b } = this;
    const { source, size } = this.pending;
    switch (source) {
      case "given":
        return { carry: b.wrap(this.get("left")), overflow: b.wrap(this.get("right")) };
      case "shl":
      case "shr":
      case "sar": {
        const [value, count, result] = [this.get("left"), this.get("right"), this.get("result")];
        return shiftedOut(b, source, size, { value, count, result });
      }
      case "product": {
        const overflow = productOverflows(b, size, this.get("left"), this.get("right"), this.get("result"));
        return { carry: overflow, overflow };
      }
      case "words": {
        const word = this.get("left");
        return {
          carry: this.bit(word, 63),
          overflow: this.bit(b.xor(word, b.shl(word, b.i64(1))), 63),
        };
      }
      default:
        return { carry: b.i32(0), overflow: b.i32(0) };
    }
  }

  // ── the words ─────────────────────────────────────────────────────────────────────────────────────────

  /** FLAG_RESULT. */
  resultWord(): Value {
    if (this.pending.source === "words" && !this.counted) return this.get("result");
    const { value, size } = this.outcome();
    return resultWord(this.b, value, size);
  }

  /** FLAG_CARRY. */
  carryWord(): Value {
    const { b } = this;
    const { change } = this.pending;
    if (change === "none") return this.sourceWord();
    const top = carryAndOverflow(b, this.carry(), this.overflow());
    if (!this.counted) return b.or(top, b.and(this.sourceWord(), b.i64((1n << 62n) - 1n)));
    return b.or(top, b.and(b.extendU(this.countCarries()), b.i64(8)));
  }

  private sourceWord(): Value {
    const { b } = this;
    const { source, size } = this.pending;
    if (source === "words") return this.get("left");
    if (source === "logic") return b.i64(0);
    if (source === "add" || source === "sub") return carryWord(b, this.carries(), size);
    const { carry, overflow } = this.sourced();
    return carryAndOverflow(b, carry, overflow);
  }

  private countCarries(): Value {
    const { b } = this;
    const result = this.get("changed");
    const one = b.constant(result.type, 1);
    return this.pending.change === "increment"
      ? addCarries(b, b.sub(result, one), one, result)
      : subBorrows(b, b.add(result, one), one, result);
  }

  // ── conditions ────────────────────────────────────────────────────────────────────────────────────────

  /** A condition that is not negated, as i32 0 or 1. */
  condition(name: Condition): Value {
    const { b } = this;
    switch (name) {
      case "o":
        return this.overflow();
      case "b":
        return this.carry();
      case "e":
        return this.zero();
      case "s":
        return this.sign();
      case "p":
        return this.parity();
      case "be":
        if (this.compared) return b.leU(this.truncated("left"), this.truncated("right"));
        return this.pending.source === "logic" && this.pending.change === "none"
          ? this.zero()
          : b.or(this.carry(), this.zero());
      case "l":
        return this.less();
      default:
        return this.lessOrEqual();
    }
  }

  private get compared(): boolean {
    const { source, plain, change } = this.pending;
    return source === "sub" && plain && change === "none";
  }

  private get withoutOverflow(): boolean {
    return this.pending.source === "logic" && this.pending.change === "none";
  }

  private truncated(name: "left" | "right" | "result"): Value {
    return this.b.truncate(this.get(name), this.pending.size);
  }

  private signed(name: "left" | "right"): Value {
    return this.b.signExtend(this.get(name), this.pending.size);
  }

  private get wordOutcome(): boolean {
    return this.pending.source === "words" && !this.counted;
  }

  private zero(): Value {
    const { b } = this;
    if (this.compared) return b.eq(this.truncated("left"), this.truncated("right"));
    const { value, size } = this.outcome();
    return b.eqz(this.wordOutcome ? value : b.truncate(value, size));
  }

  private sign(): Value {
    const { b } = this;
    if (this.wordOutcome)
      return b.wrap(b.and(b.xor(b.shrU(this.get("result"), b.i64(63)), this.get("left")), b.i64(1)));
    const { value, size } = this.outcome();
    return b.ltS(b.signExtend(value, size), b.constant(value.type, 0));
  }

  private parity(): Value {
    const { b } = this;
    const { value } = this.outcome();
    const whole = this.wordOutcome ? b.xor(value, b.shrU(this.get("left"), b.i64(8))) : value;
    return b.xor(b.and(b.popcnt(b.and(b.wrap(whole), b.i32(0xff))), b.i32(1)), b.i32(1));
  }

  private less(): Value {
    const { b } = this;
    if (this.compared) return b.ltS(this.signed("left"), this.signed("right"));
    return this.withoutOverflow ? this.sign() : b.xor(this.sign(), this.overflow());
  }

  private lessOrEqual(): Value {
    const { b } = this;
    if (this.compared) return b.leS(this.signed("left"), this.signed("right"));
    if (!this.withoutOverflow) return b.or(b.xor(this.sign(), this.overflow()), this.zero());
    const { value, size } = this.outcome();
    return b.leS(b.signExtend(value, size), b.constant(value.type, 0));
  }

  private rotated(): CarryOverflow {
    const { change, changeSize } = this.pending;
    return rotatedOut(this.b, change === "rol", changeSize, this.get("changed"));
  }

  private carry(): Value {
    const { b, pending } = this;
    switch (pending.change) {
      case "carry":
      case "both":
        return b.wrap(this.get("changed"));
      case "rol":
      case "ror":
        return this.rotated().carry;
      default:
        return this.sourceCarry();
    }
  }

  private sourceCarry(): Value {
    const { b, pending } = this;
    if (pending.plain && pending.source === "sub")
      return b.ltU(this.truncated("left"), this.truncated("right"));
    if (pending.plain && pending.source === "add")
      return b.ltU(this.truncated("result"), this.truncated("left"));
    if (pending.source !== "add" && pending.source !== "sub") return this.sourced().carry;
    return this.bit(this.carries(), pending.size * 8 - 1);
  }

  private overflow(): Value {
    const { b, pending } = this;
    const { change, changeSize } = pending;
    switch (change) {
      case "both":
        return this.pending.values?.overflow ?? b.get(this.variables.overflow);
      case "rol":
      case "ror":
        return this.rotated().overflow;
      case "increment":
      case "decrement": {
        const result = b.truncate(this.get("changed"), changeSize);
        const edge = (1n << BigInt(changeSize * 8 - 1)) - (change === "increment" ? 0n : 1n);
        return b.eq(result, b.constant(result.type, edge));
      }
      default:
        return this.sourceOverflow();
    }
  }

  private sourceOverflow(): Value {
    const { b } = this;
    const { source, size } = this.pending;
    if (source !== "add" && source !== "sub") return this.sourced().overflow;
    const vector = this.carries();
    return this.bit(b.xor(vector, b.shl(vector, b.constant(vector.type, 1))), size * 8 - 1);
  }
}
