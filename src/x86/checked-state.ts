import type { Shape } from "../bytes/shape.js";
import type { CpuState } from "./cpu-state.js";
export const cpuStateShape: Shape<CpuState> = { check: (v) => v as CpuState };
export function checkCpuState(_s: CpuState, _c: unknown): void {
  return;
}
