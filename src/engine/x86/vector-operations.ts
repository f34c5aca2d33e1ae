/**
 * Vector operations too rare for generated code: string comparison, searches. Operands lie in
 * the engine's memory and are named by byte offsets, so that WebAssembly can call with i32 arguments only. Knows no
 * instruction encoding and no CPU state.
 *
 * Specification: Intel SDM vol. 2 (the instructions named).
 */
import { XMM_BYTES } from "../../spec/x86-encoding.js";
import type { VectorOperation } from "./vector/operation.js";
import { leastWord, slidingDifferences } from "./vector/packed-search.js";
import { stringComparison } from "./vector/string-compare.js";

const OPERATIONS = {
  phminposuw: leastWord,
  mpsadbw: slidingDifferences,
  pcmpestr: stringComparison(true),
  pcmpistr: stringComparison(false),
} satisfies Record<string, VectorOperation>;

export type VectorOperationName = keyof typeof OPERATIONS;

const NAMES = Object.keys(OPERATIONS) as VectorOperationName[];
const TABLE: readonly VectorOperation[] = Object.values(OPERATIONS);

/** The number by which generated code names an operation. */
export function vectorOperationNumber(name: VectorOperationName): number {
  return NAMES.indexOf(name);
}

const left = new Uint8Array(XMM_BYTES);
const right = new Uint8Array(XMM_BYTES);
const leftView = new DataView(left.buffer);
const rightView = new DataView(right.buffer);

/**
 * Performs an operation on 16 bytes each: destination := destination op source. `destination` and `source` are offsets
 * in `memory` and may be the same. The result is that of the operation.
 */
export function executeVectorOperation(
  operation: number,
  memory: Uint8Array,
  destination: number,
  source: number,
  immediate: number,
): number {
  left.set(memory.subarray(destination, destination + XMM_BYTES));
  right.set(memory.subarray(source, source + XMM_BYTES));
  const result = TABLE[operation](leftView, rightView, immediate);
  memory.set(left, destination);
  return result;
}
