/** Renders which loaders take an image, and of those that do not, the check that fails and what they print. */
import { hex } from "../../bytes/hex.js";
import type { Outcome, Trap, Verdict } from "../../verdicts/index.js";

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

/** What waits behind a load that succeeds, below a line; nothing when there is none. */
export function trapLines(traps: readonly Trap[]): string[] {
  if (traps.length === 0) return [];
  return [
    "",
    "  behind a load that succeeds",
    ...traps.flatMap(({ id, what, loaders, evidence, offset, advice }) => [
      `  ${id}: ${what}`,
      `      in ${loaders.join(", ")}`,
      `      known by ${evidence}${offset === undefined ? "" : `, offset ${hex(offset)}`}`,
      `      ${advice}`,
    ]),
  ];
}
