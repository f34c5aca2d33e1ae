/** How a cell of a matrix ended, and what the matrix came to by it. Pure. */
import { RUN_STATUS, type RunReason } from "../run/outcome.js";
import type { Cell } from "./plan.js";
import type { KeptOutput } from "./kept-output.js";

export type CellState =
  | "ok"
  /** The command, its kernel or the run went wrong. */
  | "failed"
  /** What it needs cannot be had: a kernel, a package. */
  | "unavailable"
  /** It was ended before it was over. */
  | "ended"
  /** It was never begun. */
  | "not-run";

/** A run's reasons, and those that only a matrix has: its process died, or another cell's failure ended it. */
export type CellReason = RunReason | "died" | "fail-fast";

export interface CellResult {
  cell: Cell;
  state: CellState;
  /** What its run would have ended with; absent where it has none. */
  status?: number;
  reason: CellReason;
  message?: string;
  /** From the start of its process to its end, ms. */
  ms: number;
  output: KeptOutput;
}

/** Whether a cell makes the matrix a failure; one that another's failure ended does not. */
export function isFailure({ state, reason }: CellResult, allowMissing: boolean): boolean {
  if (state === "ended") return reason !== "fail-fast";
  return state === "failed" || (state === "unavailable" && !allowMissing);
}

/** Why a cell is what it is, in a few words: "status 3", "timeout: the time limit of 5000 ms". */
export function whyOf({ state, status, reason, message }: CellResult): string {
  if (state === "ok") return "ok";
  if (reason === "exited") return `status ${status}`;
  const [first] = (message ?? "").split("\n");
  const said = first === "" ? reason : `${reason}: ${first}`;
  return status === undefined || state !== "failed" ? said : `status ${status}, ${said}`;
}

/** The status of a matrix: 0 where all cells have 0, else the highest of a cell's. One of which nothing ran is no success. */
export function matrixStatus(results: readonly CellResult[], allowMissing: boolean): number {
  const failures = results.filter((result) => isFailure(result, allowMissing));
  if (failures.length > 0) return Math.max(...failures.map(({ status }) => status || RUN_STATUS.ours));
  return results.some(({ state }) => state === "ok") ? 0 : RUN_STATUS.ours;
}
