/**
 * A matrix as data: axes and their values as they were written, and the cells that they make. An axis is an option of a table; what its
 * values mean is for whoever reads a cell's command line. Reads no file and runs nothing.
 */
import { spelled, UsageError, type Arguments, type OptionSpec } from "../args.js";
import { closest } from "../closest.js";

/** An option with the values that it is to take in turn. */
export interface Axis {
  /** As it was written: an option may have several names. */
  name: string;
  option: OptionSpec;
  /** "" is the option left out. */
  values: readonly string[];
}

export interface CellValue {
  axis: Axis;
  value: string;
}

/** One combination. */
export interface Cell {
  /** From 0, in the order of the axes' values, the first axis changing last. */
  index: number;
  values: readonly CellValue[];
  /** For people, and in reports: "kernel=debian-12 smp=4". */
  name: string;
}

/** Options that cannot differ from cell to cell, or be shared by cells that run at once, with what to do instead. */
const ALONE: Readonly<Record<string, string>> = {
  log: "every cell would write the same file; --out DIR has a file for each",
  pcap: "every cell would write the same file",
  publish: "only one cell could have the port",
  gdb: "only one cell could have the port",
};

/** More than that is a slip. */
const MOST_CELLS = 10_000;

/** A comma that separates; the halves of a doubled one do not. */
const SEPARATOR = /(?<=(?:^|[^,])(?:,,)*),(?!,)/;
const ASSIGNMENT = /^([A-Za-z][A-Za-z0-9-]*)=(.*)$/s;

function splitAtCommas(text: string): string[] {
  return text.split(SEPARATOR).map((part) => part.replaceAll(",,", ","));
}

/** Whether a word before the command is an axis rather than a kernel. */
export function isAxisWord(word: string): boolean {
  return ASSIGNMENT.test(word);
}

function optionNamed(name: string, said: string, options: readonly OptionSpec[]): OptionSpec {
  const found = options.find((option) => [option.name, ...(option.aliases ?? [])].includes(name));
  if (found !== undefined && Object.hasOwn(ALONE, found.name))
    throw new UsageError(`--matrix ${said}: ${spelled(found.name)} cannot be an axis`, ALONE[found.name]);
  if (found?.value !== undefined) return found;
  const axes = options.filter(({ name: one, value }) => value !== undefined && !Object.hasOwn(ALONE, one));
  const guess = closest(
    name,
    axes.flatMap((option) => [option.name, ...(option.aliases ?? [])]),
  );
  const why = found === undefined ? "there is no option of that name" : "that option takes no value";
  const known = axes.map((axis) => axis.name).join(", ");
  throw new UsageError(
    `--matrix ${said}: ${why}`,
    guess === undefined ? `an axis is one of ${known}` : `did you mean ${guess}?`,
  );
}

/** "smp=1,4" as an axis. */
function parseAxis(said: string, options: readonly OptionSpec[]): Axis {
  const match = ASSIGNMENT.exec(said);
  if (match === null)
    throw new UsageError(`--matrix ${said}: expected AXIS=VALUE,…`, "--matrix kernel=debian-12,sid smp=1,4");
  const [, name, rest] = match;
  const option = optionNamed(name, said, options);
  const values = splitAtCommas(rest);
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice !== undefined)
    throw new UsageError(
      `--matrix ${said}: ${twice === "" ? "an empty value" : twice} stands there twice`,
      "two commas are one that belongs to a value",
    );
  const { choices } = option;
  const wrong = choices && values.find((value) => value !== "" && !choices.includes(value));
  if (wrong !== undefined) {
    const guess = closest(wrong, choices ?? []);
    throw new UsageError(
      `--matrix ${name}=${wrong}: expected ${choices?.join(", ")}`,
      guess && `did you mean ${guess}?`,
    );
  }
  return { name, option, values };
}

/** Reads axes as they are written, each an option of `options` that takes a value. Throws UsageError. */
export function parseAxes(words: readonly string[], options: readonly OptionSpec[]): Axis[] {
  const axes = words.map((word) => parseAxis(word, options));
  axes.forEach(({ name, option }, i) => {
    const first = axes.findIndex((other) => other.option === option);
    if (first !== i)
      throw new UsageError(
        `--matrix: ${name} is the axis ${axes[first].name} again`,
        `one axis with all values: ${name}=A,B`,
      );
  });
  return axes;
}

