/**
 * Plain data as bytes and back: a subset of CBOR. Whole numbers, doubles, texts, byte strings, lists, maps with texts as keys,
 * true, false and null; a bigint is tag 2 before a byte string. Fields that are undefined are left out. What is read may come
 * from anybody: no length is believed before the bytes are there, nothing is deeper than `DEEPEST`.
 *
 * Specification: RFC 8949 §3; §3.4.3 for the tag.
 */
import { hex } from "../bytes/hex.js";
import { SnapshotError } from "./snapshot-error.js";

/** Major types, §3.1. */
const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, list: 4, map: 5, tag: 6, simple: 7 } as const;
const MAJOR_SHIFT = 5;
const ARGUMENT_MASK = 0x1f;
/** Arguments from here on stand in 1, 2, 4 or 8 bytes behind the first. */
const FIRST_LONG = 24;
const IN_8_BYTES = 27;
const TAG_BIGNUM = 2;
const SIMPLE = { false: 20, true: 21, null: 22, double: 27 } as const;
/** More lists and maps inside each other than any state has. */
const DEEPEST = 32;
/** The longest bigint, bytes. */
const LONGEST_BIGINT = 8;
const FIRST_CAPACITY = 4096;
const U32_END = 2 ** 32;
const SHORT_TEXT = 24;
const FIRST_BEYOND_ASCII = 0x80;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes of plain data. Throws RangeError for what is none. */
export function encodeValue(value: unknown): Uint8Array {
  const writer = new ValueWriter();
  writer.value(value);
  return writer.finish();
}

/** The value in `bytes`, all of them. `base`: where they stand in the file. Throws SnapshotError. Byte strings are views. */
export function decodeValue(bytes: Uint8Array, base: number): unknown {
  const reader = new ValueReader(bytes, base);
  const value = reader.value(0);
  if (reader.left > 0) throw reader.refuse(`${reader.left} bytes behind the value`, "nothing");
  return value;
}

