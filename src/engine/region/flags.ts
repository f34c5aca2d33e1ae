/**
 * Flags of a region at compile time: which instruction set them last, on operands that variables hold. Conditions are
 * computed from the operands; the two words of x86/flags.ts are made only where somebody needs them.
 */
import type { Value, Variable } from "../ir/ir.js";
import type { FunctionBuilder } from "../ir/function-builder.js";
import {
  addCarries,
  carryAndOverflow,
  carryWord,
  resultWord,
  subBorrows,
} from "../x86/semantics/flag-words.js";
import type { Condition } from "../x86/semantics/instruction-builder.js";
import type { RegionVariables } from "./registers.js";

/** Who set the flags. */
export type Pending =
  /** The variables of the two words hold them. */
  | { kind: "words" }
  /** `result = left + right` or `left - right`; `plain` without a carry in. */
  | { kind: "add" | "sub"; size: number; plain: boolean }
  | { kind: "logic"; size: number }
  /** `result = left ± 1`; `right` holds the old CF. */
  | { kind: "increment" | "decrement"; size: number }
  /** CF and OF are in `left` and `right`, 0 or 1. */
  | { kind: "given"; size: number };

export const WORDS: Pending = { kind: "words" };

/** Reads the operands of pending flags and computes from them. */
export class PendingFlags {
  constructor(
    private readonly b: FunctionBuilder,
    private readonly locals: RegionVariables,
    readonly pending: Exclude<Pending, { kind: "words" }>,
  ) {}

  private variable(name: "left" | "right" | "result"): Variable {
    const wide = this.pending.size === 8;
    if (this.pending.kind === "given" && name !== "result") return this.locals.operands.i32[name];
    return this.locals.operands[wide ? "i64" : "i32"][name];
  }

  private get(name: "left" | "right" | "result"): Value {
    return this.b.get(this.variable(name));
  }

  private unsigned(name: "left" | "right" | "result"): Value {
    return this.b.truncate(this.get(name), this.pending.size);
  }

  private signed(name: "left" | "right" | "result"): Value {
    return this.b.signExtend(this.get(name), this.pending.size);
  }

  private topBit(value: Value): Value {
    const bit = this.b.shrU(value, this.b.constant(value.type, this.pending.size * 8 - 1));
    return this.b.and(this.b.wrap(bit), this.b.i32(1));
  }

  /** Carries out of every bit of the last addition, or borrows. */
  private carries(): Value {
    const { b } = this;
    const result = this.get("result");
    switch (this.pending.kind) {
      case "increment": {
        const one = b.constant(result.type, 1);
        return addCarries(b, b.sub(result, one), one, result);
      }
      case "decrement": {
        const one = b.constant(result.type, 1);
        return subBorrows(b, b.add(result, one), one, result);
      }
      case "add":
        return addCarries(b, this.get("left"), this.get("right"), result);
      default:
        return subBorrows(b, this.get("left"), this.get("right"), result);
    }
  }

  /** FLAG_RESULT. */
  resultWord(): Value {
    return resultWord(this.b, this.get("result"), this.pending.size);
  }

  /** FLAG_CARRY. */
  carryWord(): Value {
    const { b, pending } = this;
    switch (pending.kind) {
      case "logic":
        return b.i64(0);
      case "given":
        return carryAndOverflow(b, this.get("left"), this.get("right"));
      case "increment":
      case "decrement": {
        const overflow = this.overflow();
        const auxiliary = b.and(b.extendU(this.carries()), b.i64(8));
        return b.or(carryAndOverflow(b, b.wrap(this.get("right")), overflow), auxiliary);
      }
      default:
        return carryWord(b, this.carries(), pending.size);
    }
  }

  /** A condition that is not negated, as i32 0 or 1. */
  condition(name: Condition): Value {
    const { b, pending } = this;
    const zero = (): Value => b.eqz(this.unsigned("result"));
    const sign = (): Value => {
      const result = this.signed("result");
      return b.ltS(result, b.constant(result.type, 0));
    };
    const compared = pending.kind === "sub" && pending.plain;
    switch (name) {
      case "o":
        return this.overflow();
      case "b":
        return this.carry();
      case "e":
        return compared ? b.eq(this.unsigned("left"), this.unsigned("right")) : zero();
      case "be":
        if (compared) return b.leU(this.unsigned("left"), this.unsigned("right"));
        return pending.kind === "logic" ? zero() : b.or(this.carry(), zero());
      case "s":
        return sign();
      case "p": {
        const byte = b.and(b.wrap(this.get("result")), b.i32(0xff));
        return b.xor(b.and(b.popcnt(byte), b.i32(1)), b.i32(1));
      }
      case "l":
        if (compared) return b.ltS(this.signed("left"), this.signed("right"));
        return pending.kind === "logic" ? sign() : b.xor(sign(), this.overflow());
      default: {
        if (compared) return b.leS(this.signed("left"), this.signed("right"));
        const result = this.signed("result");
        if (pending.kind === "logic") return b.leS(result, b.constant(result.type, 0));
        return b.or(b.xor(sign(), this.overflow()), zero());
      }
    }
  }

  private carry(): Value {
    const { b, pending } = this;
    switch (pending.kind) {
      case "logic":
        return b.i32(0);
      case "given":
        return this.get("left");
      case "increment":
      case "decrement":
        return b.wrap(this.get("right"));
      case "sub":
        if (pending.plain) return b.ltU(this.unsigned("left"), this.unsigned("right"));
        break;
      case "add":
        if (pending.plain) return b.ltU(this.unsigned("result"), this.unsigned("left"));
    }
    return this.topBit(this.carries());
  }

  private overflow(): Value {
    const { b, pending } = this;
    const { size } = pending;
    switch (pending.kind) {
      case "logic":
        return b.i32(0);
      case "given":
        return this.get("right");
      case "increment":
      case "decrement": {
        const result = this.unsigned("result");
        const edge = (1n << BigInt(size * 8 - 1)) - (pending.kind === "increment" ? 0n : 1n);
        return b.eq(result, b.constant(result.type, edge));
      }
      default: {
        const vector = this.carries();
        return this.topBit(b.xor(vector, b.shl(vector, b.constant(vector.type, 1))));
      }
    }
  }
}
