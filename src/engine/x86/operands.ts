/**
 * From forms to operations: a form at one operand size, with memory or register operand, becomes an `Operation`
 * whose operands say where the decoded record holds them. Equal operations share one number, so `add Ev,Gv` and
 * `add Gv,Ev` between registers are one. Knows no semantics.
 */
import type { Instruction } from "./instruction.js";
import { FORMS, type Form, type OperandSpec } from "./table/forms.js";

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

const FIXED_SIZES: Record<string, number> = { b: 1, w: 2, d: 4, q: 8, x: 16, a: 16, u: 1, "2": 1 };

function operandSize(spec: OperandSpec, size: number): number {
  if (spec.size === "v" || spec.size === "") return size;
  if (spec.size === "z") return Math.min(size, 4);
  if (spec.size === "y") return size === 8 ? 8 : 4;
  return FIXED_SIZES[spec.size] ?? size;
}

function resolve(form: Form, spec: OperandSpec, size: number, isMemory: boolean): Operand | undefined {
  const bytes = operandSize(spec, size);
  const aligned = spec.size === "a";
  const usesB = form.operands.some((o) => "EZOWQR".includes(o.kind) && o.kind.length === 1);
  switch (spec.kind) {
    case "E":
      if (isMemory) return { kind: "memory", size: bytes, aligned: false };
      return { kind: "register", field: "b", size: form.dwordRegister ? 4 : bytes };
    case "Z":
    case "R":
      return { kind: "register", field: "b", size: bytes };
    case "G":
      return { kind: "register", field: "a", size: bytes };
    case "B":
      return { kind: "register", field: "v", size: bytes };
    case "AL":
    case "rAX":
      return { kind: "register", field: usesB ? "a" : "b", size: bytes };
    case "M":
    case "O":
      return { kind: "memory", size: bytes, aligned };
    case "V":
      return { kind: "xmm", field: "a", size: 16, aligned };
    case "W":
      return isMemory
        ? { kind: "memory", size: bytes, aligned }
        : { kind: "xmm", field: "b", size: bytes, aligned };
    case "P":
      return { kind: "mmx", field: "a", size: 8 };
    case "Q":
      return isMemory ? { kind: "memory", size: bytes, aligned } : { kind: "mmx", field: "b", size: 8 };
    case "I":
    case "1":
      return { kind: "immediate", size: size || 4 };
    case "CL":
      return { kind: "cl", size: 1 };
    case "J":
      return { kind: "relative", size };
    default:
      return undefined; // segment, control and debug registers, far pointers: read by their helpers
  }
}

function describe(operand: Operand): string {
  switch (operand.kind) {
    case "register":
      return `${operand.field}${operand.size}`;
    case "memory":
      return `m${operand.size}${operand.aligned ? "a" : ""}`;
    case "xmm":
      return `x${operand.field}${operand.size}`;
    case "mmx":
      return `q${operand.field}${operand.size}`;
    default:
      return operand.kind[0];
  }
}

/** The operand sizes a form can have, bytes. */
function sizesOf(form: Form): readonly number[] {
  if (form.sizing === "v") return [2, 4, 8];
  if (form.sizing === "y") return [4, 8];
  return [0];
}

/** Effective size index of a decoded instruction for its form. */
function effectiveSize(form: Form, instruction: Instruction): number {
  if (form.sizing === "v") return instruction.operandSize;
  if (form.sizing === "y") return instruction.operandSize === 8 ? 8 : 4;
  return 0;
}

/** The size a byte form works on, where operands do not say: string and port instructions. */
const BYTE_FORMS = new Set([0xa4, 0xa6, 0xaa, 0xac, 0xae, 0x6c, 0x6e, 0xe4, 0xe6, 0xec, 0xee]);

function formSize(form: Form, size: number): number {
  if (form.map === 0 && BYTE_FORMS.has(form.opcode)) return 1;
  const mnemonic = form.mnemonic;
  if (
    size === 8 &&
    (mnemonic === "ins" || mnemonic === "outs" || mnemonic.startsWith("in_") || mnemonic.startsWith("out_"))
  )
    return 4;
  if (size !== 0) return size;
  // CRC32's operand size is its source's; the destination is always a 32-bit value.
  const first = mnemonic === "crc32" ? form.operands[1] : form.operands[0];
  return first ? operandSize(first, 0) : 0;
}

/** Every operation, numbered, and for each form the operation of each (size, memory) variant. */
class Operations {
  readonly list: Operation[] = [];
  private readonly byKey = new Map<string, Operation>();
  /** form id × 8 + size index × 2 + memory → operation id, or -1. */
  private readonly variants: Int32Array;

  constructor() {
    this.variants = new Int32Array(FORMS.length * 8).fill(-1);
    for (const mnemonic of PSEUDO_OPERATIONS) this.intern(mnemonic, 0, false, []);
    for (const form of FORMS) {
      for (const size of sizesOf(form)) {
        for (const isMemory of [false, true]) this.addVariant(form, size, isMemory);
      }
    }
  }

  private addVariant(form: Form, size: number, isMemory: boolean): void {
    const canBeMemory = form.operands.some((o) => "EMWQO".includes(o.kind) && o.kind.length === 1);
    if (isMemory && (!canBeMemory || form.rm === "r")) return;
    const onlyMemory = form.rm === "m" || form.operands.some((o) => o.kind === "M" || o.kind === "O");
    if (!isMemory && onlyMemory) return;
    const operands = form.operands
      .map((o) => resolve(form, o, size, isMemory))
      .filter((o) => o !== undefined);
    const operation = this.intern(form.mnemonic, formSize(form, size), isMemory, operands);
    this.variants[variantIndex(form, size, isMemory)] = operation.id;
  }

  private intern(mnemonic: string, size: number, isMemory: boolean, operands: readonly Operand[]): Operation {
    const key = `${mnemonic}.${size} ${operands.map(describe).join(",")}`.trim() + (isMemory ? " mem" : "");
    let operation = this.byKey.get(key);
    if (!operation) {
      operation = { id: this.list.length, mnemonic, size, isMemory, operands, key };
      this.byKey.set(key, operation);
      this.list.push(operation);
    }
    return operation;
  }

  /** The operation of a decoded instruction; -1 if its operands do not fit the form (an undefined encoding). */
  find(instruction: Instruction): number {
    const form = instruction.form;
    return this.variants[variantIndex(form, effectiveSize(form, instruction), instruction.isMemory)];
  }

  named(key: string): Operation {
    const operation = this.byKey.get(key);
    if (!operation) throw new Error(`there is no operation "${key}"`);
    return operation;
  }
}

/** Records that stand for no instruction of their own; see the interpreter. */
export const PSEUDO_OPERATIONS = [
  "relookup",
  "continue",
  "crossing",
  "undefined",
  "too_long",
  "beyond_limit",
  "unimplemented",
  "device_not_available",
  "mov_absolute",
] as const;

function variantIndex(form: Form, size: number, isMemory: boolean): number {
  const sizeIndex = size === 8 ? 3 : size >> 1;
  return form.id * 8 + sizeIndex * 2 + (isMemory ? 1 : 0);
}

export const OPERATIONS = new Operations();
