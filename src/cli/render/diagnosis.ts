/** How a diagnosis is told on standard error. */
import type { Diagnosis } from "../../diagnose/diagnosis.js";
import { diagnosisLines } from "../../diagnose/text.js";

/** All of it, to somebody who asked. */
export function explanation(found: Diagnosis): string[] {
  const [first, ...others] = diagnosisLines(found);
  return [`locore: ${first}`, ...others];
}

/** At an end: all of it where something is wrong or nobody was heard; otherwise where the guest was, in a line. */
export function endExplanation(found: Diagnosis): string[] {
  const lines = explanation(found);
  return found.causes.length > 0 || found.console.bytes === 0 ? lines : lines.slice(0, 1);
}

/** To a person before a guest that has said nothing yet. */
export function silenceLine(ms: number): string {
  return `locore: hint: the guest has said nothing for ${ms / 1000} s; Ctrl-A i says where it is and why`;
}
