/** What is different between two machines that `plan --json` wrote: paths into the JSON, with both values. Knows no field of a plan. */

/** One difference; a side that lacks the place is undefined. */
export interface Difference {
  readonly path: string;
  readonly left: string | undefined;
  readonly right: string | undefined;
}

type Leaves = Map<string, string>;

/** Fields by which the elements of a list are told apart; else their number is. */
const NAMES = ["name", "id", "leaf"] as const;

function nameOf(value: unknown, index: number): string {
  if (typeof value === "object" && value !== null) {
    for (const field of NAMES) {
      const name = (value as Record<string, unknown>)[field];
      if (typeof name === "string" || typeof name === "number") return String(name);
    }
  }
  return String(index);
}

function collect(value: unknown, path: string, leaves: Leaves): void {
  if (Array.isArray(value)) {
    const seen = new Map<string, number>();
    value.forEach((element, i) => {
      const name = nameOf(element, i);
      const count = seen.get(name) ?? 0;
      seen.set(name, count + 1);
      collect(element, `${path}[${count === 0 ? name : `${name}#${count}`}]`, leaves);
    });
    return;
  }
  if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value))
      collect(inner, path === "" ? key : `${path}.${key}`, leaves);
    return;
  }
  leaves.set(path, JSON.stringify(value));
}

/** The differences, in the order of the left plan, then what only the right one has. */
export function planDifferences(left: unknown, right: unknown): Difference[] {
  const [ours, theirs]: [Leaves, Leaves] = [new Map(), new Map()];
  collect(left, "", ours);
  collect(right, "", theirs);
  const paths = new Set([...ours.keys(), ...theirs.keys()]);
  return [...paths]
    .map((path) => ({ path, left: ours.get(path), right: theirs.get(path) }))
    .filter((one) => one.left !== one.right);
}

/** Longest value that is shown whole: contents of memory are long. */
const SHOWN = 80;

function shown(value: string): string {
  return value.length <= SHOWN ? value : `${value.slice(0, SHOWN)}… (${value.length} characters)`;
}

/** A line each: `memory: 268435456 → 536870912`. */
export function differenceLines(differences: readonly Difference[]): string[] {
  return differences.map(({ path, left, right }) => {
    if (left === undefined) return `+ ${path}: ${shown(right ?? "")}`;
    if (right === undefined) return `- ${path}: ${shown(left)}`;
    return `  ${path}: ${shown(left)} → ${shown(right)}`;
  });
}
