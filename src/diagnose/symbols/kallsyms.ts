/**
 * The symbols that a Linux kernel carries in its own memory (CONFIG_KALLSYMS), found there by their structure: no address and no
 * file is needed. Knows x86-64 and i386 kernels from 4.20 on. RAM may hold anything: whatever contradicts itself is no table, and
 * time and memory are bounded by the limits below.
 *
 * Sources: Linux scripts/kallsyms.c (`write_src`), kernel/kallsyms.c. The tables lie behind each other in .rodata:
 *
 * ```
 *   until 6.4:  offsets[n]  relative_base  num_syms  names  markers  [6.2: seqs_of_names]  token_table  token_index
 *   from 6.5:   num_syms  names  markers  token_table  token_index  offsets[n]  relative_base  seqs_of_names
 *   from 7.0:   the same without relative_base: each offset counts from its own place
 * ```
 *
 * A name is a length (from 6.1 in two bytes where bit 7 of the first is set), then numbers of tokens; the text begins with the
 * letter of its type. The numbers '0' to '9' are tokens for themselves: that is what is looked for.
 */
import { eachPiece, readText, readWord64, type Ram } from "../ram.js";

/** What was found. */
export type Kallsyms = {
  /** In the order of their addresses. */
  names: string[];
  /** Bytes of a pointer. */
  wordSize: 4 | 8;
  /** Guest-physical address of the tokens. */
  at: number;
} & Places;

/** Where the symbols are: as the kernel runs, or, where it keeps distances only, in RAM. */
type Places = { addresses: bigint[]; physical?: undefined } | { addresses?: undefined; physical: number[] };

const TOKENS = 256;
/** Bytes of the table of places of tokens. */
const INDEX_BYTES = TOKENS * 2;
const DIGIT_0 = 0x30;
const DIGITS = 10;
/** Symbols that a kernel may have, and how long a name may be (KSYM_NAME_LEN is 512). */
const FEWEST_SYMBOLS = 256;
const MOST_SYMBOLS = 1 << 20;
const LONGEST_NAME = 511;
/** Names a marker stands for. */
const MARKED = 256;
/** Bytes of the tokens at most; their longest is some 20. */
const LONGEST_TOKENS = 0x4000;
/** Bytes of a group of marked names: a length, a type and a character each at least. */
const SHORTEST_GROUP = MARKED * 2;
const LONGEST_GROUP = MARKED * 128;
const LARGEST_BYTE = 0x80;
const SECOND_SHIFT = 7;
/** Bytes of an entry of `seqs_of_names`. */
const SEQUENCE_BYTES = 3;
/** Tables of tokens that are tried, places that only look like one, and tables of markers of each, before a search is given up. */
const MOST_TABLES = 4;
const MOST_PLACES = 4096;
const MOST_MARKERS = 16;
/** Characters of all names together. */
const MOST_TEXT = 1 << 25;
/** Step of the search for digits: 20 bytes that follow each other hold one aligned word at least. */
const SCAN_WORDS = 4;
const EVEN_ZEROS = 0xff00_ff00 | 0;
const ODD_ZEROS = 0x00ff_00ff;

const alignUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/** The tokens: where they begin in RAM, and their texts. */
interface Tokens {
  start: number;
  /** Behind the table of their places. */
  end: number;
  texts: string[];
}

/** The names: where they lie, how many, and where their count stands. */
interface Names {
  count: number;
  countAt: number;
  start: number;
}

/** Finds the tables. Undefined where there are none that agree with each other. */
export function findKallsyms(ram: Ram): Kallsyms | undefined {
  let [tables, places] = [0, 0];
  let found: Kallsyms | undefined;
  eachPiece(ram, (bytes, start) => {
    for (const at of digitsIn(bytes)) {
      if (++places > MOST_PLACES) return true;
      const tokens = tokensAt(ram, start + at);
      if (tokens === undefined) continue;
      found = fromTokens(ram, tokens);
      if (found !== undefined || ++tables >= MOST_TABLES) return true;
    }
    return false;
  });
  return found;
}