/** A word that is quoted where it would not be read as one. */
function quoted(value: string): string {
  return /[\s"]/.test(value) ? JSON.stringify(value) : value;
}

/** "kernel=sid,smp=4" of --only and --exclude: whether a cell has all these values. */
function parsePattern(option: string, said: string, axes: readonly Axis[]): (cell: Cell) => boolean {
  const pairs = splitAtCommas(said).map((part) => {
    const [, name, value] = ASSIGNMENT.exec(part) ?? [];
    if (name === undefined) throw new UsageError(`${option} ${said}: expected AXIS=VALUE, found "${part}"`);
    const axis = axes.find((one) => one.name === name || one.option.name === name);
    const named = axes.map((one) => one.name);
    if (axis === undefined) {
      const guess = closest(name, named);
      throw new UsageError(
        `${option} ${said}: the matrix has no axis ${name}`,
        guess === undefined ? `it has ${named.join(", ")}` : `did you mean ${guess}?`,
      );
    }
    if (!axis.values.includes(value)) {
      const guess = closest(value, axis.values);
      throw new UsageError(
        `${option} ${said}: the axis ${name} has no value "${value}"`,
        guess === undefined ? `it has ${axis.values.join(", ")}` : `did you mean ${guess}?`,
      );
    }
    return { axis, value };
  });
  return (cell) =>
    pairs.every(({ axis, value }) => cell.values.some((one) => one.axis === axis && one.value === value));
}

/** What is kept of a matrix, and what is not, as --only and --exclude say it. */
export interface CellFilter {
  only: readonly string[];
  exclude: readonly string[];
}

/** Every combination that the filter leaves, at least one. Throws UsageError. */
export function planCells(axes: readonly Axis[], { only, exclude }: CellFilter): Cell[] {
  const count = axes.reduce((product, { values }) => product * values.length, 1);
  if (count > MOST_CELLS)
    throw new UsageError(`--matrix: ${count} combinations; at most ${MOST_CELLS}`, "make several of it");
  const combinations = axes.reduce<CellValue[][]>(
    (rows, axis) => rows.flatMap((row) => axis.values.map((value) => [...row, { axis, value }])),
    [[]],
  );
  const cells = combinations.map((values, index) => ({
    index,
    values,
    name: values.map(({ axis, value }) => `${axis.name}=${quoted(value)}`).join(" "),
  }));
  const wanted = only.map((said) => parsePattern("--only", said, axes));
  const unwanted = exclude.map((said) => parsePattern("--exclude", said, axes));
  const kept = cells.filter(
    (cell) => (wanted.length === 0 || wanted.some((has) => has(cell))) && !unwanted.some((has) => has(cell)),
  );
  if (kept.length === 0) throw new UsageError("--only and --exclude leave nothing of the matrix");
  return kept.map((cell, index) => ({ ...cell, index }));
}

/** What a cell's run is not told: how a matrix ends is said by the matrix. */
const NOT_A_CELLS = ["json", "dry-run"];

/**
 * The command line of a cell's run, behind `run`: what was given besides the matrix, and the cell's own values. Throws UsageError
 * where an option that only counts once is an axis as well, or cannot be shared.
 */
export function cellWords(
  cell: Pick<Cell, "values">,
  args: Arguments,
  options: readonly OptionSpec[],
): string[] {
  const words: string[] = [];
  for (const option of options.filter(({ name }) => !NOT_A_CELLS.includes(name) && args.has(name))) {
    if (Object.hasOwn(ALONE, option.name))
      throw new UsageError(`${spelled(option.name)} in a matrix: ${ALONE[option.name]}`);
    const axis = cell.values.find((one) => one.axis.option === option)?.axis;
    if (axis !== undefined && option.repeats !== true)
      throw new UsageError(`${spelled(option.name)} is an axis of the matrix as well`, "give one of them");
    for (const value of args.values(option.name))
      words.push(option.value === undefined ? spelled(option.name) : `${spelled(option.name)}=${value}`);
  }
  for (const { axis, value } of cell.values)
    if (value !== "") words.push(`${spelled(axis.option.name)}=${value}`);
  const before = args.operands.slice(0, args.before).filter((word) => !isAxisWord(word));
  return [...words, ...before, "--", ...args.operands.slice(args.before)];
}