class ValueWriter {
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  value(value: unknown): void {
    if (typeof value === "number") this.#number(value);
    else if (typeof value === "bigint") this.#bigint(value);
    else if (typeof value === "string") this.#text(value);
    else if (typeof value === "boolean") this.#head(MAJOR.simple, value ? SIMPLE.true : SIMPLE.false);
    else if (value === null) this.#head(MAJOR.simple, SIMPLE.null);
    else if (value instanceof Uint8Array) this.#string(MAJOR.bytes, value);
    else if (Array.isArray(value)) {
      this.#head(MAJOR.list, value.length);
      for (const one of value as unknown[]) this.value(one);
    } else if (typeof value === "object") this.#map(value as Record<string, unknown>);
    else throw new RangeError(`a ${typeof value} cannot be saved`);
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value >= 0) this.#head(MAJOR.unsigned, value);
      else this.#head(MAJOR.negative, -1 - value);
      return;
    }
    this.#reserve(9);
    this.#bytes[this.#length++] = (MAJOR.simple << MAJOR_SHIFT) | SIMPLE.double;
    this.#view.setFloat64(this.#length, value);
    this.#length += 8;
  }

  #bigint(value: bigint): void {
    if (BigInt.asUintN(LONGEST_BIGINT * 8, value) !== value)
      throw new RangeError(`${value} is not of 64 bits`);
    this.#head(MAJOR.tag, TAG_BIGNUM);
    const bytes = new Uint8Array(LONGEST_BIGINT);
    new DataView(bytes.buffer).setBigUint64(0, value);
    const first = bytes.findIndex((byte) => byte !== 0);
    this.#string(MAJOR.bytes, first < 0 ? bytes.subarray(LONGEST_BIGINT) : bytes.subarray(first));
  }

  #text(value: string): void {
    this.#string(MAJOR.text, ENCODER.encode(value));
  }

  #string(major: number, bytes: Uint8Array): void {
    this.#head(major, bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #map(value: Record<string, unknown>): void {
    const fields = Object.entries(value).filter(([, one]) => one !== undefined);
    // In one order, however the object was made: equal states have equal files.
    fields.sort(([a], [b]) => (a < b ? -1 : 1));
    this.#head(MAJOR.map, fields.length);
    for (const [key, one] of fields) {
      this.#text(key);
      this.value(one);
    }
  }

  #head(major: number, argument: number): void {
    this.#reserve(9);
    const first = major << MAJOR_SHIFT;
    if (argument < FIRST_LONG) {
      this.#bytes[this.#length++] = first | argument;
      return;
    }
    const size = argument <= 0xff ? 0 : argument <= 0xffff ? 1 : argument < U32_END ? 2 : 3;
    this.#bytes[this.#length++] = first | (FIRST_LONG + size);
    if (size === 0) this.#view.setUint8(this.#length, argument);
    else if (size === 1) this.#view.setUint16(this.#length, argument);
    else if (size === 2) this.#view.setUint32(this.#length, argument);
    else this.#view.setBigUint64(this.#length, BigInt(argument));
    this.#length += 1 << size;
  }

  #reserve(size: number): void {
    const wanted = this.#length + size;
    if (wanted <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

class ValueReader {
  readonly #view: DataView;
  #at = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly base: number,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Bytes that were not read. */
  get left(): number {
    return this.bytes.length - this.#at;
  }

  refuse(found: string, expected: string, at = this.#at): SnapshotError {
    return new SnapshotError(
      this.base + at,
      found,
      expected,
      "The state is none that a machine was saved as.",
    );
  }

  value(depth: number): unknown {
    const start = this.#at;
    const first = this.#byte();
    const [major, low] = [first >> MAJOR_SHIFT, first & ARGUMENT_MASK];
    if (major === MAJOR.simple) return this.#simple(low, start);
    const argument = this.#argument(low, start);
    switch (major) {
      case MAJOR.unsigned:
        return argument;
      case MAJOR.negative:
        return -1 - argument;
      case MAJOR.bytes:
        return this.#take(argument, start);
      case MAJOR.text:
        return this.#text(argument, start);
      case MAJOR.list:
      case MAJOR.map:
        if (depth >= DEEPEST) throw this.refuse(`values ${DEEPEST + 1} deep`, `${DEEPEST} at most`, start);
        return major === MAJOR.list ? this.#list(argument, depth, start) : this.#map(argument, depth, start);
    }
    return this.#bigint(argument, start);
  }

  #byte(): number {
    if (this.left < 1) throw this.refuse("the end of the section", "a value");
    return this.bytes[this.#at++];
  }

  #argument(low: number, start: number): number {
    if (low < FIRST_LONG) return low;
    if (low > IN_8_BYTES) throw this.refuse(hex(this.bytes[start], 2), "a value of a known length", start);
    const size = 1 << (low - FIRST_LONG);
    const at = this.#skip(size, start);
    if (size === 1) return this.#view.getUint8(at);
    if (size === 2) return this.#view.getUint16(at);
    if (size === 4) return this.#view.getUint32(at);
    const wide = this.#view.getBigUint64(at);
    if (wide > BigInt(Number.MAX_SAFE_INTEGER)) throw this.refuse(hex(wide), "a number below 2^53", start);
    return Number(wide);
  }

  #simple(low: number, start: number): unknown {
    switch (low) {
      case SIMPLE.false:
        return false;
      case SIMPLE.true:
        return true;
      case SIMPLE.null:
        return null;
      case SIMPLE.double:
        return this.#view.getFloat64(this.#skip(8, start));
    }
    throw this.refuse(hex(this.bytes[start], 2), "true, false, null or a double", start);
  }

  /** Where the next `length` bytes begin. */
  #skip(length: number, start: number): number {
    if (length > this.left)
      throw this.refuse(`${length} bytes in a section that has ${this.left} more`, "all of them", start);
    const at = this.#at;
    this.#at += length;
    return at;
  }

  #take(length: number, start: number): Uint8Array {
    const at = this.#skip(length, start);
    return this.bytes.subarray(at, at + length);
  }

  #text(length: number, start: number): string {
    const at = this.#skip(length, start);
    return length <= SHORT_TEXT ? this.#short(at, length, start) : this.#utf8(at, length, start);
  }

  /** Names of fields are short and ASCII: a call of the decoder would cost more than all else here. */
  #short(at: number, length: number, start: number): string {
    let text = "";
    for (let i = at; i < at + length; i++) {
      if (this.bytes[i] >= FIRST_BEYOND_ASCII) return this.#utf8(at, length, start);
      text += String.fromCharCode(this.bytes[i]);
    }
    return text;
  }

  #utf8(at: number, length: number, start: number): string {
    try {
      return DECODER.decode(this.bytes.subarray(at, at + length));
    } catch {
      throw this.refuse("bytes that are no UTF-8", "a text", start);
    }
  }

  /** Every value takes a byte at least. */
  #count(count: number, start: number): void {
    if (count > this.left)
      throw this.refuse(`${count} values in ${this.left} bytes`, "as many as there is room for", start);
  }

  #list(count: number, depth: number, start: number): unknown[] {
    this.#count(count, start);
    const list: unknown[] = [];
    for (let i = 0; i < count; i++) list.push(this.value(depth + 1));
    return list;
  }

  /** Without a prototype: a key may be any name. */
  #map(count: number, depth: number, start: number): Record<string, unknown> {
    this.#count(count, start);
    const map = Object.create(null) as Record<string, unknown>;
    for (let i = 0; i < count; i++) {
      const at = this.#at;
      const key = this.value(DEEPEST);
      if (typeof key !== "string" || key in map)
        throw this.refuse("a key", "a text that was not there before", at);
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  #bigint(tag: number, start: number): bigint {
    const at = this.#at;
    const first = this.#byte();
    const length = first & ARGUMENT_MASK;
    if (tag !== TAG_BIGNUM || first >> MAJOR_SHIFT !== MAJOR.bytes || length > LONGEST_BIGINT)
      throw this.refuse(`tag ${tag}`, `tag ${TAG_BIGNUM} before at most ${LONGEST_BIGINT} bytes`, start);
    let value = 0n;
    for (const byte of this.#take(length, at)) value = (value << 8n) | BigInt(byte);
    return value;
  }
}
