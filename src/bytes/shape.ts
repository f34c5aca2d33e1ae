/**
 * A small language for what plain data from outside must look like: a saved machine is a file that anybody may have written.
 * A shape looks at a value and gives a fresh copy that has exactly the fields it knows, or says what is wrong and where.
 * Nothing is copied before its length was looked at, and nothing is followed deeper than a shape says. Knows no file format.
 */
import { hex } from "./hex.js";
import { inOneLine } from "./one-line.js";

/** What a value must be. */
export interface Shape<T> {
  /** A copy of `value`, which stands at `path`. Throws ShapeError at the first thing that is not as it must be. */
  check(value: unknown, path: string): T;
}

/** What a shape's copies are. */
export type Shaped<S> = S extends Shape<infer T> ? T : never;

/** A value that is not what it must be; `path` says where it stands: `cpus[1].registers.lvt.timer`. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
  constructor(
    readonly path: string,
    readonly found: string,
    readonly expected: string,
  ) {
    super(`${path || "the whole"}: found ${found}; expected ${expected}`);
  }
}

/** What is wrong with a value whose parts are all right; `at` is a path from it on: `.count`. */
export interface Fault {
  readonly at?: string;
  readonly found: string;
  readonly expected: string;
}

/** Characters of a text that an error shows. */
const SHOWN_TEXT = 40;
const U8 = 0xff;
const U16 = 0xffff;
const U32 = 0xffff_ffff;
const U64 = 0xffff_ffff_ffff_ffffn;

