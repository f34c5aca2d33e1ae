/**
 * The command line's grammar, driven by tables: `--name value`, `--name=value`, the same with one dash as QEMU
 * has it, `-o k=v` lists, `--` before operands that begin with a dash. Knows no command.
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
  help: string;
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
  readonly #values: ReadonlyMap<string, string[]>;

  constructor(operands: readonly string[], values: ReadonlyMap<string, string[]>) {
    this.operands = operands;
    this.#values = values;
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

function index(options: readonly OptionSpec[]): Map<string, OptionSpec> {
  const byName = new Map<string, OptionSpec>();
  for (const option of options) {
    for (const name of [option.name, ...(option.aliases ?? [])]) byName.set(name, option);
  }
  return byName;
}

/** `-m256M`: a one-letter option with its value attached. */
function attached(
  text: string,
  byName: Map<string, OptionSpec>,
): { option: OptionSpec; value: string } | undefined {
  if (text.startsWith("--") || text.length < 3) return undefined;
  const option = byName.get(text[1]);
  return option?.value === undefined ? undefined : { option, value: text.slice(2) };
}

function unknown(text: string, byName: Map<string, OptionSpec>): UsageError {
  const name = text.replace(/^--?/, "").replace(/=.*$/s, "");
  const guess = closest(name, [...byName.keys()]);
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
  byName: Map<string, OptionSpec>,
  store: (option: OptionSpec, value: string) => void,
): number {
  const text = args[at];
  const equals = text.indexOf("=");
  const name = (equals < 0 ? text : text.slice(0, equals)).replace(/^--?/, "");
  const option = byName.get(name);
  if (option === undefined) {
    const short = attached(text, byName);
    if (short === undefined) throw unknown(text, byName);
    store(short.option, short.value);
    return 1;
  }
  if (option.value === undefined) {
    if (equals >= 0) throw new UsageError(`${spelled(option.name)} takes no value`);
    store(option, "");
    return 1;
  }
  if (equals >= 0) {
    store(option, text.slice(equals + 1));
    return 1;
  }
  if (at + 1 >= args.length) throw new UsageError(`${spelled(option.name)} needs a value: ${option.value}`);
  store(option, args[at + 1]);
  return 2;
}

/** Refuses too few or too many operands. An operand whose name ends with "…" takes all that follow. */
export function checkOperands(given: readonly string[], specs: readonly OperandSpec[]): void {
  const missing = specs.find((spec, i) => spec.required && i >= given.length);
  if (missing !== undefined) throw new UsageError(`${missing.name} is missing`, missing.help);
  const rest = specs.at(-1)?.name.endsWith("…") === true;
  if (given.length > specs.length && !rest) throw new UsageError(`unexpected operand ${given[specs.length]}`);
}

/** Reads a command line; `checkOperands` judges the operands. Throws `UsageError`. */
export function parseArguments(args: readonly string[], options: readonly OptionSpec[]): Arguments {
  const byName = index(options);
  const values = new Map<string, string[]>();
  const rest: string[] = [];
  const store = (option: OptionSpec, value: string): void => {
    if (option.value !== undefined) checkChoice(option, value);
    const list = values.get(option.name);
    if (list === undefined) values.set(option.name, [value]);
    else list.push(value);
  };
  for (let at = 0; at < args.length;) {
    const text = args[at];
    if (text === "--") {
      rest.push(...args.slice(at + 1));
      break;
    }
    if (text.length > 1 && text.startsWith("-")) {
      at += takeOption(args, at, byName, store);
    } else {
      rest.push(text);
      at++;
    }
  }
  return new Arguments(rest, values);
}
