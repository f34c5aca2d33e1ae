/** From forms to operations, when the program is built. */
import { variantCount, variantIndex } from "./operation-variants.js";
import { PSEUDO_OPERATIONS } from "./pseudo-operations.js";
import type { MadeOperations, Operand, Operation } from "./operands.js";
import type { Form, OperandSpec } from "./table/form.js";

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

/** Interns operations and fills in which one each form is. */
class Maker {
  readonly list: Operation[] = [];
  readonly variants: number[];
  readonly #byKey = new Map<string, Operation>();

  constructor(forms: readonly Form[]) {
    this.variants = new Array<number>(variantCount(forms.length)).fill(-1);
    // First, so that their numbers are those of `PSEUDO`.
    for (const mnemonic of PSEUDO_OPERATIONS) this.#intern(mnemonic, 0, false, []);
    for (const form of forms) {
      for (const size of sizesOf(form)) {
        for (const isMemory of [false, true]) this.#addVariant(form, size, isMemory);
      }
    }
  }

  #addVariant(form: Form, size: number, isMemory: boolean): void {
    const canBeMemory = form.operands.some((o) => "EMWQO".includes(o.kind) && o.kind.length === 1);
    if (isMemory && (!canBeMemory || form.rm === "r")) return;
    const onlyMemory = form.rm === "m" || form.operands.some((o) => o.kind === "M" || o.kind === "O");
    if (!isMemory && onlyMemory) return;
    const operands = form.operands
      .map((o) => resolve(form, o, size, isMemory))
      .filter((o) => o !== undefined);
    const operation = this.#intern(form.mnemonic, formSize(form, size), isMemory, operands);
    this.variants[variantIndex(form, size, isMemory)] = operation.id;
  }

  #intern(mnemonic: string, size: number, isMemory: boolean, operands: readonly Operand[]): Operation {
    const key = `${mnemonic}.${size} ${operands.map(describe).join(",")}`.trim() + (isMemory ? " mem" : "");
    let operation = this.#byKey.get(key);
    if (!operation) {
      operation = { id: this.list.length, mnemonic, size, isMemory, operands, key };
      this.#byKey.set(key, operation);
      this.list.push(operation);
    }
    return operation;
  }
}

/** Every operation of these forms, and which one each of them is. */
export function makeOperations(forms: readonly Form[]): MadeOperations {
  const { list, variants } = new Maker(forms);
  return { list, variants };
}
