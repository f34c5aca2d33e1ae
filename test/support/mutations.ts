/** Small changes to plain data, as somebody makes them who crafts a file: every field comes to hold something else some day. */
import type { Random } from "./random.js";

const NUMBERS = [
  ...[
    0, 1, 2, 3, 7, 8, 15, 16, 0x1f, 0x20, 0x7f, 0x80, 0xff, 0x100, 0xfff, 0x1000, 0xffff, 0x10000, 0x7fffffff,
  ],
  ...[
    0x80000000,
    0xfee00000,
    0xffffffff,
    2 ** 32,
    2 ** 40,
    2 ** 47,
    2 ** 52,
    2 ** 53 - 1,
    -1,
    -2,
    -(2 ** 31),
  ],
  ...[-(2 ** 53) + 1, 1e12, 6e14],
];
const ODD_NUMBERS = [NaN, Infinity, -Infinity, 0.5, -0, 1e300, 2 ** 53, 2 ** 64];
const BIGS = [
  0n,
  1n,
  0x80n,
  0xfffn,
  0x1000n,
  0xffffffffn,
  1n << 32n,
  1n << 47n,
  0xffff800000000000n,
  1n << 63n,
];
const ODD_BIGS = [-1n, 1n << 64n, -(1n << 63n), 1n << 1000n];

/** Steps from a value to one inside it. */
type Path = readonly (string | number)[];

function isContainer(value: unknown): value is Record<string | number, unknown> {
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
}

/** The ways to all that is not a list of numbers, as those would outweigh everything else. */
function pathsOf(value: unknown, at: Path = [], found: Path[] = []): Path[] {
  found.push(at);
  if (!isContainer(value) || (Array.isArray(value) && typeof value[0] === "number")) return found;
  for (const key of keysOf(value)) pathsOf(value[key], [...at, key], found);
  return found;
}

function keysOf(value: Record<string | number, unknown>): (string | number)[] {
  return Array.isArray(value) ? [...value.keys()] : Object.keys(value);
}

/** The way to something in `value`. */
function pathIn(value: unknown, random: Random): Path {
  const path = random.pick(pathsOf(value));
  for (const key of path) value = (value as Record<string | number, unknown>)[key];
  if (!Array.isArray(value) || value.length === 0 || random.below(4) === 0) return path;
  return [...path, random.below(value.length)];
}

function flippedNumber(value: number, random: Random): number {
  if (!Number.isSafeInteger(value)) return random.pick(NUMBERS);
  const bit = 2 ** random.below(random.below(4) === 0 ? 53 : 32);
  return Math.floor(value / bit) % 2 === 1 ? value - bit : value + bit;
}

/** A value of the same kind. */
function like(value: unknown, random: Random, odd: boolean): unknown {
  const way = random.below(4);
  switch (typeof value) {
    case "number":
      if (odd && way === 0) return random.pick(ODD_NUMBERS);
      if (way === 1) return random.below(3) === 0 ? 0 : random.pick(NUMBERS);
      if (way === 2) return flippedNumber(value, random);
      return random.below(2) ? random.below(0xffffffff) : random.below(0x100);
    case "bigint":
      if (odd && way === 0) return random.pick(ODD_BIGS);
      if (way === 1) return random.pick(BIGS);
      if (way === 2) return value ^ (1n << BigInt(random.below(64)));
      return (BigInt(random.below(0xffffffff)) << 32n) | BigInt(random.below(0xffffffff));
    case "boolean":
      return !value;
    case "string":
      return random.pick(["", "x", `${value}x`, "\u0000\uffff", "y".repeat(1 << random.below(8))]);
    default:
      return value;
  }
}

function ofAnotherKind(value: unknown, random: Random): unknown {
  return random.pick([
    null,
    undefined,
    0,
    -1,
    1n,
    "text",
    true,
    [],
    {},
    [value],
    { value },
    new Uint8Array(3),
    new Array(100_000),
    "z".repeat(1 << 20),
  ]);
}

function changedBytes(bytes: Uint8Array, random: Random, odd: boolean): Uint8Array {
  if (odd && random.below(4) === 0) return new Uint8Array(random.pick([0, 1, bytes.length + 1, 1 << 20]));
  const copy = bytes.slice();
  const count = 1 + random.below(8);
  for (let i = 0; i < count && copy.length > 0; i++) copy[random.below(copy.length)] = random.below(0x100);
  return copy;
}

function changedList(list: unknown[], random: Random): unknown[] {
  const copy = [...list];
  const way = random.below(4);
  if (way === 0) copy.pop();
  else if (way === 1) copy.push(list.length > 0 ? structuredClone(random.pick(list)) : random.below(0x100));
  else if (way === 2) copy.length = 0;
  else while (copy.length < 40) copy.push(random.below(0x100));
  return copy;
}

function changedObject(value: object, random: Random): object {
  const copy: Record<string, unknown> = { ...value };
  const keys = Object.keys(copy);
  if (keys.length > 0 && random.below(2)) delete copy[random.pick(keys)];
  else copy[random.pick(["extra", "constructor", "toString", "length", "16"])] = random.below(2) ? 1 : 1n;
  return copy;
}

function changed(value: unknown, random: Random, odd: boolean): unknown {
  if (odd && random.below(8) === 0) return ofAnotherKind(value, random);
  if (value instanceof Uint8Array) return changedBytes(value, random, odd);
  if (Array.isArray(value)) return changedList(value, random);
  if (typeof value === "object" && value !== null) return odd ? changedObject(value, random) : value;
  return like(value, random, odd);
}

function replaced(value: unknown, path: Path, change: (value: unknown) => unknown): unknown {
  if (path.length === 0) return change(value);
  const [step, ...rest] = path;
  if (Array.isArray(value)) {
    const copy = [...(value as unknown[])];
    copy[step as number] = replaced(copy[step as number], rest, change);
    return copy;
  }
  const object = value as Record<string, unknown>;
  return { ...object, [step]: replaced(object[step], rest, change) };
}

/**
 * A copy of `value` with one thing in it changed. With `odd`, also to what no program writes: other kinds, other fields, NaN,
 * gigantic lists.
 */
export function mutated<T>(value: T, random: Random, odd: boolean): T {
  const path = pathIn(value, random);
  return replaced(value, path, (one) => changed(one, random, odd)) as T;
}

/** `value` after `count` changes that `passes` lets through. */
export function wandered<T>(value: T, random: Random, count: number, passes: (value: T) => boolean): T {
  for (let i = 0; i < count; i++) {
    const next = mutated(value, random, false);
    if (passes(next)) value = next;
  }
  return value;
}
