/**
 * What is known of a disk, and what is wrong with it, as data. Facts have the shape that those of images have; problems are kept
 * beside what can still be told, as a person asks most of a disk that is damaged.
 */

/** One thing known about a disk. Addresses, flags and magic numbers are hex text; counts and sizes are numbers. */
export interface DiskFact {
  name: string;
  value: string | number | boolean;
  /** Byte of the disk where it stands; absent for what is derived. */
  offset?: number;
  /** What it says to a person. */
  meaning?: string;
}

/** Something wrong that did not end the reading. */
export interface DiskProblem {
  /** Byte of the disk. */
  offset: number;
  found: string;
  expected: string;
  /** What it means, and what to do. */
  meaning: string;
}

/** Problems as facts, each at its offset. */
export function problemFacts(problems: readonly DiskProblem[]): DiskFact[] {
  return problems.map(({ offset, found, expected, meaning }) => ({
    name: "problem",
    value: `found ${found}; expected ${expected}`,
    offset,
    meaning,
  }));
}
