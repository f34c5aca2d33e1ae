/** Renders which loaders take an image, and of those that do not, the check that fails and what they print. */
import { hex } from "../../bytes/hex.js";
import type { Outcome, Verdict } from "../../verdicts/index.js";

const OUTCOMES: Readonly<Record<Outcome, string>> = { takes: "yes", refuses: "no", blind: "unchecked" };
const OUTCOME_WIDTH = 9;

/** What stands below a verdict's first line. */
export function detailLines({ check, prints, advice, since, rule }: Verdict): string[] {
  const lines: string[] = [];
  if (since !== undefined) lines.push(`since ${since}`);
  if (check !== undefined) {
    lines.push(`offset ${hex(check.offset)}: found ${check.found}; expected ${check.expected}`);
  }
  lines.push(...prints.map((text) => `prints: ${text}`));
  if (advice !== undefined) lines.push(advice);
  if (rule !== undefined) lines.push(`rule ${rule}`);
  return lines;
}

/** The table with a line above it; nothing when there are no verdicts. */
export function verdictLines(verdicts: readonly Verdict[]): string[] {
  if (verdicts.length === 0) return [];
  const width = Math.max(...verdicts.map(({ loader }) => loader.name.length));
  const indent = " ".repeat(2 + width + 2 + OUTCOME_WIDTH + 2);
  return [
    "",
    `  ${"loader".padEnd(width)}  ${"boots it".padEnd(OUTCOME_WIDTH)}  how, or why not`,
    ...verdicts.flatMap((verdict) => [
      `  ${verdict.loader.name.padEnd(width)}  ${OUTCOMES[verdict.outcome].padEnd(OUTCOME_WIDTH)}  ${verdict.reason}`,
      ...detailLines(verdict).map((line) => `${indent}${line}`),
    ]),
  ];
}
