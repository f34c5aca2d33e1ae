/** JSON for people and programs: big integers as hex text, bytes as base64. */

/** Arrays of bytes longer than this are shown by length only; what is longer is a file the caller already has. */
const LONGEST_BYTES = 65536;

function replace(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) {
    const length = value.length;
    return length > LONGEST_BYTES ? { length } : { length, base64: Buffer.from(value).toString("base64") };
  }
  return value;
}

/** One value as JSON text; `indent` 0 gives one line. */
export function toJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, replace, indent);
}