/** Places of "0\01\02\0…9\0". One that lies across two pieces is not found: pieces end where no kernel's table does, mostly. */
function* digitsIn(bytes: Uint8Array): Generator<number> {
  const whole = bytes.length >>> 2;
  const words =
    bytes.byteOffset % Int32Array.BYTES_PER_ELEMENT === 0
      ? new Int32Array(bytes.buffer, bytes.byteOffset, whole)
      : new Int32Array(bytes.slice(0, whole * Int32Array.BYTES_PER_ELEMENT).buffer);
  for (let i = 0; i < words.length; i += SCAN_WORDS) {
    const word = words[i];
    if (word === 0) continue;
    if ((word & EVEN_ZEROS) !== 0 && (word & ODD_ZEROS) !== 0) continue;
    const odd = (word & EVEN_ZEROS) !== 0;
    const digit = (odd ? word >>> 8 : word) & 0xff;
    if (digit < DIGIT_0 || digit >= DIGIT_0 + DIGITS) continue;
    const at = i * Int32Array.BYTES_PER_ELEMENT + (odd ? 1 : 0) - (digit - DIGIT_0) * 2;
    if (isDigits(bytes, at)) yield at;
  }
}

function isDigits(bytes: Uint8Array, at: number): boolean {
  if (at < 0 || at + DIGITS * 2 > bytes.length) return false;
  for (let i = 0; i < DIGITS; i++)
    if (bytes[at + i * 2] !== DIGIT_0 + i || bytes[at + i * 2 + 1] !== 0) return false;
  return true;
}

/** The tokens of which those of the digits stand at `digits`. */
function tokensAt(ram: Ram, digits: number): Tokens | undefined {
  // Forward to the end of the tokens: from here on the index is no farther than its alignment.
  let end = digits;
  for (let token = DIGIT_0; token < TOKENS; token++) {
    const text = readText(ram, end, LONGEST_NAME);
    if (text === undefined) return undefined;
    end += text.length + 1;
    if (end - digits > LONGEST_TOKENS) return undefined;
  }
  for (const alignment of [8, 4]) {
    const index = alignUp(end, alignment);
    const start = digits - ram.readU16(index + DIGIT_0 * 2);
    const texts = textsOf(ram, start, index);
    if (texts !== undefined) return { start, end: index + INDEX_BYTES, texts };
  }
  return undefined;
}

/** Every token, where the index at `index` is that of the table at `start`. */
function textsOf(ram: Ram, start: number, index: number): string[] | undefined {
  if (!ram.contains(start, index + INDEX_BYTES - start)) return undefined;
  const texts: string[] = [];
  let at = 0;
  for (let token = 0; token < TOKENS; token++) {
    if (ram.readU16(index + token * 2) !== at) return undefined;
    const text = readText(ram, start + at, LONGEST_NAME) ?? "";
    texts.push(text);
    at += text.length + 1;
  }
  return start + at <= index ? texts : undefined;
}

function fromTokens(ram: Ram, tokens: Tokens): Kallsyms | undefined {
  const at = tokens.start;
  for (const found of namesBefore(ram, tokens.start)) {
    const names = decodeNames(ram, found, tokens.texts);
    if (names === undefined) continue;
    for (const wordSize of [8, 4] as const) {
      const addresses =
        addressesBehind(ram, tokens.end, found.count, wordSize) ??
        addressesBefore(ram, found.countAt, found.count, wordSize);
      if (addresses !== undefined) return { names, addresses, wordSize, at };
    }
    const physical = distancesBehind(ram, tokens.end, found.count);
    if (physical !== undefined) return { names, physical, wordSize: is64Bit(names) ? 8 : 4, at };
  }
  return undefined;
}

