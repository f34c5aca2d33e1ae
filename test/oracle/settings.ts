/** What the environment chooses for oracle runs. */
import { JIT_MODES } from "../../src/engine/contract.js";
import type { JitMode } from "../../src/engine/contract.js";

export const oracleSeed = (): number => Number(process.env.LOCORE_ORACLE_SEED ?? 20250601);
export const rows = (usual: number): number => Number(process.env.LOCORE_ORACLE_ROWS ?? usual);
export const formsFilter = (): RegExp => new RegExp(process.env.LOCORE_ORACLE_FORMS ?? "");

/** How the engine executes: interpreted by default; "eager" compiles everything. Throws an Error for what is no mode. */
export function oracleJit(): JitMode {
  const wanted = process.env.LOCORE_ORACLE_JIT ?? "off";
  const mode = JIT_MODES.find((one) => one === wanted);
  if (mode === undefined) throw new Error(`LOCORE_ORACLE_JIT is "${wanted}": one of ${JIT_MODES.join(", ")}`);
  return mode;
}
