/**
 * Vector instructions that the operations of vector-operations.ts perform: SSE4 string comparison and searches. SDM vol. 2.
 */
import { RAX, RCX, RDX } from "../../../spec/x86-encoding.js";
import type { Value } from "../../ir/ir.js";
import * as layout from "../layout.js";
import { FIRST_LENGTH_SHIFT, INDEX_SHIFT, SECOND_LENGTH_SHIFT } from "../vector/string-compare.js";
import type { VectorOperationName } from "../vector-operations.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";
import { immediateByte } from "./packed-integer.js";

/** No string is longer. */
const MOST_ELEMENTS = 16;
const FLAGS_MASK = (1 << INDEX_SHIFT) - 1;

const PLAIN: readonly VectorOperationName[] = ["phminposuw", "mpsadbw"];

/** destination := destination op source, under the immediate if there is one. */
function perform(name: VectorOperationName): Semantics {
  return (b, { operands: [destination, source, immediate] }) => {
    const from = b.vectorAddress(source);
    const how = immediate ? immediateByte(b, immediate) : b.i32(0);
    b.vectorOperation(name, b.vectorAddress(destination), from, how);
  };
}

/** The explicit length of a string: the register's absolute value, at most 16. */
function explicitLength(b: InstructionBuilder, register: number, size: number): Value {
  const value = b.gpr(register, size);
  const negative = b.ltS(value, b.constant(value.type, 0));
  const length = b.select(negative, b.sub(b.constant(value.type, 0), value), value);
  const most = b.constant(value.type, MOST_ELEMENTS);
  return b.wrap(b.select(b.gtU(length, most), most, length));
}

/** PCMPxSTRI writes ECX, PCMPxSTRM writes XMM0; both set the flags. */
function compareStrings(explicit: boolean, toIndex: boolean): Semantics {
  return (b, { operands: [first, second, immediate], size }) => {
    const from = b.vectorAddress(second);
    let how = immediateByte(b, immediate);
    if (explicit) {
      how = b.or(how, b.shl(explicitLength(b, RAX, size), b.i32(FIRST_LENGTH_SHIFT)));
      how = b.or(how, b.shl(explicitLength(b, RDX, size), b.i32(SECOND_LENGTH_SHIFT)));
    }
    const to = b.spill(b.readVector(first));
    const result = b.vectorOperation(explicit ? "pcmpestr" : "pcmpistr", to, from, how);
    if (toIndex) b.setGpr(RCX, 4, b.shrU(result, b.i32(INDEX_SHIFT)));
    else b.setState("v128.store", layout.XMM, b.load("v128.load", to));
    b.setStatusFlags(b.and(result, b.i32(FLAGS_MASK)));
  };
}

export const VECTOR_RARE: SemanticsTable = {
  ...Object.fromEntries(PLAIN.map((name) => [name, perform(name)])),
  pcmpestri: compareStrings(true, true),
  pcmpestrm: compareStrings(true, false),
  pcmpistri: compareStrings(false, true),
  pcmpistrm: compareStrings(false, false),
};
