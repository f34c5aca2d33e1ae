/**
 * A loader's decisions as a table: each rule has a name that stays, what is looked at, what is printed, since when. Verdicts
 * are made of rules, so that each can be asked for and explained. Knows no loader.
 */
import type { FailedCheck, LoaderFacts, Verdict } from "./verdict.js";

/** One decision of a loader. */
export interface Rule {
  /** What the loader does or minds, for people. */
  readonly what: string;
  /** What it prints, as it prints it; `{name}` stands for a value. */
  readonly prints?: readonly string[];
  /** The first version that does so; absent: all that were read. */
  readonly since?: string;
  /** What a person can do. */
  readonly advice?: string;
}

/** A rule with its full name, as `--explain` shows it. */
export interface NamedRule extends Rule {
  /** "firecracker/elf-class". */
  readonly id: string;
  /** Where it was read. */
  readonly source: string;
}

/** Values for `{name}` in what is printed. */
export type Values = Readonly<Record<string, string | number>>;
/** What a verdict says beyond its rule. */
export interface More {
  readonly values?: Values;
  /** Instead of the rule's own advice; undefined: none. */
  readonly advice?: string | undefined;
  /** Instead of what the rule says. */
  readonly reason?: string;
  readonly check?: FailedCheck;
  readonly since?: string;
}

/** Makes verdicts of one loader's rules. */
export interface Judge<Name extends string> {
  takes(name: Name, reason: string, more?: More): Verdict;
  refuses(name: Name, check: FailedCheck, more?: More): Verdict;
  blind(name: Name, check: FailedCheck, more?: More): Verdict;
}

/** The rules of one loader; `prefix` stands before the rules' names. */
export class RuleTable<Name extends string> {
  constructor(
    readonly prefix: string,
    readonly source: string,
    readonly rules: Readonly<Record<Name, Rule>>,
  ) {}

  /** Makes verdicts that bear `loader`'s name. */
  judge(loader: LoaderFacts): Judge<Name> {
    const made = (outcome: Verdict["outcome"], name: Name, more: More): Verdict => {
      const rule = this.rules[name];
      const since = more.since ?? rule.since;
      return {
        loader,
        outcome,
        rule: `${this.prefix}/${name}`,
        reason: more.reason ?? rule.what,
        ...(more.check === undefined ? {} : { check: more.check }),
        prints: (rule.prints ?? []).map((text) => filled(text, more.values ?? {})),
        ...(since === undefined ? {} : { since }),
        advice: "advice" in more ? more.advice : rule.advice,
      };
    };
    return {
      takes: (name, reason, more = {}) => made("takes", name, { ...more, reason }),
      refuses: (name, check, more = {}) => made("refuses", name, { ...more, check }),
      blind: (name, check, more = {}) => made("blind", name, { ...more, check }),
    };
  }

  /** Every rule with its full name. */
  named(): NamedRule[] {
    const { prefix, source } = this;
    return Object.entries<Rule>(this.rules).map(([name, rule]) => ({
      id: `${prefix}/${name}`,
      source,
      ...rule,
    }));
  }
}

function filled(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