/** Whether these are names of a kernel for 64 bits. */
function is64Bit(names: readonly string[]): boolean {
  return names.includes("startup_64") || names.includes("entry_SYSCALL_64");
}

/** Names whose markers end before `tokens`. */
function* namesBefore(ram: Ram, tokens: number): Generator<Names> {
  for (const markers of markersBefore(ram, tokens)) {
    const last = ram.readU32(markers.at + (markers.count - 1) * 4);
    const second = ram.readU32(markers.at + 4);
    const end = markers.at - last;
    for (let start = end - (end % 4); start >= end - LONGEST_GROUP; start -= 4) {
      for (const countAt of [start - 8, start - 4]) {
        const count = ram.readU32(countAt);
        if (Math.ceil(count / MARKED) !== markers.count) continue;
        if (countAt === start - 8 && ram.readU32(start - 4) !== 0) continue;
        if (skipNames(ram, start, MARKED, second) === second) yield { count, countAt, start };
      }
    }
  }
}

/**
 * Tables of ascending offsets that begin with 0, backward from the tokens: at once before them, or before 3 bytes a symbol. The
 * end is where the ascent breaks, or the tokens are.
 */
function* markersBefore(ram: Ram, tokens: number): Generator<{ at: number; count: number }> {
  const farthest = tokens - (MOST_SYMBOLS * SEQUENCE_BYTES + (MOST_SYMBOLS / MARKED) * 4);
  let above = ram.readU32(tokens - 4);
  let run = 1;
  let tables = 0;
  for (let at = tokens - 8; at >= farthest; at -= 4) {
    const value = ram.readU32(at);
    if (value < 0) return;
    const step = above - value;
    run = step >= SHORTEST_GROUP && step <= LONGEST_GROUP ? run + 1 : 1;
    above = value;
    if (value === 0 && run >= FEWEST_SYMBOLS / MARKED + 1) {
      yield { at, count: run };
      if (++tables >= MOST_MARKERS) return;
    }
  }
}

/** Bytes of a name's length and the length; a length of 0 is none. */
function lengthAt(ram: Ram, at: number): { bytes: number; length: number } {
  const first = ram.readU8(at);
  if (first < LARGEST_BYTE) return { bytes: 1, length: Math.max(first, 0) };
  return { bytes: 2, length: (first & (LARGEST_BYTE - 1)) | (ram.readU8(at + 1) << SECOND_SHIFT) };
}

/** Bytes of `count` names; undefined for what are none, or more than `limit`. */
function skipNames(ram: Ram, start: number, count: number, limit: number): number | undefined {
  let at = start;
  for (let i = 0; i < count; i++) {
    const { bytes, length } = lengthAt(ram, at);
    if (length <= 0 || length > LONGEST_NAME) return undefined;
    at += bytes + length;
    if (at - start > limit) return undefined;
  }
  return at - start;
}

/** Every name, without its type's letter. */
function decodeNames(ram: Ram, { start, count }: Names, tokens: readonly string[]): string[] | undefined {
  if (count < FEWEST_SYMBOLS || count > MOST_SYMBOLS) return undefined;
  const names: string[] = [];
  let at = start;
  let text = 0;
  for (let i = 0; i < count; i++) {
    const { bytes, length } = lengthAt(ram, at);
    if (length <= 0 || length > LONGEST_NAME) return undefined;
    const numbers = ram.view(at + bytes, length);
    if (numbers === undefined) return undefined;
    let name = "";
    for (const number of numbers) name += tokens[number];
    text += name.length;
    if (name.length > LONGEST_NAME + 1 || text > MOST_TEXT) return undefined;
    names.push(name.slice(1));
    at += bytes + length;
  }
  return names;
}

