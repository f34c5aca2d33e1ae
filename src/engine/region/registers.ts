/**
 * What a region keeps in WebAssembly locals instead of the CPU area: general registers and the lazy flags. Sets of
 * them are bit masks.
 */
import { GPR_NAMES } from "../../x86/cpu-state.js";
import { makeVariable, type Type, type Variable } from "../ir/ir.js";
import * as layout from "../x86/layout.js";
import type { OperandVariables } from "./flags.js";

/** Bits behind those of the general registers. */
export const FLAG_RESULT_BIT = 16;
export const FLAG_CARRY_BIT = 17;
const CACHED = 18;

/** By their bits. */
export const REGISTER_NAMES = [...GPR_NAMES, "flagResult", "flagCarry"];

/** Mask of both flag words. */
export const FLAG_WORDS = (1 << FLAG_RESULT_BIT) | (1 << FLAG_CARRY_BIT);

/** Offset in the CPU area of a cached register by its bit. */
export function homeOf(bit: number): number {
  if (bit === FLAG_RESULT_BIT) return layout.FLAG_RESULT;
  if (bit === FLAG_CARRY_BIT) return layout.FLAG_CARRY;
  return layout.GPR + bit * 8;
}

/** Bits of a mask, ascending. */
export function bitsOf(mask: number): number[] {
  const bits: number[] = [];
  for (let bit = 0; bit < CACHED; bit++) if ((mask >> bit) & 1) bits.push(bit);
  return bits;
}

/** Fields that variables hold, and their types. */
const FIELDS = new Map<number, Type>([
  ...[0, 1, 2, 3, 4, 5].map((segment): [number, Type] => [layout.SEGMENT_BASE + segment * 8, "i64"]),
  [layout.STACK_MASK, "i64"],
  [layout.STACK_BASE, "i64"],
  [layout.STACK_CHECKED, "i32"],
]);

export interface PageVariables {
  /** Linear address of a page that the TLB answers for, or `NO_PAGE`. */
  readonly page: Variable;
  readonly addend: Variable;
}

/** What no address is when the offset in its page is cut to a multiple of a size: no page. */
export const NO_PAGE = layout.PAGE_SIZE / 2;

/** The variables of one region. All are set before the first node runs. */
export class RegionVariables {
  readonly cached: readonly Variable[] = REGISTER_NAMES.map((name) => makeVariable(name, "i64"));
  /** Instructions that may still run. */
  readonly left = makeVariable("budget", "i32");
  /** Host address of the current TLB. */
  readonly tlb = makeVariable("tlb", "i32");
  /** Address of the page as RIP sees it. */
  readonly pageRip = makeVariable("pageRip", "i64");
  /** Target of an indirect jump on its way out. */
  readonly target = makeVariable("target", "i64");
  /** Which way out is taken, for those that share code: see region-exits.ts. */
  readonly exit = makeVariable("exit", "i32");
  /** Node that the dispatcher goes to. */
  readonly state = makeVariable("state", "i32");
  /** Operands of the last instructions that set flags, see flags.ts. */
  readonly operands: OperandVariables = {
    left: makeVariable("left", "i64"),
    right: makeVariable("right", "i64"),
    result: makeVariable("result", "i64"),
    changed: makeVariable("changed", "i64"),
    overflow: makeVariable("overflow", "i32"),
  };
  /** Which instructions those were, where it depends on the way control came: see flag-code.ts. */
  readonly flagCode = makeVariable("flagCode", "i32");

  /** Fields of the CPU area that regions seldom change: loaded at entry, written through. */
  readonly fields = new Map<number, Variable>();
  /** The last page that accesses of one kind were translated for, by base register: its address and addend. */
  readonly pages = new Map<number, PageVariables>();

  /** The variable of a field, if it has one. */
  field(offset: number): Variable | undefined {
    const type = FIELDS.get(offset);
    if (type === undefined) return undefined;
    let variable = this.fields.get(offset);
    if (!variable) this.fields.set(offset, (variable = makeVariable(`field${offset}`, type)));
    return variable;
  }

  /** Those of a base register and an access, by a number that stands for both. */
  page(key: number): PageVariables {
    let variables = this.pages.get(key);
    if (!variables) {
      variables = { page: makeVariable(`page${key}`, "i64"), addend: makeVariable(`addend${key}`, "i32") };
      this.pages.set(key, variables);
    }
    return variables;
  }
}
