/**
 * The functions of this folder as imports of generated modules, which know a CPU by the base of its area.
 */
import type { CpuContext } from "../cpu-context.js";
import { CPU_AREA_BASE, CPU_AREA_SIZE } from "../layout.js";
import { checkedAddress, commit, raise, slowTranslate } from "./calls.js";
import { callHelper } from "./instructions.js";

/** Import names and signatures of generated code; every parameter and result is an i32. */
export interface SystemImports {
  slowTranslate(cpuBase: number, record: number, info: number): number;
  commit(cpuBase: number, record: number, info: number): void;
  helper(cpuBase: number, record: number, index: number, info: number): number;
  checkedAddress(cpuBase: number, record: number, info: number): number;
  /** Delivers a fault that generated code found itself: always 0. */
  raise(cpuBase: number, record: number, vector: number, errorCode: number): number;
}

/** Imports that serve the CPUs in `contexts`, which is indexed by CPU number and may grow. wasm's i32 is signed. */
export function systemImports(contexts: readonly CpuContext[]): SystemImports {
  const context = (cpuBase: number): CpuContext => contexts[(cpuBase - CPU_AREA_BASE) / CPU_AREA_SIZE];
  return {
    slowTranslate: (cpuBase, record, info) => slowTranslate(context(cpuBase), record >>> 0, info),
    commit: (cpuBase) => commit(context(cpuBase)),
    helper: (cpuBase, record, index, info) => callHelper(context(cpuBase), record >>> 0, index, info),
    checkedAddress: (cpuBase, record, info) => checkedAddress(context(cpuBase), record >>> 0, info),
    raise: (cpuBase, record, vector, errorCode) => raise(context(cpuBase), record >>> 0, vector, errorCode),
  };
}