/** A value in a few words; never long, whatever it is. */
function described(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (typeof value === "string") {
    return value.length <= SHOWN_TEXT
      ? `"${inOneLine(value)}"`
      : `"${inOneLine(value.slice(0, SHOWN_TEXT))}…" of ${value.length} characters`;
  }
  if (typeof value === "bigint") return value >= -U64 && value <= U64 ? hex(value) : "a longer number";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function fail(path: string, value: unknown, expected: string): never {
  throw new ShapeError(path, described(value), expected);
}

/** A shape from a test of the value itself. */
function plain<T>(expected: string, is: (value: unknown) => value is T): Shape<T> {
  return { check: (value, path) => (is(value) ? value : fail(path, value, expected)) };
}

// ── Numbers ─────────────────────────────────────────────────────────────────────────────────────────────────

/** A shape of numbers from a test; -0 becomes 0. */
function number(expected: string, is: (value: number) => boolean): Shape<number> {
  return {
    check: (value, path) =>
      typeof value === "number" && is(value) ? value || 0 : fail(path, value, expected),
  };
}

/** A whole number from `first` to `last`, both safe integers. */
export function whole(first: number, last: number): Shape<number> {
  return number(
    `a whole number from ${first} to ${last}`,
    (value) => Number.isSafeInteger(value) && value >= first && value <= last,
  );
}

export const u8 = whole(0, U8);
export const u16 = whole(0, U16);
export const u32 = whole(0, U32);
export const i32 = whole(-0x8000_0000, 0x7fff_ffff);
/** A time or a count of ticks. */
export const natural = whole(0, Number.MAX_SAFE_INTEGER);

/** A register of at most 32 bits of which only those of `mask` can be set. */
export function bits(mask: number): Shape<number> {
  return number(
    `bits of ${hex(mask >>> 0)} only`,
    (value) => Number.isInteger(value) && value >= 0 && value <= U32 && (value & ~mask) === 0,
  );
}

/** A finite number from `first` to `last`. */
export function finite(first: number, last: number): Shape<number> {
  return number(`a number from ${first} to ${last}`, (value) => value >= first && value <= last);
}

/** A bigint from `first` to `last`. */
export function big(first: bigint, last: bigint): Shape<bigint> {
  return plain(
    `a whole number from ${hex(first)} to ${hex(last)}, as a bigint`,
    (value): value is bigint => typeof value === "bigint" && value >= first && value <= last,
  );
}

export const u64 = big(0n, U64);

// ── Other values without parts ──────────────────────────────────────────────────────────────────────────────

export const bool = plain("true or false", (value): value is boolean => typeof value === "boolean");

/** Nothing else than one of these. */
export function oneOf<const T extends readonly (string | number | boolean | null)[]>(
  ...values: T
): Shape<T[number]> {
  const expected = values.map((value) => described(value)).join(" or ");
  return plain(expected, (value): value is T[number] => (values as readonly unknown[]).includes(value));
}

/** A text of at most `max` UTF-16 units. */
export function text(max: number): Shape<string> {
  return plain(
    `a text of at most ${max} characters`,
    (value): value is string => typeof value === "string" && value.length <= max,
  );
}

/** How many there may be. */
export interface Limits {
  readonly min?: number;
  readonly max: number;
}

function within(length: number, { min = 0, max }: Limits): boolean {
  return length >= min && length <= max;
}

function limitsText({ min = 0, max }: Limits): string {
  if (min === max) return `${max}`;
  return min === 0 ? `at most ${max}` : `${min} to ${max}`;
}

/** Exactly `length` bytes, or as many as the limits say. */
export function bytes(length: number | Limits): Shape<Uint8Array> {
  const { check } = sameBytes(length);
  return { check: (value, path) => check(value, path).slice() };
}

/** The same, but the very bytes and no copy: for what is large and nobody changes. */
export function sameBytes(length: number | Limits): Shape<Uint8Array> {
  const limits = typeof length === "number" ? { min: length, max: length } : length;
  return plain(
    `${limitsText(limits)} bytes`,
    (value): value is Uint8Array => value instanceof Uint8Array && within(value.length, limits),
  );
}

// ── Values with parts ───────────────────────────────────────────────────────────────────────────────────────

/** A list of as many as the limits say, or of exactly `length`. */
export function list<T>(shape: Shape<T>, length: number | Limits): Shape<T[]> {
  const limits = typeof length === "number" ? { min: length, max: length } : length;
  return {
    check(value, path) {
      if (!Array.isArray(value) || !within(value.length, limits)) {
        return fail(path, value, `a list of ${limitsText(limits)}`);
      }
      // By index, as a list may have holes.
      return Array.from({ length: value.length }, (_, index) =>
        shape.check(value[index], `${path}[${index}]`),
      );
    },
  };
}

/** A field that may be absent. */
export interface OptionalField<T> {
  readonly optional: Shape<T>;
}

/** The field of an object that is absent, or has this shape. */
export function optional<T>(shape: Shape<T>): OptionalField<T> {
  return { optional: shape };
}

/** A shape for every field that T has: one that T gets and this does not name is an error of the compiler. */
export type Fields<T> = {
  readonly [K in keyof T]-?: undefined extends T[K] ? OptionalField<Exclude<T[K], undefined>> : Shape<T[K]>;
};

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

/** A path with a field; without the dot at its beginning. */
function inside(path: string, field: string): string {
  const shown = inOneLine(field.length > SHOWN_TEXT ? `${field.slice(0, SHOWN_TEXT)}…` : field);
  return path === "" ? shown : `${path}.${shown}`;
}

/** An object with these fields and no other. */
export function record<T extends object>(fields: Fields<T>): Shape<T> {
  const known = Object.entries<Shape<unknown> | OptionalField<unknown>>(fields);
  const names = new Set(known.map(([name]) => name));
  return {
    check(value, path) {
      if (!isPlain(value)) return fail(path, value, "an object");
      const unknown = Object.keys(value).find((name) => !names.has(name));
      if (unknown !== undefined) {
        return fail(inside(path, unknown), value[unknown], "no such field");
      }
      const copy: Record<string, unknown> = {};
      for (const [name, field] of known) {
        const found = Object.hasOwn(value, name) ? value[name] : undefined;
        if (!("optional" in field)) copy[name] = field.check(found, inside(path, name));
        else if (found !== undefined) copy[name] = field.optional.check(found, inside(path, name));
      }
      return copy as T;
    },
  };
}

/** An object from names to values, at most `max` of them; `name` is what a name must be. */
export function namedMap<T>(name: Shape<string>, shape: Shape<T>, max: number): Shape<Record<string, T>> {
  return {
    check(value, path) {
      if (!isPlain(value)) return fail(path, value, "an object");
      const names = Object.keys(value);
      if (names.length > max) throw new ShapeError(path, `${names.length} fields`, `at most ${max}`);
      // `fromEntries` makes a field even of "__proto__".
      return Object.fromEntries(
        names.map((one) => [name.check(one, path), shape.check(value[one], inside(path, one))]),
      );
    },
  };
}

/** The same from whole numbers from 0 on, in their decimal spelling. */
export function numberMap<T>(key: Shape<number>, shape: Shape<T>, max: number): Shape<Record<number, T>> {
  const decimal: Shape<string> = {
    check(value, path) {
      const decoded = Number(value);
      if (String(decoded) !== value) return fail(path, value, "a number in decimal as name");
      return String(key.check(decoded, path));
    },
  };
  return namedMap(decimal, shape, max);
}

/** A value that JSON can carry. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** How large JSON may be. */
export interface JsonLimits {
  /** Lists and objects inside each other. */
  readonly depth: number;
  /** Values in all, and the characters of all texts and names. */
  readonly size: number;
}

/** Whatever JSON can carry, within limits. */
export function json({ depth, size }: JsonLimits): Shape<Json> {
  return {
    check(value, path) {
      let left = size;
      const spend = (amount: number, at: string): void => {
        left -= amount;
        if (left < 0) throw new ShapeError(at, "more", `at most ${size} values and characters`);
      };
      const copy = (from: unknown, at: string, levels: number): Json => {
        spend(1, at);
        if (from === null || typeof from === "boolean") return from;
        if (typeof from === "number" && Number.isFinite(from)) return from;
        if (typeof from === "string") {
          spend(from.length, at);
          return from;
        }
        if (!Array.isArray(from) && !isPlain(from)) return fail(at, from, "a value that JSON can carry");
        if (levels === 0) return fail(at, from, `lists and objects ${depth} deep at most`);
        if (Array.isArray(from)) {
          spend(from.length, at);
          return Array.from({ length: from.length }, (_, i) => copy(from[i], `${at}[${i}]`, levels - 1));
        }
        const entries = Object.keys(from).map((name) => {
          spend(name.length, at);
          return [name, copy(from[name], inside(at, name), levels - 1)] as const;
        });
        return Object.fromEntries(entries);
      };
      return copy(value, path, depth);
    },
  };
}

// ── Shapes from shapes ──────────────────────────────────────────────────────────────────────────────────────

/** A value whose parts are right and agree with each other: `fault` says what does not. */
export function refine<T>(shape: Shape<T>, fault: (value: T) => Fault | undefined): Shape<T> {
  return {
    check(value, path) {
      const copy = shape.check(value, path);
      const wrong = fault(copy);
      if (wrong === undefined) return copy;
      const { at = "", found, expected } = wrong;
      throw new ShapeError(path === "" ? at.replace(/^\./, "") : path + at, found, expected);
    },
  };
}
