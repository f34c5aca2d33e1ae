/** Time limits as a library's user gives them, in milliseconds: any length, and Infinity for none. */
import { VmError } from "./vm-error.js";

/** The longest that one timer of the host's waits, ms: a longer one is over at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Throws VmError "option" for what is no length of time. `what`: the option's name. */
export function checkPatience(what: string, milliseconds: unknown): void {
  if (milliseconds === undefined || (typeof milliseconds === "number" && milliseconds >= 0)) return;
  throw new VmError("option", what, {
    found: typeof milliseconds === "number" ? `${milliseconds}` : `a ${typeof milliseconds}`,
    expected: "milliseconds: a number from 0 on",
    meaning: "Infinity, or nothing, sets no limit.",
  });
}

/**
 * Calls `over` once, after so many milliseconds; for undefined and Infinity never. Gives what calls it off, which is harmless at any
 * time. Whoever takes the number from a user has it checked first (`checkPatience`).
 */
export function afterPatience(milliseconds: number | undefined, over: () => void): () => void {
  let left = milliseconds ?? Infinity;
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    const now = Math.min(left, LONGEST_TIMER_MS);
    left -= now;
    timer = setTimeout(left > 0 ? wait : over, now);
  };
  if (left !== Infinity) wait();
  return () => clearTimeout(timer);
}
