/** Words of `--net` that make its line a bad one: loss=1%, delay=20ms, rate=10mbit. */
import { checkFaults, MOST_SEED, type Faults } from "../net/faults.js";
import { UsageError } from "./args.js";
import { parseCount } from "./values.js";

const PERCENT = /^(\d+(?:\.\d+)?)%$/;
const TIME = /^(\d+(?:\.\d+)?)(ms|s)$/;
const RATE = /^(\d+(?:\.\d+)?)(k|m|g)?bit$/;
const ALL_PERCENT = 100;
const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000 };
const BITS: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, g: 1e9 };

function measured(
  text: string,
  shape: RegExp,
  units: Readonly<Record<string, number>>,
  example: string,
): number {
  const [, digits, unit = ""] = shape.exec(text.slice(text.indexOf("=") + 1)) ?? [];
  if (digits === undefined) throw new UsageError(`--net ${text}: expected for instance ${example}`, example);
  return Number(digits) * (units[unit] ?? 1);
}

function probability(text: string, name: string): number {
  return measured(text, PERCENT, {}, `${name}=1%`) / ALL_PERCENT;
}

const WORDS: Readonly<Record<keyof Faults, (text: string, value: string) => number>> = {
  loss: (text) => probability(text, "loss"),
  reorder: (text) => probability(text, "reorder"),
  duplicate: (text) => probability(text, "duplicate"),
  corrupt: (text) => probability(text, "corrupt"),
  delay: (text) => measured(text, TIME, MS, "delay=20ms"),
  jitter: (text) => measured(text, TIME, MS, "jitter=5ms"),
  rate: (text) => measured(text, RATE, BITS, "rate=10mbit"),
  seed: (_, value) => parseCount("--net seed", value, 0, MOST_SEED),
};

/** Whether a word is one of these. */
export function isFault(key: string): key is keyof Faults {
  return Object.hasOwn(WORDS, key);
}

/** The faults among the words of `--net`; undefined where there is none. Throws UsageError. */
export function faultsOf(pairs: readonly (readonly [string, string])[]): Faults | undefined {
  const found = pairs.filter(([key]) => isFault(key));
  if (found.length === 0) return undefined;
  const faults: Faults = Object.fromEntries(
    found.map(([key, value]) => [key, WORDS[key as keyof Faults](`${key}=${value}`, value)]),
  );
  try {
    checkFaults(faults);
  } catch (error) {
    throw new UsageError(`--net: ${(error as RangeError).message}`);
  }
  return faults;
}
