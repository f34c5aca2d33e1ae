/**
 * What values an option of the library may have, and what its names are: who writes JavaScript has nobody else to say so. Knows no option;
 * what is exact about a value is checked by who reads it.
 */
import { closest } from "../cli/closest.js";
import { VmError } from "./vm-error.js";

/** What a value is to be. */
export interface Kind {
  readonly is: (value: unknown) => boolean;
  /** In words that go on from "expected". */
  readonly expected: string;
}

/** All names that there are, and what each one's value is to be. */
export type KindsOf<T> = Record<keyof T, Kind>;

/** The longest value that an error shows, characters. */
const SHOWN = 60;

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;

/** Whoever reads it says what is wrong with it. */
export const ANYTHING: Kind = { is: () => true, expected: "something" };
export const TEXT: Kind = { is: (value) => typeof value === "string", expected: "a text" };
export const NUMBER: Kind = { is: (value) => typeof value === "number", expected: "a number" };
export const TRUTH: Kind = { is: (value) => typeof value === "boolean", expected: "true or false" };
export const LIST: Kind = { is: Array.isArray, expected: "a list" };
export const TEXTS: Kind = {
  is: (value) => Array.isArray(value) && value.every((one) => typeof one === "string"),
  expected: "a list of texts",
};
export const OBJECT: Kind = {
  is: (value) => isObject(value) && !Array.isArray(value),
  expected: "an object",
};
export const FUNCTION: Kind = { is: (value) => typeof value === "function", expected: "a function" };
export const ABORT_SIGNAL: Kind = {
  // Test runners have some of their own.
  is: (value) => isObject(value) && typeof (value as Partial<AbortSignal>).throwIfAborted === "function",
  expected: "an AbortSignal, which an AbortController has as its signal",
};
/** `FileInput`. */
export const FILE: Kind = {
  is: (value) =>
    typeof value === "string" ||
    value instanceof URL ||
    value instanceof Uint8Array ||
    (isObject(value) && TEXT.is((value as { name?: unknown }).name) && "bytes" in (value as object)),
  expected: "a path, a URL, its bytes, or { name, bytes }",
};

/** One of these words. */
export const oneOf = (words: readonly string[]): Kind => ({
  is: (value) => typeof value === "string" && words.includes(value),
  expected: words.map((word) => JSON.stringify(word)).join(", "),
});

/** A text, or bytes. */
export const DATA: Kind = {
  is: (value) => typeof value === "string" || value instanceof Uint8Array,
  expected: "a text, or a Uint8Array",
};

/** Of any of these kinds. */
export const either = (expected: string, ...kinds: readonly Kind[]): Kind => ({
  is: (value) => kinds.some((kind) => kind.is(value)),
  expected,
});

/** How other libraries and programs name what has another name here. */
const NAMES_ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  append: ["cmdline", "commandLine", "bootArgs"],
  cpus: ["smp", "vcpus", "cores"],
  cwd: ["workdir", "workingDirectory", "folder"],
  env: ["environment"],
  initrd: ["initramfs", "ramdisk"],
  maxOutputBytes: ["maxBuffer"],
  memory: ["ram"],
  net: ["network"],
  shares: ["mounts", "volumes"],
  signal: ["cancelSignal", "abortSignal"],
  stdin: ["input"],
};

function meant(name: string, names: readonly string[]): string | undefined {
  return names.find((one) => NAMES_ELSEWHERE[one]?.includes(name)) ?? closest(name, names);
}

/** A value as an error shows it. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "function") return "a function";
  if (isObject(value)) return "an object";
  const text = typeof value === "string" ? `the text ${JSON.stringify(value)}` : String(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/**
 * Throws VmError "option" for what is no object, for a name that there is not, and for a value of another kind. `what` was given:
 * a call, or, where `isOption`, an option that has options itself.
 */
export function checkOptions(what: string, given: unknown, kinds: object, isOption = false): void {
  if (!OBJECT.is(given)) throw new VmError("option", what, { found: shown(given), expected: "an object" });
  for (const [name, value] of Object.entries(given as object))
    checkOption(what, [name, value], kinds, isOption);
}

/** Throws VmError "option" for a value of another kind. `what` was given it. */
export function checkValue(what: string, value: unknown, { is, expected }: Kind): void {
  if (!is(value)) throw new VmError("option", what, { found: shown(value), expected });
}

function checkOption(what: string, [name, value]: [string, unknown], kinds: object, isOption: boolean): void {
  const names = Object.keys(kinds);
  if (!names.includes(name)) {
    const guess = meant(name, names);
    throw new VmError("option", what, {
      found: `the name ${name}`,
      expected: names.join(", "),
      ...(guess !== undefined && { meaning: `Did you mean ${guess}?` }),
    });
  }
  const { is, expected } = (kinds as Record<string, Kind>)[name];
  if (value !== undefined && !is(value))
    throw new VmError("option", isOption ? `${what}.${name}` : name, { found: shown(value), expected });
}