/** Offsets that stand behind the tokens, then their base (from 6.5 on). */
function addressesBehind(ram: Ram, end: number, count: number, wordSize: 4 | 8): bigint[] | undefined {
  const offsets = alignUp(end, wordSize);
  const base = alignUp(offsets + count * 4, wordSize);
  return fromOffsets(ram, offsets, count, baseAt(ram, base, wordSize), wordSize);
}

/** Distances from where each of them stands, with no base (from 7.0 on). */
function distancesBehind(ram: Ram, end: number, count: number): number[] | undefined {
  const at = alignUp(end, 4);
  if (!ram.contains(at, count * 4)) return undefined;
  const physical = Array.from({ length: count }, (_, i) => at + i * 4 + (ram.readU32(at + i * 4) | 0));
  let ascending = 0;
  for (let i = 1; i < count; i++) if (physical[i] >= physical[i - 1]) ascending++;
  return ascending >= count * SORTED ? physical : undefined;
}

/** Offsets and their base before the count of symbols (until 6.4), or whole addresses. */
function addressesBefore(ram: Ram, countAt: number, count: number, wordSize: 4 | 8): bigint[] | undefined {
  const base = countAt - wordSize;
  const offsets = base - alignUp(count * 4, wordSize);
  return (
    fromOffsets(ram, offsets, count, baseAt(ram, base, wordSize), wordSize) ??
    wholeAddresses(ram, countAt - count * wordSize, count, wordSize)
  );
}

function baseAt(ram: Ram, address: number, wordSize: 4 | 8): bigint | undefined {
  if (wordSize === 8) return readWord64(ram, address);
  const word = ram.readU32(address);
  return word < 0 ? undefined : BigInt(word);
}

/** The least address of a kernel: a quarter of the address space is its own at least. */
const LEAST: Readonly<Record<4 | 8, bigint>> = { 4: 0x4000_0000n, 8: 0xffff_8000_0000_0000n };

function wholeAddresses(ram: Ram, at: number, count: number, wordSize: 4 | 8): bigint[] | undefined {
  if (!ram.contains(at, count * wordSize)) return undefined;
  const addresses: bigint[] = [];
  for (let i = 0; i < count; i++) addresses.push(baseAt(ram, at + i * wordSize, wordSize)!);
  return areAddresses(addresses, wordSize) ? addresses : undefined;
}

/**
 * Addresses of offsets from a base. With CONFIG_KALLSYMS_ABSOLUTE_PERCPU (x86-64 until 6.14), those that are not negative are
 * addresses themselves, and the others lie -1 - offset behind the base.
 */
function fromOffsets(
  ram: Ram,
  at: number,
  count: number,
  base: bigint | undefined,
  wordSize: 4 | 8,
): bigint[] | undefined {
  if (base === undefined || base < LEAST[wordSize] || !ram.contains(at, count * 4)) return undefined;
  const offsets = Array.from({ length: count }, (_, i) => ram.readU32(at + i * 4));
  const negative = offsets.filter((offset) => (offset | 0) < 0).length;
  const absolute = negative > count / 2;
  const addresses = offsets.map((offset) => {
    if (!absolute) return base + BigInt(offset);
    const signed = offset | 0;
    return signed >= 0 ? BigInt(signed) : base - 1n - BigInt(signed);
  });
  return areAddresses(addresses, wordSize) ? addresses : undefined;
}

/** The part of a table that ascends at least: what each CPU has of its own stands apart. */
const SORTED = 0.9;

/** Whether these may be a kernel's addresses, which are sorted but for those of each CPU's own variables. */
function areAddresses(addresses: readonly bigint[], wordSize: 4 | 8): boolean {
  let ascending = 0;
  let kernel = 0;
  addresses.forEach((address, i) => {
    if (address >= LEAST[wordSize]) kernel++;
    if (i > 0 && address >= addresses[i - 1]) ascending++;
  });
  return (
    ascending >= addresses.length * SORTED &&
    kernel >= addresses.length / 2 &&
    addresses[0] !== addresses.at(-1)
  );
}
