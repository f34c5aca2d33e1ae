/**
 * Operations: a form at one operand size, with memory or register operand, whose operands say where the decoded record holds
 * them. Equal operations share one number, so `add Ev,Gv` and `add Gv,Ev` between registers are one. They are made when the program
 * is built (`make-operations.ts`). Knows no semantics.
 */
import type { Instruction } from "./instruction.js";
import { variantIndex } from "./operation-variants.js";
import type { Form } from "./table/form.js";
import { operationsJson, variantsJson } from "./table/made-tables.js";
import { unpackOperations, type PackedOperations } from "./table/packed-tables.js";

/** Where a handler finds an operand. */
export type Operand =
  /** General register named by record field `a`, `b` or `v`. */
  | { kind: "register"; field: "a" | "b" | "v"; size: number }
  /** Guest memory at the record's effective address. */
  | { kind: "memory"; size: number; aligned: boolean }
  /** XMM register named by `a` or `b`; `size` bytes of it count. */
  | { kind: "xmm"; field: "a" | "b"; size: number; aligned: boolean }
  | { kind: "mmx"; field: "a" | "b"; size: number }
  /** Immediate, sign-extended. */
  | { kind: "immediate"; size: number }
  /** The CL register. */
  | { kind: "cl"; size: 1 }
  /** Branch target, relative to the start of the code page. */
  | { kind: "relative"; size: number };

/** What one handler does: a mnemonic, an operand size, operands. */
export interface Operation {
  readonly id: number;
  readonly mnemonic: string;
  /** Operand size in bytes, 0 where the form has none. */
  readonly size: number;
  readonly isMemory: boolean;
  readonly operands: readonly Operand[];
  /** Unique text, e.g. "add.8 b8,a8". */
  readonly key: string;
}

/** Every operation, numbered, and which one each form is. */
export interface MadeOperations {
  list: Operation[];
  /** By `variantIndex`: the operation's number, or -1. */
  variants: number[];
}

/** Effective size index of a decoded instruction for its form. */
function effectiveSize(form: Form, instruction: Instruction): number {
  if (form.sizing === "v") return instruction.operandSize;
  if (form.sizing === "y") return instruction.operandSize === 8 ? 8 : 4;
  return 0;
}

class Operations {
  readonly #variants = Int32Array.from(JSON.parse(variantsJson()) as number[]);
  #list: readonly Operation[] | undefined;
  #byKey: ReadonlyMap<string, Operation> | undefined;

  /** By number. Only what generates code looks at it, so that a start does not. */
  get list(): readonly Operation[] {
    return (this.#list ??= unpackOperations(JSON.parse(operationsJson()) as PackedOperations));
  }

  /** The operation of a decoded instruction; -1 if its operands do not fit the form (an undefined encoding). */
  find(instruction: Instruction): number {
    const form = instruction.form;
    return this.#variants[variantIndex(form, effectiveSize(form, instruction), instruction.isMemory)];
  }

  named(key: string): Operation {
    this.#byKey ??= new Map(this.list.map((one) => [one.key, one]));
    const operation = this.#byKey.get(key);
    if (!operation) throw new Error(`there is no operation "${key}"`);
    return operation;
  }
}

export const OPERATIONS = new Operations();
