/**
 * The command line's grammar, driven by tables: `--name value`, `--name=value`, the same with one dash as QEMU
 * has it, `-o k=v` lists, `--` before operands that begin with a dash. Words of another program are put into a
 * command's own. Knows no command, and no other program.
 */
import { closest } from "./closest.js";

/** One option of a command. */
export interface OptionSpec {
  /** Long name without dashes; a one-letter name is written with one dash in the help. */
  name: string;
  /** Other names that mean the same. */
  aliases?: readonly string[];
  /** Placeholder of its value in the help; an option without one is a flag. */
  value?: string;
  /** Whether it may be given several times, each value kept. Otherwise the last one counts. */
  repeats?: boolean;
  /** The values it takes, where they are few. */
  choices?: readonly string[];
  /** What its values look like, where another program's word of the same name has the others. */
  values?: RegExp;
  /** Its value may be left out and is `standing` then: what stands behind it is its value only where it looks like `value`. */
  optional?: { standing: string; value: RegExp };
  /** What a value written right behind a one-letter name looks like (`-m256M`); without it, anything does. */
  attached?: RegExp;
  help: string;
}

/** One time that a word of another program was given. */
export interface ForeignUse {
  /** As it was written, with its value. */
  said: string;
  /** "" for a flag. */
  value: string;
}

/** What another program's word comes to here. */
export interface Meaning {
  /** Arguments of ours that say the same; none where nothing has to be done. */
  args?: readonly string[];
  /** Likewise, about a run: a command that only looks at a machine has no such options, and leaves them out. */
  run?: readonly string[];
  /** What is different here, for the user. */
  note?: string;
}

/** How often, and with what, another word of that program was given. */
export type UsesOf = (name: string) => readonly ForeignUse[];

/** A word of another program. It stands in no help of a command; where a command has the same word, that one counts. */
export interface ForeignWord extends Pick<OptionSpec, "name" | "aliases" | "value"> {
  /** What all its uses mean together. Throws UsageError where they mean nothing. */
  means(uses: readonly ForeignUse[], others: UsesOf): Meaning;
}

/** An operand of a command, in order. */
export interface OperandSpec {
  name: string;
  required: boolean;
  help: string;
}

/** The command line is wrong; the message says how, `hint` what was probably meant. */
export class UsageError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = "UsageError";
    this.hint = hint;
  }
}

/** What was given. */
export class Arguments {
  readonly operands: readonly string[];
  /** What words of another program do not do here. */
  readonly notes: readonly string[];
  /** How many of the operands stood before the first `--`; all of them where there is none. */
  readonly before: number;
  readonly #values: ReadonlyMap<string, string[]>;

  constructor(
    operands: readonly string[],
    values: ReadonlyMap<string, string[]>,
    notes: readonly string[] = [],
    before = operands.length,
  ) {
    this.before = before;
    this.operands = operands;
    this.#values = values;
    this.notes = notes;
  }

