/**
 * What a loader does with an image, as data: the shape of an answer, and the pieces that answers are made of. Knows no
 * loader and no format.
 */

/**
 * `takes`: loads it and enters it as the image expects. `refuses`: says so and ends. `blind`: checks nothing that would
 * stop it, and what then runs is not what was meant.
 */
export type Outcome = "takes" | "refuses" | "blind";

/** The check that an image fails. */
export interface FailedCheck {
  /** Offset in the file (in the unpacked one, where the loader unpacks it). */
  readonly offset: number;
  readonly found: string;
  readonly expected: string;
}

/** A loader, and where its rules were found. */
export interface LoaderFacts {
  /** Short name, for people and programs: "xen-arm64". */
  readonly name: string;
  /** What it is. */
  readonly what: string;
  /** Where its code decides; the versions that were read or run. */
  readonly source: string;
}

/** One loader's answer. */
export interface Verdict {
  readonly loader: LoaderFacts;
  readonly outcome: Outcome;
  /** Name of the rule that decided, where the loader's rules have names: "firecracker/elf-class". */
  readonly rule?: string;
  /** The first version of the loader that does so; absent: all that were read. */
  readonly since?: string;
  /** Where it goes and how it is entered, or why it does not. */
  readonly reason: string;
  /** For `refuses`, and where one is known for `blind`. */
  readonly check?: FailedCheck | undefined;
  /** What the loader prints, as it prints it; empty: nothing. */
  readonly prints: readonly string[];
  /** What a person can do. */
  readonly advice?: string | undefined;
}

/** The image is loaded and entered as it expects. */
export function takes(loader: LoaderFacts, reason: string, prints: readonly string[] = []): Verdict {
  return { loader, outcome: "takes", reason, prints };
}

/** The loader ends with these words. */
export function refuses(
  loader: LoaderFacts,
  reason: string,
  check: FailedCheck,
  prints: readonly string[],
  advice?: string,
): Verdict {
  return { loader, outcome: "refuses", reason, check, prints, advice };
}

/** Nothing stops the loader, and something else runs than was meant. */
export function blind(
  loader: LoaderFacts,
  reason: string,
  more: Partial<Pick<Verdict, "check" | "prints" | "advice">> = {},
): Verdict {
  return { loader, outcome: "blind", reason, prints: [], ...more };
}
