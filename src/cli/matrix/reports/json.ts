/** A matrix as data: what `--json` prints. */
import type { CellResult } from "../cell-result.js";

/** One line of JSON: the status, and each cell with its values and how it ended. */
export function jsonReport(
  results: readonly CellResult[],
  { status, ms, jobs }: { status: number; ms: number; jobs: number },
): string {
  const cells = results.map((result) => ({
    name: result.cell.name,
    values: Object.fromEntries(result.cell.values.map(({ axis, value }) => [axis.name, value])),
    state: result.state,
    ...(result.status !== undefined && { status: result.status }),
    reason: result.reason,
    ...(result.message !== undefined && { message: result.message }),
    ms: result.ms,
    output: result.output.text(),
    outputBytes: result.output.total,
  }));
  return `${JSON.stringify({ status, ms: Math.round(ms), jobs, cells })}\n`;
}
