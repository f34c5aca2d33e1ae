/**
 * The parts that the table of QEMU's words is made of: a rule says what becomes of a value, a row is a word with its rule.
 * Knows no word.
 */
import { UsageError, type ForeignUse, type ForeignWord, type Meaning } from "../args.js";

/** What becomes of one value. */
export type Ruling =
  { taken: true; args?: readonly string[]; note?: string } | { taken: false; why: string; instead: string };

/** What becomes of a word's values, one after the other. */
export interface Rule {
  /** For people: what is taken and why, what is not and what to write instead. */
  about: string;
  /** `index` counts how often the word stood before this value; a flag's value is "". */
  judge(value: string, index: number): Ruling;
}

/** A word of QEMU's. */
export interface QemuWord extends ForeignWord {
  /** What becomes of it, in a line of help. */
  about: string;
}

/** Nothing has to be done for it; `why` completes "taken: …". With `note`, the user is told what is different. */
export function take(why: string, note?: string): Rule {
  const ruling: Ruling = note === undefined ? { taken: true } : { taken: true, note };
  return { about: `taken: ${why}`, judge: () => ruling };
}

/** It says the same as arguments of ours. */
export function same(about: string, args: (value: string) => readonly string[], note?: string): Rule {
  const noted = note === undefined ? {} : { note };
  return { about, judge: (value) => ({ taken: true, args: args(value), ...noted }) };
}

/** There is nothing like it; `instead` is what to write or do. */
export function refuse(why: string, instead: string): Rule {
  return { about: `not here: ${why}; ${instead}`, judge: () => ({ taken: false, why, instead }) };
}

/** What a value begins with: its first word, before any suboption. */
export function firstWord(value: string): string {
  return value.replace(/[,=].*$/s, "");
}

/** Some values by their first words, "a b" standing for both; any other by `otherwise`. */
export function among(rules: Readonly<Record<string, Rule>>, otherwise: Rule): Rule {
  const rows = Object.entries(rules).map(([names, rule]) => ({ names: names.split(" "), rule }));
  const abouts = rows.map(({ names, rule }) => `${names.join(", ")}: ${rule.about}`);
  return {
    about: [...abouts, `else ${otherwise.about}`].join("; "),
    judge(value, index) {
      const row = rows.find(({ names }) => names.includes(firstWord(value)));
      return (row?.rule ?? otherwise).judge(value, index);
    },
  };
}

function judged(rule: Rule, uses: readonly ForeignUse[]): Meaning {
  const args: string[] = [];
  const notes: string[] = [];
  for (const [index, { said, value }] of uses.entries()) {
    const ruling = rule.judge(value, index);
    if (!ruling.taken) throw new UsageError(`${said}: ${ruling.why}`, ruling.instead);
    args.push(...(ruling.args ?? []));
    if (ruling.note !== undefined) notes.push(`${said}: ${ruling.note}`);
  }
  return notes.length === 0 ? { args } : { args, note: notes.join("; ") };
}

/** A row: words that are treated alike, what their value is called if they take one, and the rule. */
export function word(names: string, value: string | undefined, rule: Rule): QemuWord {
  const [name, ...aliases] = names.split(" ");
  const spec = value === undefined ? { name, aliases } : { name, aliases, value };
  return { ...spec, about: rule.about, means: (uses) => judged(rule, uses) };
}

/** A row of which one use is enough that is taken, as QEMU tries one after the other. */
export function oneOf(row: QemuWord): QemuWord {
  return {
    ...row,
    means(uses, others) {
      for (const use of uses.slice(0, -1)) {
        try {
          return row.means([use], others);
        } catch (error) {
          if (!(error instanceof UsageError)) throw error;
        }
      }
      return row.means(uses.slice(-1), others);
    },
  };
}
