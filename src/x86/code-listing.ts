/**
 * Machine code as a listing: bytes in hexadecimal, beside them the assembly they stand for, so that both can be read
 * and a test can assemble the one and compare the other. A value known only when the code is made is a name in angle
 * brackets with its size: `be <table:2>`. Knows no instruction.
 */

/** One line: what is emitted, and what it means. */
export interface ListedLine {
  /** Bytes, or a value's name and size in bytes (little-endian). */
  parts: readonly (number | { value: string; size: number })[];
  /** In GNU syntax for Intel operands. */
  assembly: string;
}

const LINE = /^((?:(?:[0-9a-f]{2}|<\w+:\d>)(?: |$))+)\s*(.*)$/;
const PART = /([0-9a-f]{2})|<(\w+):(\d)>/g;

/** Reads a listing. Lines begin with their bytes; the assembly follows. Throws Error for a line that does not. */
export function listing(text: string): ListedLine[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      const [, bytes, assembly] = LINE.exec(line) ?? [];
      if (bytes === undefined) throw new Error(`not a line of a listing: ${line}`);
      const parts = [...bytes.matchAll(PART)].map(([, byte, value, size]) =>
        byte === undefined ? { value, size: Number(size) } : Number.parseInt(byte, 16),
      );
      return { parts, assembly };
    });
}

/** The bytes of a listing with its values filled in. Throws RangeError for a value that is missing. */
export function codeBytes(lines: readonly ListedLine[], values: Readonly<Record<string, bigint>>): number[] {
  return lines.flatMap(({ parts }) =>
    parts.flatMap((part) => {
      if (typeof part === "number") return [part];
      const value = values[part.value];
      if (value === undefined) throw new RangeError(`the listing wants a value "${part.value}"`);
      return Array.from({ length: part.size }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
    }),
  );
}

/** Bytes that a listing takes. */
export function codeSize(lines: readonly ListedLine[]): number {
  return lines.reduce(
    (sum, { parts }) =>
      sum + parts.reduce((n: number, part) => n + (typeof part === "number" ? 1 : part.size), 0),
    0,
  );
}