  /** Whether the option was given at all. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The last value given, `undefined` if none was. */
  value(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  /** Every value given, in order. */
  values(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

/** How an option is spelled for people. */
export function spelled(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

type Word = OptionSpec | ForeignWord;

function isForeign(word: Word): word is ForeignWord {
  return "means" in word;
}

/** Words by each of their names; of two with one name the later counts. */
function index<T extends Word>(words: readonly T[]): Map<string, T> {
  const byName = new Map<string, T>();
  for (const word of words) {
    for (const name of [word.name, ...(word.aliases ?? [])]) byName.set(name, word);
  }
  return byName;
}

/** `-m256M`: a one-letter option with its value attached. */
function attached(
  text: string,
  byName: Map<string, Word>,
): { option: OptionSpec; value: string } | undefined {
  if (text.startsWith("--") || text.length < 3) return undefined;
  const option = byName.get(text[1]);
  if (option?.value === undefined || isForeign(option)) return undefined;
  const value = text.slice(2);
  return option.attached?.test(value) === false ? undefined : { option, value };
}

function unknown(text: string, byName: Map<string, Word>): UsageError {
  const name = text.replace(/^--?/, "").replace(/=.*$/s, "");
  // Of one letter is too little left to guess by.
  const names = [...byName.keys()].filter((one) => one.length > 1);
  const longer = name.length > 1 ? names.filter((one) => one.startsWith(name)) : [];
  const guess = closest(name, names) ?? longer.at(-1);
  return new UsageError(`unknown option ${text}`, guess && `did you mean ${spelled(guess)}?`);
}

function checkChoice(option: OptionSpec, value: string): void {
  if (option.choices === undefined || option.choices.includes(value)) return;
  const guess = closest(value, option.choices);
  throw new UsageError(
    `${spelled(option.name)} ${value}: expected ${option.choices.join(", ")}`,
    guess && `did you mean ${guess}?`,
  );
}

/** Takes one option at `args[at]`, stores it, and returns how many arguments it used. */
function takeOption(
  args: readonly string[],
  at: number,
  byName: Map<string, Word>,
  store: (word: Word, value: string, said: string) => void,
): number {
  const text = args[at];
  const equals = text.indexOf("=");
  const name = (equals < 0 ? text : text.slice(0, equals)).replace(/^--?/, "");
  const word = byName.get(name);
  if (word === undefined) {
    const short = attached(text, byName);
    if (short === undefined) throw unknown(text, byName);
    store(short.option, short.value, text);
    return 1;
  }
  if (word.value === undefined) {
    if (equals >= 0) throw new UsageError(`${spelled(word.name)} takes no value`);
    store(word, "", text);
    return 1;
  }
  if (equals >= 0) {
    store(word, text.slice(equals + 1), text);
    return 1;
  }
  const { optional } = word as OptionSpec;
  if (optional !== undefined && !(at + 1 < args.length && optional.value.test(args[at + 1]))) {
    store(word, optional.standing, text);
    return 1;
  }
  if (at + 1 >= args.length) throw new UsageError(`${spelled(word.name)} needs a value: ${word.value}`);
  store(word, args[at + 1], `${text} ${args[at + 1]}`);
  return 2;
}

/** Refuses too few or too many operands. An operand whose name ends with "…" takes all that follow. */
export function checkOperands(given: readonly string[], specs: readonly OperandSpec[]): void {
  const missing = specs.find((spec, i) => spec.required && i >= given.length);
  if (missing !== undefined) throw new UsageError(`${missing.name} is missing`, missing.help);
  const rest = specs.at(-1)?.name.endsWith("…") === true;
  if (given.length > specs.length && !rest) throw new UsageError(`unexpected operand ${given[specs.length]}`);
}

/** What was given, as it stands: words of ours, words of another program, operands. */
class Given {
  readonly operands: string[] = [];
  before: number | undefined;
  readonly values = new Map<string, string[]>();
  readonly foreign = new Map<ForeignWord, ForeignUse[]>();
  readonly #byName: Map<string, Word>;
  readonly #others: Map<string, ForeignWord>;

  constructor(options: readonly OptionSpec[], foreign: readonly ForeignWord[]) {
    this.#byName = index<Word>([...foreign, ...options]);
    this.#others = index(foreign);
  }

  /** Whether there is this word, with its dashes. */
  has(said: string | undefined): boolean {
    return said !== undefined && this.#byName.has(said.replace(/^-+/, ""));
  }

  read(args: readonly string[]): void {
    for (let at = 0; at < args.length;) {
      const text = args[at];
      if (text === "--") {
        this.before ??= this.operands.length;
        this.operands.push(...args.slice(at + 1));
        break;
      }
      if (text.length > 1 && text.startsWith("-")) {
        at += takeOption(args, at, this.#byName, (...use) => this.#store(...use));
      } else {
        this.operands.push(text);
        at++;
      }
    }
  }

  #store(named: Word, value: string, said: string): void {
    const ours = isForeign(named) || named.values?.test(value) !== false;
    const word = ours ? named : (this.#others.get(named.name) ?? named);
    if (isForeign(word)) {
      append(this.foreign, word, { said, value });
      return;
    }
    if (word.value !== undefined) checkChoice(word, value);
    append(this.values, word.name, value);
  }
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** Reads a command line; `checkOperands` judges the operands. Throws `UsageError`. */
export function parseArguments(
  args: readonly string[],
  options: readonly OptionSpec[],
  foreign: readonly ForeignWord[] = [],
): Arguments {
  const given = new Given(options, foreign);
  given.read(args);
  const notes: string[] = [];
  const others: UsesOf = (name) => [...given.foreign].find(([word]) => word.name === name)?.[1] ?? [];
  for (const [word, uses] of given.foreign) {
    const { args: own, run, note } = word.means(uses, others);
    if (own !== undefined) given.read(own);
    if (run !== undefined && given.has(run[0])) given.read(run);
    if (note !== undefined) notes.push(note);
  }
  return new Arguments(given.operands, given.values, notes, given.before);
}
