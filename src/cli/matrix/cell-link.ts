/**
 * What a run that is a cell of a matrix has to do with the process that started it: it says there how it ended, and it ends with it,
 * however that ends. The way is a channel that no guest can write to.
 */
import type { Outcome } from "../run/outcome.js";

/** Set in a cell's environment. */
export const CELL_VARIABLE = "LOCORE_MATRIX_CELL";

/** Ends a cell's process and all of its group, whose leader it is. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // There is none any more.
  }
}

/** Resolves when the other process has it. */
export type TellMatrix = (outcome: Outcome) => Promise<void>;

/**
 * Where this process is a cell: what tells its matrix how the run ended. From here on it ends with the matrix. A process that was started
 * without a channel is none, whatever its environment has: Node gives it no `send`.
 */
export function linkToMatrix(): TellMatrix | undefined {
  if (process.env[CELL_VARIABLE] === undefined || process.send === undefined) return undefined;
  const die = (): void => {
    killGroup(process.pid);
    process.kill(process.pid, "SIGKILL");
  };
  // The matrix may have gone while this process was starting.
  if (!process.connected) die();
  process.once("disconnect", die);
  process.channel?.unref();
  return ({ status, reason, signal, message }) =>
    new Promise((resolve) => {
      const said = { status, reason, ...(signal && { signal }), ...(message !== undefined && { message }) };
      process.send?.(said, undefined, undefined, () => resolve());
    });
}
