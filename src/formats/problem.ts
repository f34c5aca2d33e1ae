/**
 * What is wrong with a file that can still be described: kept beside the facts instead of thrown, because what a person
 * asks of a broken image is which loader minds. Knows no format.
 */
import type { FormatFault } from "./format-error.js";
import type { Fact } from "./image.js";

/** The problems as facts, each at its offset. */
export function problemFacts(problems: readonly FormatFault[]): Fact[] {
  return problems.map(({ offset, found, expected, meaning }) => ({
    name: "problem",
    value: `found ${found}; expected ${expected}`,
    offset,
    meaning,
  }));
}
